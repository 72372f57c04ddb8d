"""What one job of a workflow does: compute the cells of one program, by their names."""

import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch

from capdec_core import paths
from capdec_core.cell import Decoded, StoredCell
from capdec_core.errors import CapdecError
from capdec_core.profiles import load_profile
from capdec_core.runner import told_failures
from capdec_core.workflow.held import held
from capdec_core.workflow.jobs import runner_and_cells


def compute(names: Sequence[str], profile_name: str, device: str) -> str:
    """Compute cells of a profile in one program, in this process, and say so; they get no scores here.

    On a CPU one thread is used, as the runner's processes do, so that a cell's bytes are the same. What the store has
    is left alone; a cell that another process computes is waited for. Cells that are too many for a program here are
    computed in several, and where the cells of a program fail together, each is tried alone. A cell that is only
    decoded brings the one that is trained for it.

    Raises:
        CapdecError: a name that is none of the profile's, or cells that failed: their tracebacks are on stderr.
    """
    runner, known = runner_and_cells(load_profile(profile_name, device), device)
    cells = named(names, known, profile_name)
    if device == "cpu":
        torch.set_num_threads(1)
    with _alone_with(cells, profile_name):
        trained, told = runner.missing(cells)
        groups: list[Sequence[StoredCell]] = [*trained, *told]
        failures = runner.here(groups, "cell")
    for _, error in failures:
        traceback.print_exception(error, file=sys.stderr)
    if failures:
        raise CapdecError(told_failures(failures, sum(map(len, groups))))
    return f"{len(cells)} cells are in {runner.store.folder}: {' '.join(names)}"


def named(names: Sequence[str], known: Mapping[str, StoredCell], profile_name: str) -> list[StoredCell]:
    """Return the cells of these names; CapdecError where there is none of a name."""
    if unknown := [name for name in names if name not in known]:
        raise CapdecError(
            f"no cell {', '.join(unknown)} in profile {profile_name}: a name comes from configuration and code; "
            "where either has changed since a workflow was planned, start it anew"
        )
    return [known[name] for name in names]


@contextmanager
def _alone_with(cells: Sequence[StoredCell], profile_name: str) -> Iterator[None]:
    """Hold the cells, in one order everywhere; wait for a process that holds one."""
    captioners = {cell.cell.id for cell in cells if isinstance(cell, Decoded)}
    folder = paths.WORKFLOW / profile_name / "held"
    with ExitStack() as stack:
        for name in sorted({cell.id for cell in cells} | captioners):
            stack.enter_context(held(folder / name))
        yield
