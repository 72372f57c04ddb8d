"""The charts of chapter 3, and their alternative texts, written from what they draw.

Tables are those of `HeadsLayers.arm_table`: one row a condition of an arm, in order. Scores are the metric's own
values; charts show points.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from capdec_core.chart_parts import curve, doublings, spoken
from capdec_core.chart_style import INK, MUTED, PAPER, POINTS, Mark, style
from capdec_core.figures import spread
from capdec_core.statistics import Estimate
from capdec_core.studies.claims import EquivalenceTest

AS_RUN, AT_SIZE = "layers as they come", "layers of the baseline's parameters"
MARKS = {AS_RUN: Mark("#0072b2", "o"), AT_SIZE: Mark("#b87400", "s", (0, (4, 2)))}
"""The two arms of layers."""
SHADES = ("#549bc3", "#7f6fb0", "#b87400")
"""Colours of curves from the fewest layers to the most; all show on white and on black."""
HEADS = Mark("#0072b2", "o", "none")
DODGE = 0.03
"""Points of one place are drawn this share of their value apart, so that their intervals do not hide each other."""


def heads_figure(
    table: pd.DataFrame, tests: Sequence[EquivalenceTest], baseline: int, margin: float
) -> Figure:
    """Draw CIDEr against the number of heads, and each one's difference from the baseline beside the margin.

    Args:
        table: the arm of heads.
        tests: the equivalence tests, in the order of the other numbers of heads; their 90% intervals are drawn.
        baseline: the baseline's number of heads.
        margin: of the tests, in CIDEr.
    """
    with style():
        figure, (scores, differences) = _panels("Captions", "Difference from the baseline")
        _points(scores, table.value, table, HEADS)
        _band(scores, float(table.CIDEr[table.value == baseline].iloc[0]), margin)
        others = table.value[table.value != baseline]
        _points(differences, others, _differences(tests), HEADS)
        _band(differences, 0, margin)
        differences.plot(baseline, 0, marker="D", color=INK, linestyle="none", markersize=5)
        for axes, ylabel in ((scores, "CIDEr (points)"), (differences, "Difference in CIDEr (points)")):
            _doublings(axes, table.value)
            axes.set(xlabel="Heads", ylabel=ylabel)
    return figure


def heads_alt(table: pd.DataFrame, tests: Sequence[EquivalenceTest], margin: float) -> str:
    """Describe `heads_figure`."""
    scores = "; ".join(f"{row.value} heads {_interval_text(row)}" for row in table.itertuples())
    labels = [test.a.label for test in tests]
    rows = zip(labels, _differences(tests).itertuples(), strict=True)
    lines = [f"{label} {_interval_text(row)}" for label, row in rows]
    return (
        f"CIDEr in points by number of heads, with 95% intervals: {scores}. Differences from the baseline with 90% "
        f"intervals, beside a band of plus and minus {POINTS * margin:g} points: {'; '.join(lines)}."
    )


def layers_figure(arms: dict[str, pd.DataFrame], control: Estimate) -> Figure:
    """Draw CIDEr against the number of layers and against the mapper's parameters, both arms in both.

    Args:
        arms: the tables of the arms by their names in `MARKS`. The baseline is in both.
        control: CIDEr of the control, drawn as a band.
    """
    with style():
        figure, (by_layers, by_size) = _panels("By layers", "By parameters", share=True)
        for name, table in arms.items():
            _points(by_layers, _dodged(table.value, name), table, MARKS[name], name)
        _by_size(by_size, arms)
        for axes in (by_layers, by_size):
            _floor(axes, control)
        _doublings(by_layers, arms[AS_RUN].value)
        by_layers.set(xlabel="Layers", ylabel="CIDEr (points)")
        by_size.set(xlabel="Parameters of the mapper (thousands)")
        figure.legend(loc="outside upper left", ncols=2, fontsize=9)
    return figure


def layers_alt(arms: dict[str, pd.DataFrame], control: Estimate) -> str:
    """Describe `layers_figure`."""
    parts = [
        f"{name.capitalize()}: "
        + "; ".join(
            f"{row.value} layers, {row.parameters / 1e3:.0f} thousand parameters, {_interval_text(row)}"
            for row in table.itertuples()
        )
        for name, table in arms.items()
    ]
    floor = f"The control, a band: {POINTS * control.value:.1f}"
    return f"CIDEr in points with 95% intervals. {'. '.join(parts)}. {floor}."


def training_figure(curves: pd.DataFrame, arms: dict[str, pd.DataFrame]) -> Figure:
    """Draw the training loss over the steps, one curve a number of layers, and at the end, one marker a seed.

    Args:
        curves: `HeadsLayers.curves` of the layers as they come.
        arms: as for `layers_figure`.
    """
    with style():
        figure, (course, end) = _panels("In training, by layers as they come", "At the end")
        _courses(course, curves)
        for name, table in arms.items():
            _dots(end, _dodged(table.value, name), table.losses, MARKS[name], name)
        _doublings(end, arms[AS_RUN].value)
        course.set(xlabel="Step", ylabel="Training loss (nats a token)")
        end.set(xlabel="Layers", ylabel="Training loss (nats a token)")
        end.legend(fontsize=8, loc="upper left")
        _headroom(end)
    return figure


def training_alt(arms: dict[str, pd.DataFrame]) -> str:
    """Describe `training_figure`."""
    parts = [
        f"{name.capitalize()}: "
        + "; ".join(
            f"{row.value} layers {np.mean(row.losses):.3f} ({min(row.losses):.3f} to {max(row.losses):.3f})"
            for row in table.itertuples()
        )
        for name, table in arms.items()
    ]
    return (
        "Left: training loss over the steps, one curve a number of layers. Right: training loss at the end in nats a "
        f"token, mean over seeds and range. {'. '.join(parts)}."
    )


def _panels(left: str, right: str, share: bool = False) -> tuple[Figure, tuple[Axes, Axes]]:
    """Return a figure of two axes side by side (sizes in inches)."""
    figure = Figure(figsize=(7.7, 3.7))
    first, second = figure.subplots(1, 2, sharey=share)
    first.set_title(left, fontsize=10)
    second.set_title(right, fontsize=10)
    return figure, (first, second)


def _points(axes: Axes, x: pd.Series, table: pd.DataFrame, mark: Mark, label: str | None = None) -> None:
    """Draw the CIDEr of each row with its interval, joined by the mark's line."""
    curve(
        axes, x, table, "CIDEr", mark, elinewidth=1.2, markersize=7, markeredgecolor=PAPER,
        markeredgewidth=0.7, label=label,
    )  # fmt: skip


