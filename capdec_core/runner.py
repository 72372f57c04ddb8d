"""Compute what is missing: cells side by side, then one scoring for all of them.

What is finished stays: a cell enters the store whole, so a run that is killed goes on where it stopped.
"""

import functools
import multiprocessing
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict

from tqdm import tqdm

from capdec_core.cell import CellConfig, Decoded, Imported, Retrieved, StoredCell
from capdec_core.decoding import Beam, decoding_from_dict
from capdec_core.device import cores, devices_of
from capdec_core.errors import CapdecError
from capdec_core.imported.published import find_checkpoint
from capdec_core.imported.settings import PublishedSettings
from capdec_core.java import check_java
from capdec_core.material import Material, Wanted, prepare, pretrained_language_model
from capdec_core.profiles import Profile
from capdec_core.programs import processes, programs
from capdec_core.scoring import System, score_systems
from capdec_core.store import CellStore
from capdec_core.worker import run_cells, work

Failures = list[tuple[StoredCell, BaseException]]


class Runner:
    """Runs cells of one profile on one device, or on several that share each large cell's training, into one store."""

    def __init__(
        self, profile: Profile, store: CellStore, device: str = "cpu", wanted: Wanted | None = None
    ) -> None:
        """Check device and Java before any work, then make what the cells share: `wanted`, or all that can be."""
        self.devices = devices_of(device)
        check_java()
        self.profile, self.store, self.device = profile, store, self.devices[0]
        self.material: Material = prepare(profile, self.device, wanted)

    def compute(self, cells: Iterable[StoredCell]) -> None:
        """Train, decode and score every cell that the store lacks.

        Raises:
            CapdecError: some cells failed; the message names them, and the others are in the store.
        """
        wanted = list({cell.id: cell for cell in cells}.values())
        trained, spoken = self.missing(wanted)
        if trained:
            self._work(trained, "train")
        if spoken:
            self._work(spoken, "decode")
        self._score([cell for cell in wanted if not self.store.has_scores(cell)])

    def missing(self, cells: Sequence[StoredCell]) -> tuple[list[list[CellConfig]], list[list[StoredCell]]]:
        """Return the programs of what the store lacks: trainings, the costliest first, and what is told without any.

        The language models that the trainings start from are made.
        """
        spoken = [cell for cell in cells if not isinstance(cell, CellConfig) and not self.store.has(cell)]
        trained = [cell for cell in cells if isinstance(cell, CellConfig)]
        trained += [cell.cell for cell in spoken if isinstance(cell, Decoded)]
        missing = list({cell.id: cell for cell in trained if not self.store.has(cell)}.values())
        for cell in {(str(c.language_model), str(c.pretraining)): c for c in missing}.values():
            pretrained_language_model(cell, self.material, self.device)
        for told in spoken:
            if isinstance(told, Imported):  # missed now, or else after hours of training
                find_checkpoint(PublishedSettings.from_dict(told.checkpoint))
        ordered = sorted(missing, key=_costliest_first)
        groups = programs(ordered, self.device, self.longest) if missing else []
        return groups, [[cell] for cell in spoken]

    def _material_of(self, group: Sequence[StoredCell]) -> Material:
        """Return what the cells of one program share: their embeddings come from one encoder."""
        (encoder,) = {cell.encoder for cell in group}
        return self.material.of(encoder)

    @functools.cached_property
    def longest(self) -> int:
        """Tokens of the longest training caption."""
        return int(self.material.training_captions().lengths.max())

    def _work(self, groups: Sequence[Sequence[StoredCell]], doing: str) -> None:
        """Compute cells in groups, a program each, in this order."""
        compute = self._in_processes if self.device == "cpu" else self.here
        if failures := compute(groups, doing):
            raise CapdecError(told_failures(failures, sum(map(len, groups))))

    def here(self, groups: Sequence[Sequence[StoredCell]], doing: str) -> Failures:
        """Compute cells in groups, a program each, in this process; return those that failed, and why."""
        failures: Failures = []
        with _bar(groups, doing) as bar:
            waiting = [list(group) for group in reversed(groups)]
            while waiting:
                group = waiting.pop()
                try:
                    self._run(group)
                except Exception as error:
                    if len(group) > 1:  # one cell must not take the others of its program with it
                        waiting += [[cell] for cell in group]
                        continue
                    failures += [(cell, error) for cell in group]
                bar.update(len(group))
        return failures

    def _run(self, group: Sequence[StoredCell]) -> None:
        """Compute a program's cells: a training that has its program to itself on all devices, others on the first."""
        material, first = self._material_of(group), group[0]
        if len(self.devices) > 1 and len(group) == 1 and isinstance(first, CellConfig):
            from capdec_core.launch import run_together  # imports accelerate

            run_together(first, material, self.store, self.devices)
        else:
            run_cells(group, material, self.store, self.device)

    def _in_processes(self, groups: Sequence[Sequence[StoredCell]], doing: str) -> Failures:
        """Single-threaded processes side by side: small models gain nothing from threads."""
        failures: Failures = []
        context = multiprocessing.get_context("spawn")
        trained = list(filter(None, (_trained(cell) for group in groups for cell in group)))
        workers, started = min(len(groups), processes(trained, self.longest)), time.perf_counter()
        with (
            _bar(groups, doing) as bar,
            ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool,
        ):
            futures: dict[Future[None], Sequence[StoredCell]] = {
                pool.submit(work, group, self._material_of(group), self.store.folder, self.device): group
                for group in groups
            }
            for future in as_completed(futures):
                if error := future.exception():
                    failures += [(cell, error) for cell in futures[future]]
                bar.update(len(futures[future]))
        self._tell_load(groups, time.perf_counter() - started, workers, doing)
        return failures

    def _tell_load(
        self, groups: Sequence[Sequence[StoredCell]], seconds: float, workers: int, doing: str
    ) -> None:
        """Print how much of the processes' time trained cells took: the rest was spent on starting and waiting."""
        cells = [cell for group in groups for cell in group]
        done = [cell for cell in cells if isinstance(cell, CellConfig) and self.store.has(cell)]
        if not done:
            return
        busy = sum(self.store.record(cell)["seconds"] for cell in done)
        print(
            f"{doing}: {len(done)} cells took {busy:.0f} s of {workers} x {seconds:.0f} s, "
            f"{busy / (workers * seconds):.0%}"
        )

    def _score(self, cells: Sequence[StoredCell]) -> None:
        """Score all cells together, then write each cell's scores."""
        if not cells:
            return
        systems = {
            System(cell.id, e.split, e.key): captions[e.key]
            for cell, captions in ((cell, self.store.captions(cell)) for cell in cells)
            for e in cell.evaluations
        }
        decodings = {cell.id: self._decoding(cell) for cell in cells}
        scores = score_systems(self.profile, systems, decodings, self.device, cores())
        tables: dict[str, dict] = {cell.id: {} for cell in cells}
        for system, found in scores.items():
            tables[system.cell][system.evaluation] = found.to_dict()
        for cell in cells:
            self.store.write_scores(cell, tables[cell.id])

    def _decoding(self, cell: StoredCell) -> str:
        """Return how the cell's captions were decoded, in words: a trained cell's by the profile's beam search."""
        if isinstance(cell, Retrieved):
            return "the nearest training caption"
        beam = Beam(**asdict(self.profile.decoding))
        decoding = decoding_from_dict(cell.decoding) if isinstance(cell, Decoded) else beam
        end = f", up to {cell.checkpoint['stop']!r}" if isinstance(cell, Imported) else ""
        return f"{decoding.label}, at most {self.profile.decoding.max_tokens} tokens{end}"


