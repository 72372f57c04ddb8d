"""The figures of growth, small multiples in log-log: a panel a curve, its repeats, its fit and its theory."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from benchmarks.growth_curve import RESOLUTION, Curve, Samples
from benchmarks.growth_fit import Fit, Theory
from capdec_core.chart_style import INK, MUTED, PAPER, Mark, style

MARKS: Mapping[str, Mark] = {
    "captions": Mark("#0072b2", "o"),
    "dimension": Mark("#b87400", "s"),
    "candidates": Mark("#a2471d", "X"),
    "prefix length": Mark("#078055", "^"),
    "layers": Mark("#9d3f7a", "D"),
    "images": Mark("#549bc3", "v"),
    "tokens": Mark("#7a58f0", "P"),
    "beams": Mark("#949494", "h"),
    "cells": Mark("#f01860", "d"),
    "resamples": Mark("#5490f0", "<"),
}
"""How a curve is drawn by what grows; hues as in `chart_style.FAMILIES`."""

COLUMNS, WIDTH, ROW_HEIGHT = 4, 9.6, 1.95  # inches
TICKS = 4
FLAG = "▲"
UNTOLD = "too small to tell"


@dataclass(frozen=True)
class Panel:
    """A curve with what it costs, in seconds or MiB; `fit` is None where the cost is too small for one."""

    curve: Curve
    costs: Samples
    fit: Fit | None
    theory: Theory

    @property
    def too_fast(self) -> bool:
        """Whether the cost grows faster than theory allows."""
        return self.fit is not None and self.fit.exceeds(self.theory)

    @property
    def told(self) -> str:
        """The exponent with its interval beside the theory's: "1.02 [0.98, 1.05], theory 1"."""
        return f"{self.fit or UNTOLD}, theory {self.theory}"

    def median(self, size: int) -> float:
        """Return the middle of the repeats at one size."""
        return float(np.median(self.costs[size]))


def growth_figure(panels: Sequence[Panel], cost: str) -> Figure:
    """Draw the panels; `cost` is what the vertical axes show, with its unit.

    Points are medians, bars reach from the least repeat to the greatest, the solid line is the fit over the sizes
    it used, and the dashed line rises from its lower end as fast as theory allows (the dotted one, where there is
    one, as slowly as theory expects of large sizes).
    """
    rows = math.ceil(len(panels) / COLUMNS)
    with style():
        figure = Figure(figsize=(WIDTH, ROW_HEIGHT * rows))
        grid = figure.subplots(rows, COLUMNS, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw(axes, panel)
        figure.supylabel(f"{cost}, log scale", fontsize=9, color=INK)
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    sizes, mark = list(panel.costs), MARKS[panel.curve.group]
    middle = np.array([panel.median(size) for size in sizes])
    low, high = (np.array([end(panel.costs[size]) for size in sizes]) for end in (min, max))
    axes.set(xscale="log", yscale="log")
    if panel.fit is not None:
        _lines(axes, panel.fit, panel.theory)
    axes.errorbar(
        sizes, middle, yerr=[middle - low, high - middle], color=mark.colour, marker=mark.marker,
        markersize=4.5, linestyle="none", elinewidth=1.1, capsize=2, markeredgecolor=PAPER, markeredgewidth=0.6,
    )  # fmt: skip
    _ticks(axes, sizes, float(low.min()), float(high.max()))
    axes.set_xlabel(panel.curve.size, fontsize=8, labelpad=1)
    flag, weight = (f"{FLAG} ", "bold") if panel.too_fast else ("", "normal")
    axes.set_title(f"{flag}{panel.curve.name}\n{panel.told}", fontsize=7, fontweight=weight, color=INK)


def _lines(axes: Axes, fit: Fit, theory: Theory) -> None:
    ends = np.array([fit.sizes[0], fit.sizes[-1]], dtype=float)
    start = fit.scale * ends[0] ** fit.exponent
    axes.plot(ends, fit.scale * ends**fit.exponent, color=INK, linewidth=1.2)
    axes.plot(ends, start * (ends / ends[0]) ** theory.most, color=MUTED, linewidth=1.2, linestyle="--")
    if 0 < theory.least < theory.most:
        axes.plot(ends, start * (ends / ends[0]) ** theory.least, color=MUTED, linewidth=1.2, linestyle=":")


def _ticks(axes: Axes, sizes: Sequence[int], low: float, high: float) -> None:
    """Label some of the sizes and powers of ten, and leave room for a decade, so that flat looks flat."""
    step = math.ceil(len(sizes) / TICKS)
    axes.xaxis.set_major_locator(FixedLocator(sizes[::-step][::-1]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    room = max(10 / (high / low), 1.6) ** 0.5
    axes.set_ylim(low / room, high * room)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=7, pad=2)


def caption(cost: str, device: str) -> str:
    """Return the caption of a figure whose vertical axes show `cost`."""
    return (
        f"{cost} of this project's own code on {device} as one size grows, both axes logarithmic. Points are medians "
        "of repeats, bars reach from the least to the greatest; the solid line is the power law fitted over the upper "
        "half of the sizes, whose exponent stands in the title with its 95% interval over repeats. The dashed line "
        "rises as fast as theory allows, the dotted one as slowly as it expects of large sizes. "
        + (f"What takes less than {RESOLUTION:g} MiB is drawn there. " if "MiB" in cost else "")
        + f"A panel whose cost rises faster than theory has a bold title with {FLAG}."
    )


def alternative(panels: Sequence[Panel], cost: str) -> str:
    """Return the alternative text: what every panel shows, in a sentence each."""
    told = "; ".join(
        f"{panel.curve.key}, from {_plain(panel, 0)} to {_plain(panel, -1)}, exponent {panel.told}"
        + (", above theory" if panel.too_fast else "")
        for panel in panels
    )
    return f"{len(panels)} panels of {cost.lower()} against size. {told}."


def _plain(panel: Panel, place: int) -> str:
    size = list(panel.costs)[place]
    return f"{panel.median(size):.2g} at {size:,}"