def _by_size(axes: Axes, arms: dict[str, pd.DataFrame]) -> None:
    """Draw both arms over parameters, each point named by its layers; matched ones stand beside each other."""
    as_run, at_size = arms[AS_RUN], arms[AT_SIZE]
    place = np.arange(len(at_size)) - (len(at_size) - 1) / 2
    axes.set_xscale("log")
    _points(
        axes, at_size.parameters / 1e3 * (1 + DODGE * place), at_size, replace(MARKS[AT_SIZE], line="none")
    )
    _points(axes, as_run.parameters / 1e3, as_run, MARKS[AS_RUN])
    for row in as_run.itertuples():
        axes.annotate(
            str(row.value), (row.parameters / 1e3, POINTS * row.CIDEr_high), (0, 4),
            textcoords="offset points", ha="center", fontsize=8, color=MUTED,
        )  # fmt: skip
    axes.xaxis.set_major_locator(FixedLocator((as_run.parameters / 1e3).tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))


def _floor(axes: Axes, control: Estimate) -> None:
    """Draw what the control scores, who has learnt nothing of the embeddings."""
    axes.axhspan(POINTS * control.low, POINTS * control.high, color=MUTED, alpha=0.14, linewidth=0)
    axes.axhline(POINTS * control.value, color=MUTED, linewidth=1)
    axes.annotate(
        "shuffled embeddings", (0.02, POINTS * control.low), xycoords=axes.get_yaxis_transform(),
        xytext=(0, -3), textcoords="offset points", va="top", fontsize=8, color=MUTED,
    )  # fmt: skip
    bottom, top = axes.get_ylim()
    axes.set_ylim(min(bottom, POINTS * control.low - 0.1 * (top - bottom)), top + 0.05 * (top - bottom))


