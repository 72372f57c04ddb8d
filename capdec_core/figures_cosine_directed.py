"""Charts of chapter 4: the acceptance map, and the scores of the grid, each with its alternative text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure

from capdec_core.chart_parts import curve
from capdec_core.chart_style import CONTROLS, INK, PAPER, POINTS, Mark, style
from capdec_core.shares import share_text
from capdec_core.statistics import Estimate

SHADES = LinearSegmentedColormap.from_list("share", ["#ccd6e0", "#0a5a94"])
DARK_TEXT, LIGHT_TEXT = "#111111", "#fdfdfd"
"""On a shaded cell, which looks the same on a light and on a dark page."""
THRESHOLDS = (
    Mark("#0072b2", "o"),
    Mark("#b87400", "s"),
    Mark("#9d3f7a", "^"),
    Mark("#078055", "D"),
    Mark("#7a58f0", "v"),
)
"""Thresholds from the lowest up; a group of thresholds with the same trainings is drawn as its lowest."""
EVERYTHING = Mark(INK, "X", (0, (4, 2)))
"""The one training that all thresholds share where every candidate is kept."""


def acceptance_map(table: pd.DataFrame) -> Figure:
    """Draw the share of candidates that is kept, predicted and measured: a panel a norm and dimension.

    Args:
        table: columns dim, norm, beta, threshold, predicted, measured.
    """
    norms, dims = sorted(set(table.norm)), sorted(set(table.dim))
    with style():
        figure = Figure(figsize=(7.7, 0.7 + 0.42 * len(set(table.beta)) * len(norms) + 0.5 * len(norms)))
        panels = figure.subplots(len(norms), len(dims), squeeze=False, sharex=True, sharey=True)
        for norm, line in zip(norms, panels, strict=True):
            for dim, axes in zip(dims, line, strict=True):
                _shares(axes, table[(table.norm == norm) & (table.dim == dim)])
                axes.set_title(f"norm {norm:g}, d = {dim}", fontsize=9)
            line[0].set_ylabel("β")
        for axes in panels[-1]:
            axes.set_xlabel("Cosine threshold")
    return figure


def _shares(axes: Axes, table: pd.DataFrame) -> None:
    predicted = table.pivot(index="beta", columns="threshold", values="predicted")
    measured = table.pivot(index="beta", columns="threshold", values="measured")
    shades: dict[str, Any] = {"cmap": SHADES, "norm": PowerNorm(1 / 3, 0, 1)}
    places = [np.arange(size + 1) - 0.5 for size in predicted.T.shape]
    axes.pcolormesh(*places, predicted, edgecolors=PAPER, linewidth=0.8, **shades)
    axes.set_ylim(len(predicted) - 0.5, -0.5)
    for (y, x), share in np.ndenumerate(predicted.to_numpy()):
        text: dict[str, Any] = {"ha": "center", "color": LIGHT_TEXT if share > 0.2 else DARK_TEXT}
        axes.text(x, y - 0.05, share_text(share), fontsize=7.5, va="bottom", **text)
        axes.text(
            x, y + 0.08, share_text(measured.to_numpy()[y, x]), fontsize=6.5, va="top", style="italic", **text
        )
    axes.set_xticks(range(predicted.shape[1]), [f"{value:g}" for value in predicted.columns], fontsize=8)
    axes.set_yticks(range(predicted.shape[0]), [f"{value:g}" for value in predicted.index], fontsize=8)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def acceptance_text(table: pd.DataFrame) -> str:
    """Describe `acceptance_map`: for each panel, which rows are kept whole, in part, or not at all."""
    parts = []
    for (norm, dim), panel in table.groupby(["norm", "dim"]):
        betas = [_beta_text(rows) for _, rows in panel.groupby("beta")]
        parts.append(f"Norm {norm:g}, d = {dim}: {'; '.join(betas)}.")
    return f"Predicted share of candidates that are kept, by β and threshold. {' '.join(parts)}"


def _beta_text(rows: pd.DataFrame) -> str:
    rows = rows.sort_values("threshold")
    shares = [share_text(value) for value in rows.predicted]
    told = (
        shares[0]
        if len(set(shares)) == 1
        else ", ".join(
            f"{share} at {threshold:g}" for share, threshold in zip(shares, rows.threshold, strict=True)
        )
    )
    return f"β {rows.beta.iloc[0]:g}, {told}"


def grid_scores(table: pd.DataFrame, none: Estimate, titles: dict[str, str]) -> Figure:
    """Draw CIDEr of every row of the grid: a panel an arm and beta, N across, a curve a different training.

    Args:
        table: columns family, n, beta, threshold, kept, cell, and CIDEr in three; one line a row of the grid.
        none: CIDEr without noise, drawn as a band; rows that are proved to be no noise are named, not drawn.
        titles: of the arms, by family.
    """
    betas = sorted(set(table.beta))
    with style():
        figure = Figure(figsize=(7.7, 1.0 + 1.35 * len(betas)))
        panels = figure.subplots(len(betas), len(titles), squeeze=False, sharex=True, sharey=True)
        for beta, line in zip(betas, panels, strict=True):
            for family, axes in zip(titles, line, strict=True):
                _panel(axes, table[(table.family == family) & (table.beta == beta)], none)
                axes.set_title(f"{titles[family]}, β = {beta:g}", fontsize=9)
        for axes in panels[-1]:
            axes.set_xlabel("N")
        figure.supylabel("CIDEr on captions of images (points)", fontsize=10)
    return figure


def _panel(axes: Axes, table: pd.DataFrame, none: Estimate) -> None:
    _band(axes, none)
    counts = sorted(set(table.n))
    for thresholds in equal_thresholds(table):
        rows = table[table.threshold == thresholds[0]].sort_values("n")
        if set(rows.kept) == {"nothing"}:
            axes.plot([], [], color=INK, linewidth=1.2, label=f"{_span(thresholds)}: no noise")
            continue
        mark, label = _drawn_as(rows, thresholds, sorted(set(table.threshold)))
        places = [counts.index(n) for n in rows.n]
        curve(
            axes, places, rows, "CIDEr", mark, elinewidth=1.1, markersize=5, markeredgecolor=PAPER,
            markeredgewidth=0.5, label=label,
        )  # fmt: skip
    axes.set_xticks(range(len(counts)), [str(n) for n in counts], fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7.5, handlelength=1.6, borderpad=0.2)


def _band(axes: Axes, none: Estimate) -> None:
    axes.axhspan(POINTS * none.low, POINTS * none.high, color=INK, alpha=0.1, linewidth=0)
    axes.axhline(POINTS * none.value, color=INK, linestyle=CONTROLS["none"].line, linewidth=1.2)


def _drawn_as(rows: pd.DataFrame, thresholds: Sequence[float], every: Sequence[float]) -> tuple[Mark, str]:
    if set(rows.kept) == {"everything"}:
        return EVERYTHING, f"{_span(thresholds)}: all kept"
    return THRESHOLDS[every.index(thresholds[0]) % len(THRESHOLDS)], f"{_span(thresholds)}: some kept"


def equal_thresholds(table: pd.DataFrame) -> list[list[float]]:
    """Return the thresholds of one arm and beta in groups whose rows have the same cells at every N."""
    groups: dict[tuple, list[float]] = {}
    for threshold, rows in table.groupby("threshold"):
        groups.setdefault(tuple(rows.sort_values("n").cell), []).append(float(str(threshold)))
    return list(groups.values())


def _span(thresholds: Sequence[float]) -> str:
    """Return a group of neighbouring thresholds in words: "0.8 to 0.9"."""
    first, last = thresholds[0], thresholds[-1]
    return f"{first:g}" if first == last else f"{first:g} to {last:g}"


def grid_text(table: pd.DataFrame, none: Estimate, titles: dict[str, str]) -> str:
    """Describe `grid_scores`: each curve's range, and the rows that are no noise."""
    parts = [
        f"{titles[family]}, β {beta:g}: {'; '.join(_curve_text(rows, group) for group in equal_thresholds(rows))}."
        for (family, beta), rows in table.groupby(["family", "beta"], sort=False)
    ]
    return f"CIDEr in points by N; without noise {POINTS * none.value:.1f}. {' '.join(parts)}"


def _curve_text(table: pd.DataFrame, thresholds: Sequence[float]) -> str:
    rows = table[table.threshold == thresholds[0]]
    if set(rows.kept) == {"nothing"}:
        return f"threshold {_span(thresholds)}, no noise"
    low, high = POINTS * rows.CIDEr.min(), POINTS * rows.CIDEr.max()
    return f"threshold {_span(thresholds)}, {low:.1f} to {high:.1f}"
