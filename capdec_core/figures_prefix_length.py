"""The charts of chapter 5, and their alternative texts, written from what they draw.

Tables are `PrefixLength.table`: one row a condition, with mapper, tuned, k, trainable and loss. Scores are the
metric's own values and come with their 95% interval; charts show points.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from capdec_core.chart_parts import Triple, curve, doublings, estimate, spoken
from capdec_core.chart_style import INK, MUTED, PAPER, POINTS, Mark, style
from capdec_core.studies.claims import Evidence
from capdec_core.studies.prefix_length_evidence import MARGIN, Findings
from capdec_core.studies.prefix_length_grid import FAMILIES, MAPPERS, TUNED, family_of, title_of, tuning_of

MARKS: Mapping[str, Mark] = {
    "mlp": Mark("#0072b2", "o"),
    "fixed mlp": Mark("#b87400", "s", (0, (4, 2))),
    "linear": Mark("#078055", "^", (0, (1, 1.5))),
    "transformer": Mark("#9d3f7a", "D", (0, (6, 2, 1, 2))),
}
"""How each mapper is drawn; hues as in `chart_style.FAMILIES`."""

DODGE = 0.025
"""Points of one length are drawn this share of it apart, so that their intervals do not hide each other."""


def quality_figure(table: pd.DataFrame) -> Figure:
    """Draw CIDEr against k: one curve a mapper, the frozen language model at the left, the tuned at the right."""
    with style():
        figure, panels = _panels(4.2)
        for axes, tuned in zip(panels, TUNED, strict=True):
            for place, (mapper, mark) in enumerate(MARKS.items()):
                rows = _line(table, mapper, tuned)
                x = rows.k * (1 + DODGE * (2 * place - len(MARKS) + 1))
                _points(axes, x, rows, mark, MAPPERS[mapper])
            _lengths(axes, table)
        panels[0].set_ylabel("CIDEr of captions of test images (points)")
        _legend(figure, panels[0])
    return figure


def quality_alt(table: pd.DataFrame) -> str:
    """Describe `quality_figure`: every curve's values by k."""
    parts = []
    for family in FAMILIES:
        rows = table[table.family == family].sort_values("k")
        values = ", ".join(f"{row.k}: {POINTS * row.CIDEr:.1f}" for row in rows.itertuples())
        parts.append(f"{title_of(family)}: {values}")
    return f"CIDEr in points by prefix length k. {'; '.join(parts)}."


def size_figure(table: pd.DataFrame, front: pd.DataFrame) -> Figure:
    """Draw CIDEr against trainable parameters (log axis), a curve a mapper and tuning, and the Pareto front.

    Args:
        table: as for `quality_figure`; hollow markers and thin lines are the frozen language model's.
        front: the rows that no condition of as few parameters beats, in the order of parameters.
    """
    with style():
        figure = Figure(figsize=(7.7, 4.8))
        axes = figure.add_subplot()
        axes.set_xscale("log")
        _staircase(axes, front, float(table.trainable.max()))
        for tuned in TUNED:
            for mapper, mark in MARKS.items():
                rows = _line(table, mapper, tuned)
                name = f"{MAPPERS[mapper]}, {tuning_of(tuned)}"
                _points(axes, rows.trainable, rows, mark, name, hollow=not tuned)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="Trainable parameters", ylabel="CIDEr of captions of test images (points)")
        figure.legend(loc="outside upper left", ncols=3, fontsize=9, handletextpad=0.5, columnspacing=1.4)
    return figure


def size_alt(table: pd.DataFrame, front: pd.DataFrame) -> str:
    """Describe `size_figure`: the range of sizes, and the front."""
    steps = "; ".join(
        f"{row.label} with {_thousands(row.trainable)}: {POINTS * row.CIDEr:.1f}"
        for row in front.itertuples()
    )
    return (
        f"CIDEr in points against trainable parameters, {_thousands(table.trainable.min())} to "
        f"{_thousands(table.trainable.max())}. The Pareto front: {steps}."
    )


def tests_figure(found: Findings) -> Figure:
    """Draw each combination's trend and its step from k = 10 to k = 20, with 95% intervals.

    Filled markers: interval and corrected p agree that the value is not 0. The band is the margin within which the
    step is called none.
    """
    columns: dict[str, Mapping[str, Evidence]] = {
        "CIDEr per doubling of k": found.trends,
        "BLEU-4, k = 20 − k = 10": found.step,
        "CIDEr, k = 20 − k = 10": found.step_cider,
    }
    heights = np.arange(len(FAMILIES))[::-1]
    with style():
        figure = Figure(figsize=(7.7, 3.9))
        panels = figure.subplots(1, len(columns), sharey=True)
        for axes, (title, tests) in zip(panels, columns.items(), strict=True):
            axes.axvline(0, color=MUTED, linewidth=1)
            for height, family in zip(heights, FAMILIES, strict=True):
                _estimate(axes, float(height), tests[family], MARKS[family.split(", ")[0]])
            axes.set_title(title, fontsize=9)
            axes.set_xlabel("points", fontsize=9)
        panels[1].axvspan(-POINTS * MARGIN, POINTS * MARGIN, color=MUTED, alpha=0.12, linewidth=0)
        panels[0].set_yticks(heights, [_short(family) for family in FAMILIES], fontsize=9)
        panels[0].tick_params(axis="y", length=0)
    return figure


