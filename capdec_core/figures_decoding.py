"""The charts of chapter 6, and their alternative texts, written from what they draw.

Tables are those of `DecodingStudy`: one row a captioner and way of decoding. Scores are the metric's own values;
charts show points.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from capdec_core.chart_parts import estimate, spoken
from capdec_core.chart_style import INK, MUTED, PAPER, POINTS, Mark, style

MARKS = {
    "greedy": Mark(INK, "o", "none"),
    "beam": Mark("#0072b2", "s"),
    "top-k": Mark("#b87400", "^", "none"),
    "nucleus": Mark("#9d3f7a", "v", "none"),
    "contrastive": Mark("#078055", "D", "none"),
    "re-ranked samples": Mark("#9d3f7a", "p", "none"),
    "re-ranked beam": Mark("#0072b2", "h", "none"),
}
"""Ways of decoding. Those that look at the image twice have the colour of their pool and are drawn hollow."""

QUALITY = "CIDEr (points)"


def diversity_figure(table: pd.DataFrame) -> Figure:
    """Draw CIDEr against the share of distinct bigrams, one panel a captioner."""
    with style():
        figure, panels = _panels(table)
        for axes, rows in panels:
            _points(axes, rows, "distinct-2", POINTS)
        _finish(figure, panels, "Distinct bigrams, of all that are written (%)")
    return figure


def speed_figure(table: pd.DataFrame) -> Figure:
    """Draw CIDEr against captions a second on a log axis, one panel a captioner."""
    with style():
        figure, panels = _panels(table)
        for axes, rows in panels:
            _points(axes, rows, "speed", 1)
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=6))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        _finish(figure, panels, "Captions a second")
    return figure


def contrasts_figure(table: pd.DataFrame, against: str) -> Figure:
    """Draw each way's difference in CIDEr from another, one panel a captioner.

    Args:
        table: `DecodingStudy.contrast_table`.
        against: label of the way that is subtracted.
    """
    rows = table[table.against == against]
    labels = list(dict.fromkeys(rows.label))
    with style():
        figure, panels = _panels(rows, height=1.3 + 0.42 * len(labels))
        for axes, part in panels:
            axes.axvline(0, color=MUTED, linewidth=1)
            for row in part.to_dict("records"):
                _difference(axes, len(labels) - 1 - labels.index(row["label"]), row)
            axes.grid(axis="y", visible=False)
            axes.tick_params(axis="y", length=0)
        first = panels[0][0]
        first.set_yticks(range(len(labels)), list(reversed(labels)), fontsize=9)
        first.set_ylim(-0.6, len(labels) - 0.4)
        figure.supxlabel(f"Difference in CIDEr from {against.lower()} (points, 95% interval)", fontsize=10)
    return figure


def _difference(axes: Axes, height: float, row: dict[str, Any]) -> None:
    """Draw one difference; its marker is filled where the difference is beyond doubt."""
    mark = MARKS[row["way"]]
    face = mark.colour if row["sign"] else PAPER
    triple = (row["difference"], row["low"], row["high"])
    estimate(axes, triple, height, mark, markersize=7, markerfacecolor=face)


def _panels(table: pd.DataFrame, height: float = 4.0) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """Return a figure with one panel a captioner, which all have the same axes, and their rows."""
    captioners = list(dict.fromkeys(table.captioner))
    figure = Figure(figsize=(7.7, height))
    grid = figure.subplots(1, len(captioners), sharex=True, sharey=True, squeeze=False)[0]
    panels = []
    for axes, captioner in zip(grid, captioners, strict=True):
        axes.set_title(captioner, fontsize=10, color=INK)
        panels.append((axes, table[table.captioner == captioner]))
    return figure, panels


def _points(axes: Axes, rows: pd.DataFrame, column: str, scale: float) -> None:
    """Draw one captioner's ways of decoding with the intervals of both axes; the beams make a line."""
    for way, part in rows.groupby("way", sort=False):
        mark = MARKS[str(way)]
        part = part.sort_values("width")
        hollow = bool(part["looks twice"].any()) or way == "greedy"
        axes.errorbar(
            scale * part[column], POINTS * part.CIDEr,
            xerr=_bars(part, column, scale), yerr=_bars(part, "CIDEr", POINTS),
            color=mark.colour, marker=mark.marker, linestyle=mark.line, elinewidth=1, linewidth=1.2,
            markersize=10 if way == "greedy" else 7, markeredgewidth=1.3 if hollow else 0.7,
            markerfacecolor="none" if hollow else mark.colour,
            markeredgecolor=mark.colour if hollow else PAPER,
            label=_name(part),
        )  # fmt: skip


def _bars(rows: pd.DataFrame, column: str, scale: float) -> np.ndarray:
    middle, low, high = (scale * rows[f"{column}{end}"].to_numpy() for end in ("", "_low", "_high"))
    return np.stack([middle - low, high - middle])


def _name(rows: pd.DataFrame) -> str:
    if rows.way.iloc[0] != "beam":
        return rows.label.iloc[0]
    return f"Beam {', '.join(f'{width:g}' for width in rows.width)}"


def _finish(figure: Figure, panels: list[tuple[Axes, pd.DataFrame]], xlabel: str) -> None:
    panels[0][0].set_ylabel(QUALITY)
    figure.supxlabel(xlabel, fontsize=10)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=4, handletextpad=0.5, columnspacing=1.4, fontsize=9
    )


def trade_off_alt(table: pd.DataFrame, column: str, name: str, scale: float) -> str:
    """Describe `diversity_figure` or `speed_figure`: each point's two values.

    Args:
        table: what the figure draws.
        column: its horizontal column.
        name: what the column is, in words.
        scale: from the column's own values to those on the axis.
    """
    parts = []
    for captioner, rows in table.groupby("captioner", sort=False):
        told = "; ".join(
            f"{row['label']} {_three_digits(scale * row[column])}, {POINTS * row['CIDEr']:.1f}"
            for row in rows.to_dict("records")
        )
        parts.append(f"{captioner}: {told}.")
    return f"{name} and CIDEr in points of each way of decoding. {' '.join(parts)}"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def contrasts_alt(table: pd.DataFrame, against: str) -> str:
    """Describe `contrasts_figure`: each difference with its interval."""
    parts = []
    for captioner, rows in table[table.against == against].groupby("captioner", sort=False):
        told = "; ".join(
            f"{row['label']} {spoken((row['difference'], row['low'], row['high']), signed=True)}"
            for row in rows.to_dict("records")
        )
        parts.append(f"{captioner}: {told}.")
    return f"Differences in CIDEr from {against.lower()} in points with 95% intervals. {' '.join(parts)}"