def told_failures(failures: Failures, count: int) -> str:
    """Return the message of cells that failed, of `count` in all."""
    lines = "\n".join(f"  {_told(cell)}: {error!r}" for cell, error in failures)
    return f"{len(failures)} of {count} cells failed:\n{lines}"


def _bar(groups: Sequence[Sequence[StoredCell]], doing: str) -> tqdm:
    return tqdm(total=sum(map(len, groups)), desc=doing, unit="cell")


def _costliest_first(cell: CellConfig) -> tuple[float, str]:
    """Order cells by falling cost, ties by name."""
    return -_relative_cost(cell), cell.id


def _relative_cost(cell: CellConfig) -> float:
    """Rank a training by what it does beyond the common: gradient noise trains twice a step, depth and length."""
    twice = 2.0 if cell.bridge["noise"]["kind"] == "NormalisedGradient" else 1.0
    depth = cell.mapper["layers"] if cell.mapper["kind"] == "transformer" else 1
    return twice * cell.training["steps"] * (10 + depth + cell.mapper["prefix_length"])


def _trained(cell: StoredCell) -> CellConfig | None:
    """Return the trained cell that it takes: itself, the one whose captioner it decodes, or none."""
    found = cell.cell if isinstance(cell, Decoded) else cell
    return found if isinstance(found, CellConfig) else None


def _told(cell: StoredCell) -> str:
    if isinstance(cell, Decoded):
        return f"{cell.id} {cell.decoding} {cell.moves} of {_told(cell.cell)}"
    if isinstance(cell, Imported):
        return f"{cell.id} {cell.checkpoint['hub']}"
    assert isinstance(cell, CellConfig | Retrieved)
    return f"{cell.id} {cell.bridge} seed {cell.seed}"
