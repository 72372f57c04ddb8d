"""The charts of chapter 7. Scores are the metric's own values with their 95% interval; charts show points.

Colour and marker say what a way looks at: no image, images at inference, images in training.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from capdec_core.chart_parts import curve, doublings, estimate
from capdec_core.chart_style import CONTROLS, INK, MUTED, PAPER, POINTS, Mark, style
from capdec_core.figures import spread
from capdec_core.studies.bridges_grid import GAUSSIAN, NONE, WAYS
from capdec_core.studies.bridges_law import LawTest
from capdec_core.tables import p_text

SIGHTS: Mapping[str, Mark] = {
    "never": Mark("#0072b2", "o"),
    "at inference": Mark("#b87400", "s"),
    "in training": Mark("#9d3f7a", "D"),
}
"""What a way looks at; hues as in `chart_style.FAMILIES`."""
SEEN = {
    "never": "never sees an image",
    "at inference": "images at inference",
    "in training": "images in training",
}
QUALITY = "CIDEr of captions of test images (points)"
COSTS = {
    "training": ("Training, seconds", 1.0),
    "speed": ("Captions a second", 1.0),
    "memory": ("Memory of the bridge, MiB", 2.0**-20),
}
"""Columns of the ranking that quality is set against: the axis and its scale."""


def ways_figure(ranking: pd.DataFrame) -> Figure:
    """Draw every way at its chosen setting, the best at the top, coloured by what it looks at.

    Args:
        ranking: `Bridges.ranking`.
    """
    heights = np.arange(len(ranking))[::-1].tolist()
    with style():
        figure = Figure(figsize=(7.7, 1.2 + 0.29 * len(ranking)))
        axes = figure.add_subplot()
        _band(axes, ranking[ranking.family == "gaussian"].iloc[0])
        for height, row in zip(heights, ranking.to_dict("records"), strict=True):
            estimate(
                axes, _triple(row), height, SIGHTS[row["sight"]], markeredgecolor=PAPER, markeredgewidth=0.7
            )
        _rows(axes, [f"{row.title}  {row.number}" for row in ranking.itertuples()])
        axes.set_xlabel(QUALITY)
        _legend(figure, ranking.sight)
    return figure


def shapes_figure(shapes: pd.DataFrame) -> Figure:
    """Draw noise of every shape at one cosine; the band is the Gaussian, the table's first row."""
    heights = np.arange(len(shapes))[::-1].tolist()
    with style():
        figure = Figure(figsize=(7.7, 1.3 + 0.34 * len(shapes)))
        axes = figure.add_subplot()
        _band(axes, shapes.iloc[0])
        for height, row in zip(heights, shapes.to_dict("records"), strict=True):
            estimate(axes, _triple(row), height, SIGHTS[row["sight"]], markersize=7)
            beside: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 9}
            axes.text(1.02, height, f"{row['cosine']:.3f}", **beside)
        _rows(axes, shapes.label.tolist())
        axes.text(1.02, 1.02, "Cosine", transform=axes.transAxes, fontsize=9, color=MUTED)
        axes.set_xlabel(QUALITY)
        _legend(figure, shapes.sight)
    return figure


def memory_figure(memories: pd.DataFrame, levels: pd.DataFrame) -> Figure:
    """Draw CIDEr against the captions that a projection remembers, without noise in training and with it.

    Args:
        memories: `Bridges.memories`.
        levels: rows of the ranking that are drawn as horizontal bands, each named at the right.
    """
    marks = {
        False: (Mark("#0072b2", "o"), "no noise"),
        True: (Mark("#b87400", "s", (0, (4, 2))), "with noise"),
    }
    with style():
        figure = Figure(figsize=(7.7, 4.4))
        axes = figure.add_subplot()
        axes.set_xscale("log")
        for noisy, rows in memories.groupby("noisy"):
            mark, name = marks[bool(noisy)]
            curve(axes, rows.captions, rows, "CIDEr", mark, label=f"Projection, {name}")
        for row in levels.to_dict("records"):
            _level(axes, row)
        _name_levels(axes, levels)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="Captions remembered", ylabel=QUALITY)
        figure.legend(loc="outside upper left", ncols=2, fontsize=9)
    return figure


