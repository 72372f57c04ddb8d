"""Which cells share a program, how many processes run at once, and what memory a training is predicted to take."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
import torch
from small_world import cell_config
from tiny import kept_for_backward, tiny_config

from capdec_core import programs as module
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.cell import CellConfig
from capdec_core.memory import parameter_counts, saved_by_sample, training_memory
from capdec_core.programs import processes, programs

BUDGET = asdict(Budget(10, 16, 1e-3))


def cell(kind: str = "mlp", dropout: float = 0.0, training: dict = BUDGET, **changes) -> CellConfig:
    shape = asdict(tiny_config(kind, dropout=dropout))
    return cell_config(
        mapper=shape["mapper"], language_model=shape["language_model"], training=training, **changes
    )


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU with room for three and a half trainings of the smallest captioner."""
    config = CaptionerConfig.from_dict(vars(cell()))
    free = 3.5 * training_memory(config, 16, 12) / module.USABLE
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, free))


def test_on_a_cpu_every_cell_has_its_own_program():
    cells = [cell(seed=seed) for seed in range(3)]
    assert programs(cells, "cpu", 12) == [[one] for one in cells]


def test_on_a_gpu_small_cells_of_one_shape_share_as_memory_allows(gpu):
    same = [cell(seed=seed) for seed in range(4)]
    other = [cell("linear"), cell(training=BUDGET | {"steps": 11})]
    found = programs([*same, *other], "cuda", 12)
    assert found == [same[:3], same[3:], [other[0]], [other[1]]]


def test_dropout_checkpoints_and_size_keep_a_cell_alone(gpu, monkeypatch):
    for one in (cell(dropout=0.1), cell(training=BUDGET | {"checkpoint_every": 5})):
        assert programs([one, replace(one, seed=1)], "cuda", 12) == [[one], [replace(one, seed=1)]]
    monkeypatch.setattr(module, "SMALL", 10)
    assert len(programs([cell(), cell(seed=1)], "cuda", 12)) == 2


def test_no_more_processes_than_memory_holds(monkeypatch):
    cells = [cell(seed=seed) for seed in range(9)]
    monkeypatch.setattr(module, "cores", lambda: 8)
    one = module.PROCESS + training_memory(CaptionerConfig.from_dict(vars(cells[0])), 16, 12)
    for fitting, expected in [(3.5, 3), (0.5, 1), (100.0, 8)]:
        free = SimpleNamespace(available=fitting * one / module.USABLE)
        monkeypatch.setattr(module.psutil, "virtual_memory", lambda free=free: free)
        assert processes(cells, 12) == expected


@pytest.mark.parametrize("kind", ["mlp", "linear", "transformer"])
def test_what_the_backward_pass_needs_is_counted_within_a_tenth(kind):
    """The oracle: all that autograd saves, each piece of memory once, parameters and logits apart."""
    config = tiny_config(kind)
    config = replace(
        config,
        mapper=replace(config.mapper, width=256, layers=3),
        language_model=replace(config.language_model, width=256, layers=3),
    )
    assert kept_for_backward(Captioner(config)) == pytest.approx(saved_by_sample(config, 12), rel=0.1)


def test_weights_are_there_four_times_frozen_ones_once():
    tuned, frozen = (tiny_config("transformer", tuned=tuned) for tuned in (True, False))
    trained, still = parameter_counts(frozen)
    assert parameter_counts(tuned) == (trained + still, 0)
    saved = 2 * (saved_by_sample(frozen, 1) + 3 * 2 * frozen.language_model.vocab_size)
    assert training_memory(frozen, 2, 1) == 4 * (3 * trained + max(saved, trained) + still)
    assert training_memory(tuned, 2, 1, runs=5) == 5 * training_memory(tuned, 2, 1)
