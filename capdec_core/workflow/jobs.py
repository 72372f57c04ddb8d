"""Which jobs a workflow has: the programs of cells that the store lacks, and the memory that each will take.

What all cells share (tokenizer, embeddings, heads, pre-trained language model) is made on the way, once.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from capdec_core import paths
from capdec_core.captioner import CaptionerConfig
from capdec_core.cell import CellConfig, Decoded, Imported, StoredCell
from capdec_core.downloads import ensure
from capdec_core.imported.published import find_checkpoint
from capdec_core.imported.settings import PublishedSettings
from capdec_core.material import Material
from capdec_core.memory import FLOAT, parameter_counts, training_memory
from capdec_core.planning.fetching import parts_of
from capdec_core.profiles import Profile, load_profile
from capdec_core.runner import Runner
from capdec_core.store import CellStore
from capdec_core.studies import conclusions
from capdec_core.studies.conditions import Condition, all_cells, wanted_by
from capdec_core.workflow.plan import Plan, Program, write_plan

MIB = 2**20
PROCESS = 2 * 2**30
"""Bytes that a job takes before it computes: libraries, encoder, a small corpus (1.2 GiB measured with `smoke`)."""
CAPTION = 4096
"""Bytes of a training caption: text, tokens and what the corpus's file says of it, as Python objects."""
ON_GPU = 4 * 2**30
"""Bytes of the host's memory that a process takes for CUDA: its libraries, its context, pinned buffers."""


def make_plan(path: Path, profile_name: str, device: str) -> Plan:
    """Make what a profile's cells share, after fetching what data is missing, and write which programs are missing."""
    profile = load_profile(profile_name, device)
    wanted = wanted_by(_conditions(profile))
    ensure(parts_of(profile.corpus.name, training_images=bool(wanted.images)))
    runner, cells = runner_and_cells(profile, device)
    plan = plan_of(runner, list(cells.values()))
    write_plan(path, plan)
    return plan


def runner_and_cells(profile: Profile, device: str) -> tuple[Runner, dict[str, StoredCell]]:
    """Return what computes a profile's cells, and every cell of its book by its name."""
    conditions = _conditions(profile)
    runner = Runner(profile, CellStore(paths.CELLS), device, wanted_by(conditions))
    return runner, {cell.id: cell for cell in all_cells(conditions, profile, runner.material)}


def _conditions(profile: Profile) -> list[Condition]:
    return conclusions.conditions(profile, profile.seeds)


def plan_of(runner: Runner, cells: Sequence[StoredCell]) -> Plan:
    """Return the programs of what the store lacks of `cells`: trainings, the costliest first, then the others."""
    trainings, others = runner.missing(cells)
    trained_by = {cell.id: f"train-{group[0].id}" for group in trainings for cell in group}
    alone = PROCESS + _shared(runner.material)
    found = [_program("train", group, [], runner, alone) for group in trainings]
    for group in _by_captioner([cell for (cell,) in others]):
        speaker = trained_by.get(_speaker(group[0]))
        found.append(_program("decode", group, [speaker] if speaker else [], runner, alone))
    return Plan(found)


def _by_captioner(cells: Sequence[StoredCell]) -> Iterable[list[StoredCell]]:
    """Group cells that one captioner tells in other ways; any other cell is by itself."""
    groups: dict[str, list[StoredCell]] = {}
    for cell in cells:
        groups.setdefault(_speaker(cell), []).append(cell)
    return groups.values()


def _speaker(cell: StoredCell) -> str:
    """Return the name of the cell whose captioner tells: another's, where the cell is only decoded."""
    return cell.cell.id if isinstance(cell, Decoded) else cell.id


def _program(
    doing: str, cells: Sequence[StoredCell], after: list[str], runner: Runner, alone: int
) -> Program:
    """Return cells as a program; `alone` are the bytes that its process takes before it computes."""
    taken, on_gpu = _memory(cells, runner), runner.device.startswith("cuda")
    host = alone + (ON_GPU + _weights(cells) if on_gpu else taken)
    names = [cell.id for cell in cells]
    return Program(f"{doing}-{names[0]}", names, after, _mib(host), _mib(taken) if on_gpu else 0)


def _memory(cells: Sequence[StoredCell], runner: Runner) -> int:
    """Return the bytes that the program's tensors take on its device; of what is only decoded, the weights."""
    first = cells[0]
    if not isinstance(first, CellConfig):
        return _weights(cells)
    shape = CaptionerConfig.from_dict(vars(first))
    return training_memory(shape, first.training["batch_size"], runner.longest, len(cells))


def _weights(cells: Sequence[StoredCell]) -> int:
    """Return the bytes of the captioners' weights, twice: as they are read and as they are used.

    Those of a published captioner are its file's.
    """
    files = [
        find_checkpoint(PublishedSettings.from_dict(c.checkpoint)) for c in cells if isinstance(c, Imported)
    ]
    trained = {cell.id: cell for cell in map(_captioner, cells) if cell}
    sizes = (sum(parameter_counts(CaptionerConfig.from_dict(vars(cell)))) for cell in trained.values())
    return 2 * (FLOAT * sum(sizes) + sum(map(os.path.getsize, files)))


def _captioner(cell: StoredCell) -> CellConfig | None:
    found = cell.cell if isinstance(cell, Decoded) else cell
    return found if isinstance(found, CellConfig) else None


def _shared(material: Material) -> int:
    """Return the bytes of captions and training embeddings, the latter twice: as they are read and as unit rows."""
    rows = sum(os.path.getsize(path) for key, path in material.banks.items() if key.startswith("train/"))
    return CAPTION * len(material.training_captions().lengths) + 2 * rows


def _mib(size: int) -> int:
    return -(-size // MIB)