def pareto_figure(ranking: pd.DataFrame, fronts: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw CIDEr against each cost; numbers are the places in the ranking, lines the Pareto fronts.

    Args:
        ranking: `Bridges.ranking`.
        fronts: `Bridges.front` by column of `COSTS`.
    """
    with style():
        figure = Figure(figsize=(7.7, 4.6))
        panels = figure.subplots(1, len(COSTS), sharey=True)
        for axes, (column, (title, scale)) in zip(panels, COSTS.items(), strict=True):
            _front(axes, fronts[column], column, scale)
            for row in ranking.to_dict("records"):
                _numbered(axes, row, scale * row[column])
            axes.set_xlabel(title, fontsize=9)
            _cost_axis(axes, column)
        panels[0].set_ylabel(QUALITY)
        _legend(figure, ranking.sight)
    return figure


def law_figure(tests: Sequence[LawTest]) -> Figure:
    """Draw each encoder's noise curve over the variance as a multiple of the law's: the law says 1.

    Curves without a solution of the law are left out; where none has one, all are drawn over the variance itself.
    Bars at the foot are the intervals of the best variance.
    """
    colours = [mark.colour for mark in SIGHTS.values()]
    with style():
        figure = Figure(figsize=(7.7, 4.2))
        axes = figure.add_subplot()
        solved = [test for test in tests if np.isfinite(test.curve.predicted)]
        if solved:
            axes.set_xscale("log", base=2)
            axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (1, 2)))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        else:
            doublings(axes, [variance for test in tests for variance in test.curve.variances])
        for place, test in enumerate(solved or tests):
            _law_curve(axes, test, Mark(colours[place % len(colours)], "osD^v"[place % 5]), place)
        axes.set(xlabel=f"Variance of the Gaussian noise{', as a multiple of v*' if solved else ''}")
        axes.set_ylabel("CIDEr of captions of validation images,\nas a share of the best")
        figure.legend(loc="outside upper left", ncols=2, fontsize=9)
    return figure


def lengths_figure(lengths: pd.DataFrame, laws: Mapping[int, LawTest]) -> Figure:
    """Draw test CIDEr by steps of training, a curve a variance, and beside it the best variance on validation images.

    Args:
        lengths: `Bridges.lengths`.
        laws: `Bridges.length_laws`; the dotted line is the law's variance, where it has one.
    """
    with style():
        figure = Figure(figsize=(7.7, 4.6))
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _scores_by_length(left, lengths)
        _best_by_length(right, laws)
        for axes in (left, right):
            doublings(axes, lengths.steps)
            axes.set_xlabel("Steps of training")
        left.set_ylabel(QUALITY)
        right.set_ylabel("Best variance on validation images")
        figure.legend(loc="outside upper left", ncols=4, fontsize=9)
    return figure


def beside_figure(table: pd.DataFrame) -> Figure:
    """Draw every way across corpora (filled) under the same way in domain (open), the best across at the top.

    Args:
        table: `Bridges.beside`.
    """
    sides = {"there": (0.16, PAPER, "in domain"), "here": (-0.16, INK, "across corpora")}
    with style():
        figure = Figure(figsize=(7.7, 1.2 + 0.34 * len(table)))
        axes = figure.add_subplot()
        for name, (above, inside, label) in sides.items():
            for height, row in zip(np.arange(len(table))[::-1], table.to_dict("records"), strict=True):
                triple = (row[name], row[f"{name}_low"], row[f"{name}_high"])
                estimate(axes, triple, height + above, Mark(INK), markerfacecolor=inside)
            axes.plot([], [], color=INK, marker="o", markerfacecolor=inside, linestyle="none", label=label)
        _rows(axes, table.title.tolist())
        axes.set_xlabel(QUALITY)
        figure.legend(loc="outside upper left", ncols=2, fontsize=9)
    return figure


def tests_figure(table: pd.DataFrame) -> Figure:
    """Draw the chapter's contrasts with their corrected p beside; filled where interval and p agree.

    Args:
        table: `Bridges.contrast_table`.
    """
    heights = np.arange(len(table))[::-1].tolist()
    with style():
        figure = Figure(figsize=(7.7, 1.2 + 0.42 * len(table)))
        axes = figure.add_subplot()
        axes.axvline(0, color=MUTED, linewidth=1)
        for height, row in zip(heights, table.to_dict("records"), strict=True):
            mark = SIGHTS[row["sight"]]
            triple = (row["difference"], row["low"], row["high"])
            estimate(axes, triple, height, mark, markerfacecolor=mark.colour if row["sign"] else PAPER)
            place = axes.get_yaxis_transform()
            axes.text(1.02, height, p_text(row["p (Holm)"]), transform=place, va="center", fontsize=9)
        _rows(axes, [label.replace(" − ", "\n− ") for label in table.label])
        axes.text(1.02, 1.01, "p (Holm)", transform=axes.transAxes, fontsize=9, color=MUTED)
        axes.set_xlabel("Difference in CIDEr, first minus second (points, 95% interval)")
        _legend(figure, table.sight)
    return figure


def _triple(row: Mapping[str, Any]) -> tuple[float, float, float]:
    return row["CIDEr"], row["CIDEr_low"], row["CIDEr_high"]


def _band(axes: Axes, row: Mapping[str, Any] | pd.Series) -> None:
    """Draw a score and its interval over all heights."""
    axes.axvspan(POINTS * row["CIDEr_low"], POINTS * row["CIDEr_high"], color=INK, alpha=0.08, linewidth=0)
    axes.axvline(POINTS * row["CIDEr"], color=INK, linewidth=1, linestyle=(0, (4, 2)))


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    """Name the rows, the first at the top."""
    axes.set_yticks(np.arange(len(labels))[::-1], labels, fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.6, len(labels) - 0.4)


def _legend(figure: Figure, sights: pd.Series) -> None:
    """Explain the colours that occur."""
    handles = [
        figure.axes[0].plot(
            [], [], color=mark.colour, marker=mark.marker, linestyle="none", label=SEEN[seen]
        )[0]
        for seen, mark in SIGHTS.items()
        if seen in set(sights)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=9, handletextpad=0.3)


def _scores_by_length(axes: Axes, lengths: pd.DataFrame) -> None:
    for series, rows in lengths[lengths.series != GAUSSIAN].groupby("series"):
        mark = Mark(INK, "sD"[series == NONE], CONTROLS[series].line)
        curve(axes, rows.steps, rows, "CIDEr", mark, label=WAYS[series].title)
    noisy = lengths[lengths.series == GAUSSIAN]
    for place, (variance, rows) in enumerate(noisy.groupby("variance")):
        shade = to_hex(colormaps["viridis"](0.33 + 0.37 * place / max(1, noisy.variance.nunique() - 1)))
        mark = Mark(shade, "ov^<>PXdp"[place % 9])
        curve(axes, rows.steps, rows, "CIDEr", mark, label=f"Variance {variance:g}", elinewidth=0.8)


def _best_by_length(axes: Axes, laws: Mapping[int, LawTest]) -> None:
    """Draw the best variance with its interval, over the variances that were tried, and the law's where it has one."""
    noise = next(iter(laws.values())).curve
    best, low, high = np.array([(test.best, test.low, test.high) for test in laws.values()]).T
    axes.errorbar(list(laws), best, yerr=[best - low, high - best], color=INK, marker="o")
    if np.isfinite(noise.predicted):
        axes.axhline(noise.predicted, color=MUTED, linewidth=1.4, linestyle=(0, (1, 2)))
        place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 9}
        axes.annotate("v*", (1.01, noise.predicted), **place)
    axes.set_yscale("log", base=2)
    axes.set_yticks(noise.variances, [f"{variance:g}" for variance in noise.variances])
    axes.minorticks_off()


