"""The benchmark suite: ratios and their spread on clocks that are known, what is timed, and how it is written down."""

import json
import os
import sys
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tiny import random_captions, tiny_config, unit_rows

from benchmarks import __main__ as suite
from benchmarks import training
from benchmarks.data import spread_rows
from benchmarks.losses import loss_row
from benchmarks.measure import Side, compare, machine, spread
from benchmarks.presets import paper_presets
from benchmarks.profile import by_kind_and_phase, kind, profiled
from benchmarks.world import World
from capdec_core.batches import PackedCaptions
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.errors import CapdecError
from capdec_core.noise import NoNoise
from capdec_core.planning.operations import peak_flops
from capdec_core.training import train


class Clock:
    """A clock that only moves when a side works."""

    def __init__(self) -> None:
        self.now, self.runs = 0.0, []

    def side(self, name, work, durations, self_timed=False):
        left = iter(durations)

        def run():
            took = next(left)
            self.runs.append(name)
            self.now += took
            return took / 2 if self_timed else None

        return Side(name, work, run)


def measured(ours, reference, *, work=(10, 10), **options):
    clock = Clock()
    sides = clock.side("ours", work[0], ours), clock.side("reference", work[1], reference)
    options = {"unit": "captions", "pairs": 3, "warm": 1} | options
    return clock, compare("training", *sides, clock=lambda: clock.now, **options)


def test_a_training_a_core_counts_every_cores_captions(monkeypatch):
    """Against one training on all cores: as many trainings as cores, of as many captions each."""
    asked = []

    def took(count, each, train_once, work):
        asked.append((count, each, train_once is training.Work.ours))
        return 4.0

    monkeypatch.setattr(training, "_in_processes", took)
    monkeypatch.setattr(training, "cores", lambda: 3)
    config, budget = tiny_config(), Budget(1, 4, 1e-3)
    captions = [[1, 2], [3], [4, 5, 6]] * 10
    world = World("tiny", config, budget, 8, captions, unit_rows(30, config.mapper.embedding_dim))
    found = training.cores_comparison(world, quick=True)
    assert asked == [(1, 3, False), (3, 1, True)]
    assert (found["ours"]["work"], found["reference"]["work"]) == (60, 20)
    assert found["ratio"]["median"] == 3


def test_sides_alternate_and_ratios_are_of_rates():
    clock, found = measured([99, 1, 2, 4], [50, 4, 4, 4])
    assert clock.runs == ["reference", "ours"] * 4
    assert found["ratios"] == [4, 2, 1]
    assert found["ratio"] == {"min": 1, "q1": 1.5, "median": 2, "q3": 3, "max": 4}
    assert found["ours"] == {"name": "ours", "work": 10, "seconds": [1, 2, 4], "rate": 5}
    assert (found["bar"], found["met"]) == (None, None)
    json.dumps(found, allow_nan=False)


def test_less_work_on_one_side_is_accounted_for():
    _, found = measured([1] * 4, [1] * 4, work=(30, 10))
    assert found["ratios"] == [3, 3, 3]


@pytest.mark.parametrize(
    ("bar", "at_most", "met"), [(2, False, True), (2.1, False, False), (0.5, True, True), (0.4, True, False)]
)
def test_bars_on_speed_and_on_cost(bar, at_most, met):
    _, found = measured([2] * 4, [4] * 4, bar=bar, at_most=at_most)
    assert found["met"] is met


def test_a_side_may_time_itself():
    clock = Clock()
    sides = clock.side("ours", 1, [4, 4], self_timed=True), clock.side("reference", 1, [4, 4])
    found = compare("x", *sides, unit="runs", pairs=1, clock=lambda: clock.now)
    assert found["ratios"] == [2]


def test_comparisons_without_meaning_are_refused():
    with pytest.raises(ValueError, match="pairs"):
        measured([1], [1], pairs=0)
    with pytest.raises(ValueError, match="work"):
        Side("ours", 0, lambda: None)
    with pytest.raises(ValueError, match=r"took 0.* seconds"):
        measured([0] * 4, [1] * 4)


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=9))
def test_the_spread_is_ordered_and_holds_every_value(values):
    found = spread(values)
    assert list(found.values()) == sorted(found.values())
    assert (found["min"], found["max"]) == (min(values), max(values))


def test_the_machine_is_told():
    told = machine("cpu")
    assert told["versions"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert 1 <= told["cores"] <= (os.cpu_count() or 1)
    json.dumps(told)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 40), min_size=12, max_size=90), st.integers(1, 12))
def test_a_few_captions_stand_for_a_corpus(lengths, count):
    rows = spread_rows(lengths, count, seed=0)
    assert len(set(rows)) == len(rows) == count
    chosen = [lengths[row] for row in rows]
    for level in range(1, 40):
        share = sum(length <= level for length in lengths) / len(lengths)
        assert sum(length <= level for length in chosen) / count == pytest.approx(share, abs=0.5001 / count)


