"""The charts of chapter 1: two modalities in two dimensions, what a gap is made of, and what the scale does to it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from capdec_core.chart_parts import doublings
from capdec_core.chart_style import INK, MUTED, PAPER, Mark, style
from capdec_core.gap import Anatomy

IMAGE, TEXT = Mark("#0072b2", "o"), Mark("#b87400", "s")
HEADS: Mapping[str, Mark] = {
    "hidden layer": Mark("#9d3f7a", "o"),
    "linear": Mark("#078055", "^", (0, (4, 2))),
}
SOURCES = (
    Mark(INK, "o"), Mark("#0072b2", "s", (0, (6, 2))), Mark("#b87400", "^", (0, (3, 2))),
    Mark("#078055", "D", "-."), Mark("#9d3f7a", "v", ":"),
)  # fmt: skip
JOINED = 30
"""So many matched pairs are joined by a line."""


def projection(points: Mapping[str, np.ndarray]) -> Figure:
    """Draw images and texts on their two first principal components, one panel a source.

    Args:
        points: {source: (2, pairs, 2)}, images first; the first pairs are joined by lines.
    """
    with style():
        figure = Figure(figsize=(7.7, 4.2))
        panels = figure.subplots(1, len(points), squeeze=False)[0]
        for axes, (name, (images, texts)) in zip(panels, points.items(), strict=True):
            for image, text in zip(images[:JOINED], texts[:JOINED], strict=True):
                axes.plot(*np.array([image, text]).T, color=MUTED, linewidth=0.5, zorder=1)
            for mark, rows, label in ((IMAGE, images, "images"), (TEXT, texts, "captions")):
                axes.scatter(*rows.T, s=9, color=mark.colour, marker=mark.marker, linewidth=0, alpha=0.7,
                             label=label, zorder=2)  # fmt: skip
            axes.set_title(name, fontsize=10)
            axes.set_aspect("equal", adjustable="datalim")
            axes.set(xlabel="First component", ylabel="Second component" if axes is panels[0] else "")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=2, fontsize=9, markerscale=2)
    return figure


def parts(anatomies: Mapping[str, Anatomy]) -> Figure:
    """Draw how many dimensions hold the squared gap, and how many directions the residual's variance, cumulated.

    ValueError for more sources than the house style has lines for.
    """
    if len(anatomies) > len(SOURCES):
        raise ValueError(f"at most {len(SOURCES)} sources can be drawn, not {len(anatomies)}")
    with style():
        figure = Figure(figsize=(7.7, 3.9))
        left, right = figure.subplots(1, 2, sharey=True)
        for mark, (name, found) in zip(SOURCES, anatomies.items(), strict=False):
            spectrum = found.residual_spectrum / found.residual_spectrum.sum()
            _cumulated(left, found.gap_shares, mark, name)
            _cumulated(right, spectrum, mark, name)
        left.set(xlabel="Coordinates, the largest first", ylabel="Share of the squared gap")
        right.set(xlabel="Principal directions, the largest first", ylabel="Share of the residual's variance")
        right.tick_params(labelleft=True)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=9)
    return figure


def _cumulated(axes: Axes, shares: np.ndarray, mark: Mark, label: str) -> None:
    axes.plot(
        np.arange(1, len(shares) + 1), shares.cumsum(), color=mark.colour, linestyle=mark.line, label=label
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:g}"))
    axes.set_ylim(0, 1.02)


def scales(table: pd.DataFrame) -> Figure:
    """Draw the gap and the matched cosine of trained heads against the contrastive scale, the gap before training too.

    Args:
        table: columns kind, scale, before, gap, matched, one row a training; a bar spans the seeds.
    """
    with style():
        figure = Figure(figsize=(7.7, 3.9))
        left, right = figure.subplots(1, 2)
        for kind, mark in HEADS.items():
            rows = table[table.kind == kind]
            _over_scales(left, rows, "gap", mark, f"{kind}, trained")
            left.axhline(
                rows.before.mean(), color=mark.colour, linewidth=1, linestyle=":", label=f"{kind}, before"
            )
            _over_scales(right, rows, "matched", mark, None)
        for axes in (left, right):
            doublings(axes, table.scale)
            axes.set_xlabel("Contrastive scale (1 / temperature)")
            axes.set_ylim(bottom=0)
        left.set_ylabel("Gap norm")
        right.set_ylabel("Matched cosine")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, fontsize=9)
    return figure


def _over_scales(axes: Axes, rows: pd.DataFrame, column: str, mark: Mark, label: str | None) -> None:
    by_scale = rows.groupby("scale")[column]
    middle = by_scale.mean()
    spread = [middle - by_scale.min(), by_scale.max() - middle]
    axes.errorbar(middle.index, middle, yerr=spread, color=mark.colour, marker=mark.marker, linestyle=mark.line,
                  markeredgecolor=PAPER, markeredgewidth=0.7, label=label)  # fmt: skip
