"""Chart of chapter 9: the estimate that decides each claim, with its interval and its verdict."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from capdec_core.chart_parts import estimate
from capdec_core.chart_style import INK, MUTED, PAPER, POINTS, Mark, style

VERDICTS: Mapping[str, Mark] = {
    "supported": Mark("#078055", "o"),
    "not supported": Mark("#a2471d", "X"),
    "undecided": Mark(MUTED, "s"),
    "artefact": Mark("#9d3f7a", "D"),
}
"""A verdict's mark, in the hues of its label in the report."""
LINE = 46
"""Characters of a claim on a line of the axis."""
ROW, HEAD = 0.5, 0.75
"""Inches of a claim, and of a panel's title and axis."""
LEAST = 0.5
"""Points on either side of 0 that every panel shows at least."""


def deciding_estimates(frame: pd.DataFrame) -> Figure:
    """Draw every claim's deciding estimate with its interval, one panel a metric.

    Args:
        frame: the ledger (`capdec_core.ledger.COLUMNS`), estimates in the metric's own value; a margin is drawn
            as a band around 0.

    Raises:
        ValueError: a verdict that is none of the book's.
    """
    if unknown := sorted(set(frame.verdict) - set(VERDICTS)):
        raise ValueError(f"no mark for the verdict {', '.join(unknown)}")
    metrics = list(dict.fromkeys(frame.metric))
    panels = [frame[frame.metric == metric] for metric in metrics]
    heights = [HEAD + ROW * len(rows) for rows in panels]
    with style():
        figure = Figure(figsize=(7.7, 0.5 + sum(heights)))
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, metric, rows in zip(grid, metrics, panels, strict=True):
            _panel(axes, metric, rows.to_dict("records"))
        used = [name for name in VERDICTS if name in set(frame.verdict)]
        figure.legend(
            handles=_handles(used), loc="outside upper left", ncols=4, fontsize=9, handletextpad=0.2
        )
    return figure


def _panel(axes: Axes, metric: str, rows: Sequence[Mapping[str, Any]]) -> None:
    axes.axvline(0, color=MUTED, linewidth=1)
    places = np.arange(len(rows))[::-1].tolist()
    for place, row in zip(places, rows, strict=True):
        if not pd.isna(row["margin"]):
            edge = POINTS * row["margin"]
            axes.fill_between([-edge, edge], place - 0.32, place + 0.32, color=INK, alpha=0.1, linewidth=0)
        _estimate(axes, place, row)
    labels = [f"{row['chapter']}: {row['claim'].rstrip('.')}" for row in rows]
    axes.set_yticks(places, [fill(label, LINE) for label in labels], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -LEAST), max(high, LEAST))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(f"{metric} (points)", fontsize=9)


def _estimate(axes: Axes, place: float, row: Mapping[str, Any]) -> None:
    mark = VERDICTS[row["verdict"]]
    triple = (row["estimate"], row["low"], row["high"])
    estimate(axes, triple, place, mark, markersize=8, markeredgecolor=PAPER, markeredgewidth=0.7)


def _handles(verdicts: Sequence[str]) -> list[Line2D]:
    return [
        Line2D([], [], color=VERDICTS[v].colour, marker=VERDICTS[v].marker, linestyle="none", label=v)
        for v in verdicts
    ]