def tests_alt(found: Findings) -> str:
    """Describe `tests_figure`: every estimate with its interval."""
    parts = []
    for family in FAMILIES:
        told = [
            f"per doubling {spoken(_triple(found.trends[family]), signed=True)}",
            f"step in BLEU-4 {spoken(_triple(found.step[family]), signed=True)}",
            f"step in CIDEr {spoken(_triple(found.step_cider[family]), signed=True)}",
        ]
        parts.append(f"{title_of(family)}: {', '.join(told)}")
    return f"Estimates in points with 95% intervals. {'; '.join(parts)}."


def loss_figure(table: pd.DataFrame) -> Figure:
    """Draw the training loss of the last steps against k: the frozen language model at the left, the tuned right."""
    with style():
        figure, panels = _panels(3.6)
        for axes, tuned in zip(panels, TUNED, strict=True):
            for mapper, mark in MARKS.items():
                rows = _line(table, mapper, tuned)
                axes.plot(
                    rows.k, rows.loss, color=mark.colour, marker=mark.marker, linestyle=mark.line,
                    markeredgecolor=PAPER, markeredgewidth=0.7, label=MAPPERS[mapper],
                )  # fmt: skip
            _lengths(axes, table)
        panels[0].set_ylabel("Training loss (nats a token)")
        _legend(figure, panels[0])
    return figure


def loss_alt(table: pd.DataFrame) -> str:
    """Describe `loss_figure`: every curve's first and last value."""
    parts = []
    for family in FAMILIES:
        rows = table[table.family == family].sort_values("k")
        first, last = rows.iloc[0], rows.iloc[-1]
        parts.append(f"{title_of(family)}: {first.loss:.2f} at {first.k}, {last.loss:.2f} at {last.k}")
    return f"Training loss in nats a token by prefix length k. {'; '.join(parts)}."


def _panels(height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(7.7, height))
    panels = list(figure.subplots(1, len(TUNED)))
    for axes, tuned in zip(panels, TUNED, strict=True):
        axes.set_title(f"Language model {tuning_of(tuned)}", fontsize=10)
    return figure, panels


def _line(table: pd.DataFrame, mapper: str, tuned: bool) -> pd.DataFrame:
    return table[table.family == family_of(mapper, tuned)].sort_values("k")


def _points(
    axes: Axes, x: pd.Series, rows: pd.DataFrame, mark: Mark, label: str, hollow: bool = False
) -> None:
    """Draw a curve with its intervals."""
    curve(
        axes, x, rows, "CIDEr", mark,
        linewidth=1 if hollow else 1.6, elinewidth=1.1, markeredgewidth=1 if hollow else 0.7,
        markerfacecolor=PAPER if hollow else mark.colour,
        markeredgecolor=mark.colour if hollow else PAPER, label=label,
    )  # fmt: skip


def _lengths(axes: Axes, table: pd.DataFrame) -> None:
    """Space k by doublings and label its own values."""
    doublings(axes, table.k)
    axes.set_xlabel("Prefix length k")


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), fontsize=9)


def _staircase(axes: Axes, front: pd.DataFrame, largest: float) -> None:
    """Draw the best score that a number of parameters buys."""
    x = [*front.trainable, largest]
    y = [*(POINTS * front.CIDEr), POINTS * front.CIDEr.iloc[-1]]
    axes.step(
        x, y, where="post", color=INK, linewidth=5, alpha=0.12, label="Pareto front", solid_capstyle="butt"
    )


def _estimate(axes: Axes, height: float, test: Evidence, mark: Mark) -> None:
    face = mark.colour if test.sign else PAPER
    estimate(axes, _triple(test), height, mark, markersize=7, markerfacecolor=face)


def _triple(test: Evidence) -> Triple:
    return test.estimate.value, test.estimate.low, test.estimate.high


def _short(family: str) -> str:
    mapper, tuning = family.split(", ")
    return f"{MAPPERS[mapper]}, {tuning}"


def _thousands(value: float, _: object = None) -> str:
    return f"{value / 1e6:.3g} M" if value >= 1e6 else f"{value / 1e3:.3g} k"
