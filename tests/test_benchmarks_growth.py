"""Exponents on made curves, the rule that flags them, memory of a fresh process, and what figures say."""

import json
import os
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.container import ErrorbarContainer

from benchmarks import growth, growth_curve, growth_figures
from benchmarks.growth_curve import Curve, Work, doubled, growing, peaks, timed
from benchmarks.growth_figures import FLAG, Panel, alternative, caption, growth_figure
from benchmarks.growth_fit import LINEAR, MARGIN, Fit, Theory, fit_exponent, upper_half
from capdec_core.chart_style import INK
from capdec_core.errors import CapdecError

SQUARE = Theory(2, "pairs", least=1)
JAVA_OR_MODEL = ("Java", "MiniLM", "CLIP")


def law(
    exponent: float, scale: float = 3.0, sizes: tuple[int, ...] = (1, 2, 4, 8, 16)
) -> dict[int, list[float]]:
    """Costs that follow a power law exactly, three repeats a size."""
    return {size: [scale * size**exponent] * 3 for size in sizes}


def fitted(costs: dict[int, list[float]]) -> Fit:
    return fit_exponent(costs, np.random.default_rng(0))


@given(st.floats(-1, 4), st.floats(1e-6, 1e6))
def test_a_power_law_is_found_exactly(exponent: float, scale: float) -> None:
    found = fitted(law(exponent, scale))
    assert (found.exponent, found.low, found.high) == pytest.approx((exponent,) * 3, abs=1e-6)
    assert found.scale == pytest.approx(scale, rel=1e-6)


def test_what_stays_at_small_sizes_does_not_count() -> None:
    """Below the middle of the range (by ratio) the cost is constant; above it, it is the square."""
    assert upper_half(doubled(1, 6)) == (8, 16, 32)
    assert upper_half(doubled(1, 5)) == (4, 8, 16)
    assert upper_half((1, 100)) == (1, 100)
    costs = {1: [50.0], 2: [50.0], 4: [50.0], 8: [64.0], 16: [256.0], 32: [1024.0]}
    assert fitted(costs).exponent == pytest.approx(2)
    assert fitted(costs).sizes == (8, 16, 32)


def test_interval_by_hand_with_two_repeats() -> None:
    """Medians of two redrawn repeats 2 and 8 are 2, 5 or 8 beside a cost of 1 at half the size."""
    found = fitted({1: [1.0, 1.0], 2: [2.0, 8.0]})
    assert (found.low, found.exponent, found.high) == pytest.approx((1, np.log2(5), 3))


@pytest.mark.parametrize("costs", [law(1, sizes=(4,)), law(1, sizes=(2, 1)), {1: [1.0], 2: [0.0]}])
def test_what_cannot_be_fitted_is_refused(costs: dict) -> None:
    with pytest.raises(ValueError, match="positive"):
        fitted(costs)


def test_flag_needs_the_whole_interval_above_the_margin() -> None:
    fit = Fit(1.3, 1 + MARGIN + 0.001, 1.5, 1.0, (1, 2))
    assert fit.exceeds(LINEAR)
    assert not fit.exceeds(SQUARE)
    assert not replace(fit, low=1 + MARGIN - 0.001).exceeds(LINEAR)
    assert not replace(fit, low=-1.0, exponent=3.0).exceeds(SQUARE)


def test_slow_growth_is_never_flagged_and_hidden_squares_are() -> None:
    n = np.array(doubled(64, 6))
    assert not fitted(dict(zip(n.tolist(), (1000 + n)[:, None].tolist(), strict=True))).exceeds(LINEAR)
    assert fitted(dict(zip(n.tolist(), (n + n**2 / 1000)[:, None].tolist(), strict=True))).exceeds(LINEAR)


def test_theory_in_words() -> None:
    assert [str(t) for t in (LINEAR, LINEAR.bound, SQUARE)] == ["1", "at most 1", "1 to 2"]