def _differences(tests: Sequence[EquivalenceTest]) -> pd.DataFrame:
    rows = [(t.estimate.value, t.estimate.low, t.estimate.high) for t in tests]
    return pd.DataFrame(rows, columns=["CIDEr", "CIDEr_low", "CIDEr_high"])


def _dodged(values: pd.Series, arm: str) -> pd.Series:
    """Return places on the axis of layers, one arm a little to the left, the other to the right."""
    return values * (1 - DODGE if arm == AS_RUN else 1 + DODGE)


def _dots(axes: Axes, x: pd.Series, runs: pd.Series, mark: Mark, label: str | None = None) -> None:
    """Draw a line of means and a marker a run."""
    axes.plot(x, [np.mean(run) for run in runs], color=mark.colour, linestyle=mark.line, label=label)
    for place, run in zip(x, runs, strict=True):
        axes.plot(
            [place] * len(run), run, color=mark.colour, marker=mark.marker, linestyle="none",
            markersize=5, markeredgecolor=PAPER, markeredgewidth=0.5,
        )  # fmt: skip


def _courses(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw one curve a number of layers, with the number at its end."""
    values = sorted(set(curves.value))
    shades = [_shade(rank, len(values)) for rank in range(len(values))]
    for value, shade in zip(values, shades, strict=True):
        rows = curves[curves.value == value]
        axes.plot(rows.step, rows.loss, color=shade)
    bottom, top = axes.get_ylim()
    ends = [float(curves.loss[curves.value == value].iloc[-1]) for value in values]
    heights = spread(ends, gap=0.05 * (top - bottom))
    beside: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 8}
    for value, shade, height in zip(values, shades, heights, strict=True):
        axes.text(1.01, height, str(value), color=shade, **beside)


def _shade(rank: int, count: int) -> Any:
    """Return a colour of one hue, from light for the fewest layers to dark for the most."""
    return LinearSegmentedColormap.from_list("layers", SHADES)(rank / max(1, count - 1))


def _headroom(axes: Axes) -> None:
    """Leave room for a legend above the data."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top + 0.25 * (top - bottom))


def _band(axes: Axes, middle: float, margin: float) -> None:
    """Draw the margin around a value, with room around it and its size in words."""
    low, high = POINTS * (middle - margin), POINTS * (middle + margin)
    axes.axhspan(low, high, color=MUTED, alpha=0.14, linewidth=0)
    axes.axhline(POINTS * middle, color=MUTED, linewidth=1)
    bottom, top = axes.get_ylim()
    room = 0.3 * (high - low)
    axes.set_ylim(min(bottom, low - room), max(top, high + room))
    axes.annotate(
        f"±{POINTS * margin:g} points", (0.5, low), xycoords=axes.get_yaxis_transform(), xytext=(0, 3),
        textcoords="offset points", ha="center", fontsize=8, color=MUTED,
    )  # fmt: skip


def _doublings(axes: Axes, values: pd.Series) -> None:
    """Space the axis by doublings and label the values themselves."""
    doublings(axes, values)
    axes.set_xlim(values.min() / 1.25, values.max() * 1.25)


def _interval_text(row: Any) -> str:
    return spoken((row.CIDEr, row.CIDEr_low, row.CIDEr_high))
