"""A cell that two processes compute is the cell of one, and the runner knows which cells to share."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_world import cell_config, small_profile

from capdec_core import launch as launch_module
from capdec_core import runner as module
from capdec_core.cell import CellConfig, Decoded, StoredCell
from capdec_core.launch import run_together
from capdec_core.runner import Runner
from capdec_core.store import CAPTIONER, CellStore
from capdec_core.studies.conditions import Condition, all_cells
from capdec_core.worker import run_cells


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    return Runner(small_profile(), CellStore(tmp_path_factory.mktemp("alone")))


@pytest.fixture
def cell(runner: Runner) -> CellConfig:
    (found,) = all_cells([Condition("none", "No noise", splits=("test",))], runner.profile, runner.material)
    assert isinstance(found, CellConfig)
    return found


def test_two_processes_write_the_cell_that_one_writes(
    runner: Runner, cell: CellConfig, tmp_path: Path
) -> None:
    together = CellStore(tmp_path / "together")
    run_cells([cell], runner.material, runner.store, "cpu")
    run_together(cell, runner.material, together, ["cpu", "cpu"])
    one, two = ({path.name for path in store.path(cell).iterdir()} for store in (runner.store, together))
    assert one == two
    weights = [load_file(store.path(cell) / CAPTIONER) for store in (runner.store, together)]
    torch.testing.assert_close(weights[1], weights[0], atol=2e-5, rtol=1e-4)
    record, alone = together.record(cell), runner.store.record(cell)
    assert (record["processes"], alone["processes"]) == (2, 1)
    assert record["losses"] == pytest.approx(alone["losses"], rel=1e-5)
    assert {path.name for path in together.folder.iterdir()} == {cell.id}
    run_together(cell, runner.material, together, ["no device"])  # it is there: nothing is started


def test_a_training_with_a_program_to_itself_is_shared(
    runner: Runner, cell: CellConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, list[StoredCell], object]] = []
    monkeypatch.setattr(module, "run_cells", lambda group, *rest: done.append(("one", group, rest[-1])))
    monkeypatch.setattr(
        launch_module, "run_together", lambda cell, *rest: done.append(("all", [cell], rest[-1]))
    )
    monkeypatch.setattr(Runner, "_material_of", lambda *_: runner.material)
    several = object.__new__(Runner)
    several.store, several.devices, several.device = runner.store, ["cuda:0", "cuda:1"], "cuda:0"
    told = Decoded(cell, {}, ())
    groups: list[list[StoredCell]] = [[cell], [cell, cell_config(seed=1)], [told]]
    for group in groups:
        several._run(group)
    assert done == [
        ("all", groups[0], ["cuda:0", "cuda:1"]),
        ("one", groups[1], "cuda:0"),
        ("one", groups[2], "cuda:0"),
    ]