def _level(axes: Axes, row: Mapping[str, Any]) -> None:
    colour = SIGHTS[row["sight"]].colour
    axes.axhspan(POINTS * row["CIDEr_low"], POINTS * row["CIDEr_high"], color=colour, alpha=0.1, linewidth=0)
    axes.axhline(POINTS * row["CIDEr"], color=colour, linewidth=1.2, linestyle=(0, (1, 1.5)))


def _name_levels(axes: Axes, levels: pd.DataFrame) -> None:
    bottom, top = axes.get_ylim()
    heights = spread((POINTS * levels.CIDEr).tolist(), gap=0.055 * (top - bottom))
    for title, height in zip(levels.title, heights, strict=True):
        axes.text(1.015, height, title, transform=axes.get_yaxis_transform(), va="center", fontsize=9)


def _front(axes: Axes, front: pd.DataFrame, column: str, scale: float) -> None:
    """Draw the best score that a cost buys, under the points."""
    axes.plot(
        scale * front[column], POINTS * front.CIDEr, color=INK, linewidth=5, alpha=0.12, zorder=1,
        solid_capstyle="round",
    )  # fmt: skip


def _numbered(axes: Axes, row: Mapping[str, Any], x: float) -> None:
    """Draw a way's place in the ranking as a number in the colour of what it looks at, with its interval."""
    mark, (middle, low, high) = SIGHTS[row["sight"]], (POINTS * value for value in _triple(row))
    axes.errorbar(
        x, middle, yerr=[[middle - low], [high - middle]], color=mark.colour, marker=mark.marker, elinewidth=0.8,
        markersize=4,
    )  # fmt: skip
    axes.annotate(
        f"{row['number']}", (x, middle), xytext=(3, 2), textcoords="offset points", fontsize=7, color=INK
    )


def _cost_axis(axes: Axes, column: str) -> None:
    """Space a cost by factors; the memory has a place for nothing at all."""
    if column == "memory":
        axes.set_xscale("symlog", linthresh=0.001)
        axes.set_xlim(left=-0.0004)
    else:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", labelsize=8)


def _law_curve(axes: Axes, test: LawTest, mark: Mark, place: int) -> None:
    """Draw one curve as shares of its best score, and the interval of its best variance at the foot."""
    found, best = test.curve, max(test.curve.means) or 1.0
    solved = np.isfinite(found.predicted)
    unit, law = (found.predicted, f", v* = {found.predicted:.3g}") if solved else (1.0, "")
    middle, low, high = (
        np.array([getattr(e, end) for e in test.estimates]) / best for end in ("value", "low", "high")
    )
    axes.errorbar(
        np.array(found.variances) / unit, middle, yerr=[middle - low, high - middle],
        color=mark.colour, marker=mark.marker, elinewidth=1,
        label=f"{found.encoder}, d = {found.dim}{law}",
    )  # fmt: skip
    ends = np.array([test.low, test.high]) / unit
    height = 0.03 + 0.04 * place
    axes.plot(ends, [height] * 2, color=mark.colour, linewidth=4, transform=axes.get_xaxis_transform())
