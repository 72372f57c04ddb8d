"""Compute what is missing: cells side by side, then one scoring for all of them.

What is finished stays: a cell enters the store whole, so a run that is killed goes on where it stopped.
"""

import multiprocessing
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from tqdm import tqdm

from capdec_core.cell import CellConfig
from capdec_core.device import check_device
from capdec_core.errors import CapdecError
from capdec_core.java import check_java
from capdec_core.material import Material, prepare, pretrained_language_model
from capdec_core.profiles import Profile
from capdec_core.scoring import System, score_systems
from capdec_core.store import CellStore
from capdec_core.worker import run_cell, work


class Runner:
    """Runs cells of one profile on one device into one store."""

    def __init__(self, profile: Profile, store: CellStore, device: str = "cpu") -> None:
        """Check device and Java before any work, then make what the cells share."""
        check_device(device)
        check_java()
        self.profile, self.store, self.device = profile, store, device
        self.material: Material = prepare(profile, device)

    def compute(self, cells: Iterable[CellConfig]) -> None:
        """Train, decode and score every cell that the store lacks.

        Raises:
            CapdecError: some cells failed; the message names them, and the others are in the store.
        """
        wanted = list({cell.id: cell for cell in cells}.values())
        self._train([cell for cell in wanted if not self.store.has(cell)])
        self._score([cell for cell in wanted if not self.store.has_scores(cell)])

    def _train(self, cells: Sequence[CellConfig]) -> None:
        if not cells:
            return
        for cell in {(str(c.language_model), str(c.pretraining)): c for c in cells}.values():
            pretrained_language_model(cell, self.material, self.device)
        failures = self._train_here(cells) if self.device != "cpu" else self._train_in_processes(cells)
        if failures:
            lines = "\n".join(
                f"  {cell.id} {cell.noise} seed {cell.seed}: {error!r}" for cell, error in failures
            )
            raise CapdecError(f"{len(failures)} of {len(cells)} cells failed:\n{lines}")

    def _train_here(self, cells: Sequence[CellConfig]) -> list[tuple[CellConfig, BaseException]]:
        failures: list[tuple[CellConfig, BaseException]] = []
        for cell in tqdm(cells, desc="cells", unit="cell"):
            try:
                run_cell(cell, self.material, self.store, self.device)
            except (RuntimeError, ValueError, CapdecError) as error:
                failures.append((cell, error))
        return failures

    def _train_in_processes(self, cells: Sequence[CellConfig]) -> list[tuple[CellConfig, BaseException]]:
        """One single-threaded process a core: small models gain nothing from threads."""
        failures = []
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=min(len(cells), cores()), mp_context=context) as pool:
            futures: dict[Future[str], CellConfig] = {
                pool.submit(work, cell, self.material, self.store.folder, self.device): cell
                for cell in sorted(cells, key=_costliest_first)
            }
            for future in tqdm(as_completed(futures), total=len(futures), desc="cells", unit="cell"):
                if error := future.exception():
                    failures.append((futures[future], error))
        return failures

    def _score(self, cells: Sequence[CellConfig]) -> None:
        """Score all cells together, then write each cell's scores."""
        if not cells:
            return
        systems = {
            System(cell.id, e.split, e.key): self.store.captions(cell)[e.key]
            for cell in cells
            for e in cell.evaluations
        }
        scores = score_systems(self.profile, systems, self.device, cores())
        tables: dict[str, dict] = {cell.id: {} for cell in cells}
        for system, found in scores.items():
            tables[system.cell][system.evaluation] = found.to_dict()
        for cell in cells:
            self.store.write_scores(cell, tables[cell.id])


def _costliest_first(cell: CellConfig) -> tuple[bool, str]:
    """Order cells so that none of the long ones is left for the end: the gradient noise trains twice a step."""
    return cell.noise["kind"] != "NormalisedGradient", cell.id


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))