def test_too_small_a_corpus_is_refused():
    with pytest.raises(ValueError, match="5 captions do not hold 6"):
        spread_rows([1] * 5, 6, seed=0)


@pytest.mark.parametrize(
    ("name", "teraflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA L4", 121),
        ("NVIDIA RTX A4000", None),
    ],
)
def test_a_gpu_is_known_by_its_whole_name(name, teraflops):
    found = peak_flops(name)
    assert found == (None if teraflops is None else teraflops * 1e12)


def test_intervals_of_loss_differences_are_students():
    ours, reference = [2.0, 2.1, 1.9, 2.3], [2.1, 2.0, 2.2, 2.2]
    *_, difference, low, high = loss_row("x", ours, reference)
    interval = stats.ttest_rel(ours, reference).confidence_interval(0.95)
    assert (low, high) == pytest.approx((interval.low, interval.high))
    assert difference == pytest.approx((low + high) / 2)


def test_time_is_told_by_kind_and_phase():
    captioner = Captioner(tiny_config("transformer"))
    packed, budget = PackedCaptions.pack(random_captions(30)), Budget(2, 10, 1e-3)
    kinds, phases = profiled(
        lambda: train(captioner, unit_rows(30), packed, NoNoise(), budget, seed=0), "cpu"
    )
    assert sum(kinds.values()) == pytest.approx(sum(phases.values()))
    assert {"matrix products", "optimiser", "softmax and cross entropy"} <= set(kinds)
    assert kinds["optimiser"] == phases["optimiser"] > 0
    assert phases["backward"] > 0


def test_an_operations_phase_is_its_ancestors():
    def event(name, parent=None, taken=1.0):
        cpu = torch.autograd.DeviceType.CPU
        return SimpleNamespace(name=name, cpu_parent=parent, self_cpu_time_total=taken, device_type=cpu)

    step = event("Optimizer.step#AdamW.step", taken=0.0)
    back = event("autograd::engine::evaluate_function: AddmmBackward0", taken=0.0)
    events = [step, back, event("aten::mul", step), event("aten::mm", back, 3.0), event("aten::gelu")]
    kinds, phases = by_kind_and_phase(events, gpu=False)
    assert phases == {"optimiser": 1, "backward": 3, "forward and data": 1}
    assert kinds == {"optimiser": 1, "other": 0, "matrix products": 3, "activation": 1}
    assert kind("aten::_fused_adamw_") == "other"


def part(**result):
    return SimpleNamespace(run=lambda device, quick: result)


def test_parts_are_written_and_one_that_fails_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    _, comparison = measured([1] * 4, [3] * 4, bar=2)
    table = {"title": "Lengths", "columns": ["a", "b"], "rows": [["x", 1.2345], ["y", None]]}
    monkeypatch.setitem(
        sys.modules,
        "benchmarks.encoding",
        part(comparisons=[comparison], tables=[table], files={"a.svg": "<svg/>"}),
    )
    monkeypatch.setitem(sys.modules, "benchmarks.growth", SimpleNamespace(run=lambda device, quick: 1 / 0))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "encoding", "growth", "--output", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        suite.main()
    assert stopped.value.code == 2
    record = json.loads((tmp_path / "encoding.json").read_text())
    assert record["result"]["comparisons"][0]["ratios"] == [3, 3, 3]
    assert record["machine"]["device"] == "cpu"
    assert (tmp_path / "a.svg").read_text() == "<svg/>"
    report = (tmp_path / "README.md").read_text()
    assert "| training | 3 (3 to 3) | at least 2 | yes |" in report
    assert "| x | 1.23 |" in report
    assert "| y | – |" in report
    assert "Not run: ZeroDivisionError: division by zero" in report
    assert "not run: growth" in capsys.readouterr().err


def test_unknown_parts_and_devices_are_refused():
    with pytest.raises(CapdecError, match=r"no part 'nothing'; the parts are: training"):
        suite.bench(["nothing"])
    with pytest.raises(CapdecError, match="no device 'tpu'"):
        suite.bench(device="tpu")


def test_paper_presets_have_the_papers_sizes():
    """ClipCap's table 1 says 156M for GPT-2 tuned behind the MLP; GPT-2 small itself has 124M."""
    with torch.device("meta"):
        captioners = [Captioner(preset.config) for preset in paper_presets(quick=False)]
    language_model, *mappers = (
        sum(weight.numel() for weight in module.parameters())
        for module in (captioners[0].language_model, *(captioner.mapper for captioner in captioners))
    )
    assert language_model == 124_439_808
    assert mappers == [57_520_128, 31_468_800, 41_745_408]
    assert [captioner.config.language_model.tuned for captioner in captioners] == [True, True, False]