def test_times_are_taken_in_turn_and_short_work_several_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only the work moves, by n² / 1024 seconds; under 5 ms it is done again within a repeat."""
    now, order = [0.0], []

    def prepare(size: int, device: str) -> Work:
        def work() -> None:
            now[0] += size**2 / 1024
            order.append(size)

        return work

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    found = timed(growing("images", "made", "things", (1, 2, 4), prepare, SQUARE), "cpu")
    assert fitted(found).exponent == pytest.approx(2)
    assert {len(seconds) for seconds in found.values()} == {growth_curve.REPEATS}
    assert order[:3] == [1, 2, 4]
    once_a_repeat = [1] * 6 + [2] * 2 + [4]
    assert order[3:] == once_a_repeat * growth_curve.REPEATS


def test_a_slow_curve_is_repeated_as_often_as_an_interval_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def prepare(size: int, device: str) -> Work:
        return lambda: now.__setitem__(0, now[0] + size * growth_curve.CURVE_SECONDS)

    found = timed(growing("images", "made", "things", (1, 2), prepare, LINEAR), "cpu")
    assert {len(seconds) for seconds in found.values()} == {growth_curve.LEAST_REPEATS}


def touching(size: int, device: str, *, held: int = 0) -> Work:
    """Take `size` times 16 MiB for a moment, beside 16 MiB times `held` that were there before."""
    before = bytearray(held << 24)

    def work() -> int:
        return len(bytearray(b"1") * (size << 24)) + len(before)

    return work


def dying(size: int, device: str) -> Work:
    """End the process without a word."""
    return lambda: os._exit(9)


def test_peak_of_a_fresh_process_is_what_the_run_takes() -> None:
    made = [
        growing("images", "plain", "things", (1, 4), touching, LINEAR),
        growing("images", "beside", "things", (1, 4), partial(touching, held=6), LINEAR),
    ]
    for samples in peaks(made, "cpu").values():
        assert {len(repeats) for repeats in samples.values()} == {growth_curve.MEMORY_REPEATS}
        assert samples[1] == pytest.approx([16] * 2, abs=2)
        assert samples[4] == pytest.approx([64] * 2, abs=2)


def test_a_process_that_dies_is_named() -> None:
    with pytest.raises(CapdecError, match="doomed: things, 1: its process ended"):
        peaks([growing("images", "doomed", "things", (1, 2), dying, LINEAR)], "cpu")


@pytest.fixture
def panels() -> list[Panel]:
    """One curve as theory says, one above it, and one that is too small for an exponent."""
    curve = growing("cells", "Table", "cells", doubled(1, 5), touching, LINEAR)
    slow, fast = law(1.0), law(1.5)
    slow[16] = [40.0, 48.0, 50.0]
    return [
        Panel(curve, slow, fitted(slow), LINEAR),
        Panel(replace(curve, name="Join"), fast, fitted(fast), LINEAR),
        Panel(replace(curve, name="Nothing"), law(0, 1.0), None, LINEAR),
    ]


def test_figure_has_a_panel_a_curve_with_its_exponent(panels: list[Panel]) -> None:
    figure = growth_figure(panels, "Seconds a run")
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == 3
    titles = [axes.get_title(loc="left") for axes in shown]
    assert titles[0] == f"Table\n{panels[0].fit}, theory 1"
    assert [FLAG in title for title in titles] == [False, True, False]
    assert "too small to tell" in titles[2]
    assert {axes.get_xscale() + axes.get_yscale() for axes in shown} == {"loglog"}
    assert [axes.get_xlabel() for axes in shown] == ["cells"] * 3
    assert "Seconds a run" in figure.get_supylabel()


def test_figure_draws_repeats_and_the_slope_of_theory(panels: list[Panel]) -> None:
    axes = growth_figure(panels, "Seconds a run").axes[1]
    (bars,) = [
        c
        for c in growth_figure(panels, "Seconds a run").axes[0].containers
        if isinstance(c, ErrorbarContainer)
    ]
    ends = bars.lines[2][0].get_segments()[-1][:, 1]
    assert ends.tolist() == pytest.approx([40, 50])
    slopes = {}
    for line in axes.lines:
        if line.get_linestyle() != "None":
            (x0, x1), (y0, y1) = np.log(line.get_xdata()), np.log(line.get_ydata())
            slopes[line.get_linestyle()] = (y1 - y0) / (x1 - x0)
    assert slopes == pytest.approx({"-": 1.5, "--": 1.0})


def test_words_tell_every_panel(panels: list[Panel]) -> None:
    told = alternative(panels, "Seconds a run")
    assert "3 panels of seconds a run" in told
    assert "Table: cells, from 3 at 1 to 48 at 16" in told
    assert f"Join: cells, from 3 at 1 to 1.9e+02 at 16, exponent {panels[1].told}, above theory" in told
    assert "95% interval" in caption("Seconds a run", "cpu")
    assert "MiB" not in caption("Seconds a run", "cpu")


def test_curves_are_told_apart_and_drawn() -> None:
    found = growth.curves(quick=False)
    assert len({curve.key for curve in found}) == len(found)
    assert {curve.group for curve in found} == set(growth_figures.MARKS)
    assert all(curve.sizes == doubled(curve.sizes[0], len(curve.sizes)) for curve in found)
    assert all(len(upper_half(curve.sizes)) >= 3 for curve in found)


def test_every_work_runs_at_its_smallest_size() -> None:
    for curve in growth.curves(quick=True):
        if not any(word in curve.name for word in JAVA_OR_MODEL):
            curve.prepare(curve.sizes[0], "cpu")()


def test_the_part_as_the_suite_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    curve = growing("resamples", "made", "draws", (1, 2, 4), touching, LINEAR)
    monkeypatch.setattr(growth, "curves", lambda quick: [curve])
    monkeypatch.setattr(growth, "timed", lambda curve, *_: law(2, sizes=curve.sizes))
    monkeypatch.setattr(growth, "peaks", lambda curves, *_: {c.key: law(0, 1.0, c.sizes) for c in curves})
    found = growth.run("cpu", quick=True)
    files = found.pop("files")
    json.dumps(found, allow_nan=False)
    time_row, memory_row = (table["rows"][0] for table in found["tables"])
    assert time_row[4:7] == ["2.00 [2.00, 2.00]", "1", "no"]
    assert memory_row[4:7] == ["–", "at most 1", "too small to tell"]
    assert found["notes"][:2] == [
        "Faster than theory in time: made: draws.",
        "Faster than theory in memory: nothing.",
    ]
    told = json.loads(files["growth_figures.json"])
    assert [entry["name"] for entry in told] == ["growth_time", "growth_memory"]
    for entry in told:
        assert "made: draws" in entry["alt"]
        assert entry["caption"]
        light, dark = (files[entry["files"][page]] for page in ("light", "dark"))
        assert INK.encode() in light
        assert INK.encode() not in dark


def test_quick_keeps_the_smallest_sizes() -> None:
    for curve, short in zip(growth.curves(False), growth.curves(True), strict=True):
        assert isinstance(short, Curve)
        assert short.sizes == curve.sizes[: growth.QUICK_SIZES]
