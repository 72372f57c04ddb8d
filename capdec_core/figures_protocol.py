"""Charts of chapter 8: scores by who chooses the images, the effect of the choice, rankings, numbers of images."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from capdec_core.chart_parts import Triple, estimate
from capdec_core.chart_style import INK, MUTED, PAPER, POINTS, Mark, style
from capdec_core.figures import blank_chart
from capdec_core.statistics import Estimate
from capdec_core.studies.protocol_scores import PUBLISHED, SEED, WHOLE

CHOICES: Mapping[str, Mark] = {
    PUBLISHED: Mark("#a2471d", "D"),
    SEED: Mark("#0072b2", "s"),
    WHOLE: Mark("#078055", "o"),
}
"""How a protocol is drawn in every chart of the chapter."""
BASELINE = "Baseline"
_ROW = 0.3
"""Inches a system."""


def scores_by_choice(table: pd.DataFrame) -> Figure:
    """Draw every system's MiniLM by who chooses the images, one row a system, the highest on all images at the top.

    Which seed of the baseline chooses makes a difference for the baseline alone, so for it alone it is drawn.

    Args:
        table: columns label, group, and three for each protocol of `CHOICES`.
    """
    rows = table.sort_values(WHOLE, ascending=False).to_dict("records")
    with style():
        figure, axes = blank_chart(height=1.4 + _ROW * len(rows))
        for height, row in zip(range(len(rows))[::-1], rows, strict=True):
            values = [POINTS * row[name] for name in CHOICES]
            axes.plot([min(values), max(values)], [height] * 2, color=MUTED, linewidth=0.8, zorder=1)
            for shift, (name, mark) in zip((0.2, 0, -0.2), CHOICES.items(), strict=True):
                if name != SEED or row["group"] == BASELINE:
                    triple = (row[name], row[f"{name}_low"], row[f"{name}_high"])
                    _point(axes, triple, height + shift, mark, name if row["group"] == BASELINE else None)
        _name_rows(axes, [row["label"] for row in rows], [row["group"] == BASELINE for row in rows])
        axes.set_xlabel("MiniLM, mean cosine of captions with references (points, 95% interval)")
        figure.legend(loc="outside upper left", ncols=3, handletextpad=0.4, fontsize=9)
    return figure


def effect_of_choice(table: pd.DataFrame, luck: Estimate) -> Figure:
    """Draw what the choice adds to the baseline's advantage over each system, as measured and as predicted.

    Args:
        table: columns label, group, effect, low, high, predicted, in MiniLM's own value.
        luck: the part that is the luck of the baseline's captions, drawn as a band; the same for all.
    """
    rows = table.sort_values("effect", ascending=False).to_dict("records")
    mark = CHOICES[PUBLISHED]
    with style():
        figure, axes = blank_chart(height=1.4 + _ROW * len(rows))
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.axvspan(POINTS * luck.low, POINTS * luck.high, color=INK, alpha=0.08, linewidth=0)
        axes.axvline(POINTS * luck.value, color=INK, linewidth=1, linestyle=(0, (1, 2)), label="luck alone")
        heights = np.arange(len(rows))[::-1]
        for height, row in zip(heights.tolist(), rows, strict=True):
            triple = (row["effect"], row["low"], row["high"])
            _point(axes, triple, height, mark, "measured" if height == 0 else None)
        axes.plot(
            [POINTS * row["predicted"] for row in rows], heights, marker="|", markersize=11, color=INK,
            markeredgewidth=1.6, linestyle="none", label="predicted by regression to the mean",
        )  # fmt: skip
        _name_rows(axes, [row["label"] for row in rows], [False] * len(rows))
        axes.set_xlabel("Advantage on the chosen images minus on all (MiniLM points, 95% interval)")
        figure.legend(loc="outside upper left", ncols=3, handletextpad=0.4, fontsize=9)
    return figure


def rank_slopes(table: pd.DataFrame, protocols: tuple[str, ...] = (PUBLISHED, SEED, WHOLE)) -> Figure:
    """Draw every system's rank under several protocols, a line a system; the baseline's stands out.

    Args:
        table: columns label, group, and "rank, <protocol>" for each protocol.
        protocols: from left to right.
    """
    rows = table.to_dict("records")
    places = list(range(len(protocols)))
    with style():
        figure, axes = blank_chart(height=1.3 + 0.27 * len(rows))
        heights = np.array([table[f"rank, {name}"].rank(method="first") for name in protocols]).T
        for row, line in zip(rows, heights.tolist(), strict=True):
            _slope(axes, places, line, row["group"] == BASELINE, line[0] != line[-1])
        _rank_names(axes, rows, heights[:, 0].tolist(), protocols[0], -0.06)
        _rank_names(axes, rows, heights[:, -1].tolist(), protocols[-1], places[-1] + 0.06)
        axes.set_xticks(places, [fill(name, 12) for name in protocols])
        axes.tick_params(axis="x", length=0, labelsize=9)
        axes.set(xlim=(-1.15, places[-1] + 1.15), ylim=(len(rows) + 0.7, 0.3), yticks=[])
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.xaxis.tick_top()
    return figure


def advantage_by_number(table: pd.DataFrame, chosen: int, other: str) -> Figure:
    """Draw the baseline's advantage over one system against the number of chosen images, by who chooses.

    Args:
        table: columns n, protocol, advantage, low, high; the largest n is all images.
        chosen: the study's number, marked.
        other: the system's name, for the axis.
    """
    with style():
        figure, axes = blank_chart(height=4.2)
        axes.set_xscale("log")
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.axvline(chosen, color=INK, linewidth=1, linestyle=(0, (1, 2)))
        for name, rows in table.groupby("protocol", sort=False):
            _ribbon(axes, rows, CHOICES[str(name)], str(name))
        whole = table[table.n == table.n.max()].iloc[0]
        axes.plot(
            whole.n, POINTS * whole.advantage, marker="o", markersize=9, linestyle="none",
            color=CHOICES[WHOLE].colour, markeredgecolor=PAPER, label=WHOLE, zorder=5,
        )  # fmt: skip
        axes.xaxis.set_major_locator(FixedLocator(sorted({1, 5, chosen, 50, int(whole.n)})))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("Number of chosen images")
        axes.set_ylabel(f"Baseline minus {other}\n(MiniLM points)")
        figure.legend(loc="outside upper left", ncols=3, handletextpad=0.5, fontsize=9)
    return figure


def _point(axes: Axes, triple: Triple, height: float, mark: Mark, label: str | None) -> None:
    estimate(
        axes, triple, height, mark, markersize=5.5, elinewidth=1.1, markeredgecolor=PAPER, markeredgewidth=0.6,
        label=label,
    )  # fmt: skip


def _name_rows(axes: Axes, labels: list[str], strong: list[bool]) -> None:
    """Name the rows from the top; strong ones in bold."""
    axes.set_yticks(range(len(labels))[::-1], labels, fontsize=9)
    for text, bold in zip(axes.get_yticklabels(), strong, strict=True):
        text.set_fontweight("bold" if bold else "normal")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.7, len(labels) - 0.3)


def _slope(axes: Axes, places: list[int], heights: list[float], baseline: bool, moved: bool) -> None:
    mark = CHOICES[PUBLISHED] if baseline else Mark(INK if moved else MUTED)
    axes.plot(
        places, heights, color=mark.colour, marker="o", markersize=5, markeredgecolor=PAPER,
        linewidth=2.6 if baseline else 1.1, alpha=1 if baseline or moved else 0.6, zorder=3 if baseline else 2,
    )  # fmt: skip


def _rank_names(axes: Axes, rows: list[dict], heights: list[float], protocol: str, x: float) -> None:
    """Write each system's rank and name beside its end of the line, on the side away from the lines."""
    column = f"rank, {protocol}"
    side = "right" if x < 0 else "left"
    for row, height in zip(rows, heights, strict=True):
        rank, label = row[column], row["label"]
        axes.text(
            x, height, f"{label}  {rank}" if side == "right" else f"{rank}  {label}", ha=side, va="center",
            fontsize=8.5, color=INK, fontweight="bold" if row["group"] == BASELINE else "normal",
        )  # fmt: skip


def _ribbon(axes: Axes, rows: pd.DataFrame, mark: Mark, label: str) -> None:
    axes.fill_between(
        rows.n, POINTS * rows.low, POINTS * rows.high, color=mark.colour, alpha=0.15, linewidth=0
    )
    axes.plot(
        rows.n, POINTS * rows.advantage, color=mark.colour, marker=mark.marker, markersize=5,
        markeredgecolor=PAPER, label=label,
    )  # fmt: skip
