"""Charts of chapter 10: predicted against measured cost, and hours against the number of GPUs."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from capdec_core.chart_parts import doublings
from capdec_core.chart_style import INK, MUTED, PAPER, Mark, style
from capdec_core.studies.prefix_length_grid import MAPPERS as NAMES

MAPPERS: Mapping[str, Mark] = {
    "mlp": Mark("#0072b2", "o"),
    "linear": Mark("#078055", "^"),
    "transformer": Mark("#9d3f7a", "D"),
}
"""How each mapper is drawn, as in chapter 5."""
WHOLE, CELLS = Mark("#0072b2", "o"), Mark("#a2471d", "s", (0, (4, 2)))


def cost_figure(shapes: pd.DataFrame) -> Figure:
    """Draw measured against predicted seconds, a point a shape of captioner with the range of its cells.

    Args:
        shapes: columns mapper, predicted, measured, measured_low, measured_high, in seconds.
    """
    with style():
        figure = Figure(figsize=(6.2, 5.0))
        axes = figure.add_subplot()
        axes.set(xscale="log", yscale="log")
        ends = [0.7 * shapes[["predicted", "measured_low"]].min().min()]
        ends.append(1.4 * shapes[["predicted", "measured_high"]].max().max())
        axes.plot(ends, ends, color=INK, linewidth=1, linestyle=(0, (1, 2)), label="as predicted")
        for name, mark in MAPPERS.items():
            rows = shapes[shapes.mapper == name]
            if len(rows):
                spread = [rows.measured - rows.measured_low, rows.measured_high - rows.measured]
                axes.errorbar(
                    rows.predicted, rows.measured, yerr=spread, color=mark.colour, marker=mark.marker,
                    linestyle="none", markeredgecolor=PAPER, markeredgewidth=0.7, elinewidth=1.2, label=NAMES[name],
                )  # fmt: skip
        for axis in (axes.xaxis, axes.yaxis):
            _decades(axis)
        axes.set(xlabel="Predicted seconds of a cell", ylabel="Measured seconds of a cell")
        figure.legend(loc="outside upper left", ncols=4, fontsize=9, handletextpad=0.5)
    return figure


def hours_figure(walls: pd.DataFrame, longest: float, marked: Sequence[int]) -> Figure:
    """Draw the hours of the whole grid against the number of GPUs.

    Args:
        walls: columns gpus, cells, low, whole, high, in hours.
        longest: hours of the costliest cell, below which no number of GPUs brings the cells.
        marked: numbers of GPUs that are marked.
    """
    with style():
        figure = Figure(figsize=(7.7, 4.6))
        axes = figure.add_subplot()
        doublings(axes, walls.gpus)
        axes.set_yscale("log")
        axes.fill_between(walls.gpus, walls.low, walls.high, color=WHOLE.colour, alpha=0.15, linewidth=0)
        _line(axes, walls.gpus, walls.whole, WHOLE, "all of it")
        _line(axes, walls.gpus, walls.cells, CELLS, "training and decoding alone")
        axes.axhline(longest, color=MUTED, linewidth=1, linestyle=(0, (1, 2)), label="the costliest cell")
        for count in marked:
            axes.axvline(count, color=INK, linewidth=0.8, alpha=0.4)
        _decades(axes.yaxis)
        axes.set(xlabel="GPUs", ylabel="Hours")
        figure.legend(loc="outside upper left", ncols=3, fontsize=9, handletextpad=0.5)
    return figure


def _line(axes: Axes, x: pd.Series, y: pd.Series, mark: Mark, label: str) -> None:
    axes.plot(
        x, y, color=mark.colour, marker=mark.marker, linestyle=mark.line, markeredgecolor=PAPER,
        markeredgewidth=0.7, label=label,
    )  # fmt: skip


def _decades(axis: Axis) -> None:
    """Label a log axis 1, 2, 5, 10 and so on."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def cost_alt(shapes: pd.DataFrame) -> str:
    """Describe `cost_figure`: how far the shapes' medians lie from what was predicted, by mapper."""
    parts = []
    for name in MAPPERS:
        rows = shapes[shapes.mapper == name]
        if len(rows):
            ratio = rows.measured / rows.predicted
            parts.append(
                f"{name}: {len(rows)} shapes, predicted {rows.predicted.min():.3g} to {rows.predicted.max():.3g} "
                f"seconds, measured {ratio.min():.2f} to {ratio.max():.2f} times that"
            )
    return f"Measured against predicted seconds of a cell on log axes. {'; '.join(parts)}."


def hours_alt(walls: pd.DataFrame, longest: float) -> str:
    """Describe `hours_figure`: the hours of all of it by the number of GPUs."""
    told = ", ".join(f"{row.gpus} GPUs: {row.whole:.3g}" for row in walls.itertuples())
    return f"Hours of the whole grid on log axes. {told}. The costliest cell alone takes {longest:.2g}."
