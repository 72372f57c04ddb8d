"""House style and the charts of the book.

Each chart takes a tidy table (one row a condition) and returns a matplotlib Figure; an estimate is never
drawn without its interval. Metric columns hold the metric's own value and come in threes (`CIDEr`,
`CIDEr_low`, `CIDEr_high`); charts show points, 100 times that value, as captioning papers print them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter
from scipy.optimize import isotonic_regression

POINTS = 100
INK, MUTED, GRID, PAPER = "#1f2a35", "#5b6673", "#dfe3e8", "#ffffff"
COSINE = "Measured mean cosine of a caption embedding with its perturbed copy (spaced by angle)"


@dataclass(frozen=True)
class Mark:
    """How a noise family is drawn, the same in every figure of the book: colour, marker, line style."""

    colour: str
    marker: str = "o"
    line: str = "-"


FAMILIES: Mapping[str, Mark] = {
    "gaussian": Mark("#0072b2", "o"),
    "uniform ball": Mark("#b87400", "s"),
    "student t, literal": Mark("#a2471d", "X"),
    "student t, matched": Mark("#078055", "^"),
    "multivariate t": Mark("#549bc3", "D"),
    "gradient": Mark("#9d3f7a", "P"),
    "random direction": Mark("#949494", "v"),
}
"""Families with a strength: curves. Hues near Okabe and Ito's (2008), deepened to show on white and black."""

CONTROLS: Mapping[str, Mark] = {
    "none": Mark(INK, line="-"),
    "shuffled": Mark(MUTED, line="--"),
    "language model alone": Mark(MUTED, line=":"),
    "text to text": Mark(INK, line="-."),
}
"""Conditions without a strength: horizontal bands."""


@contextmanager
def style() -> Iterator[None]:
    """Draw inside this context in the house style, whatever the reader's own matplotlib settings are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


_STYLE: Any = {
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 6,
    "svg.fonttype": "path",
    "svg.hashsalt": "capdec-book",
}


def quality_against_cosine(
    table: pd.DataFrame, metric: str = "CIDEr", matched: float | None = None
) -> Figure:
    """Draw `metric` against the measured mean cosine: one curve a noise family, controls as horizontal bands.

    Args:
        table: columns family, cosine and the metric's three; families are keys of `FAMILIES` or `CONTROLS`.
        metric: the metric's column.
        matched: the mean cosine of matched image-text pairs, drawn as a vertical line.

    Raises:
        ValueError: a family that the house style does not know.
    """
    _check_families(table)
    with style():
        figure, axes = _blank(height=5.2)
        _angle_scale(axes, table)
        for family, mark in FAMILIES.items():
            rows = table[table.family == family].sort_values("cosine")
            if len(rows):
                _curve(axes, rows, rows.cosine, metric, mark, label=_capital(family))
        _control_bands(axes, table, metric)
        if matched is not None:
            _headroom(axes, 0.08)
            _vertical(axes, matched, f"an image and its caption: {matched:.2f}", side="left")
        axes.set(xlabel=COSINE, ylabel=_metric_label(metric))
        figure.legend(loc="outside upper left", ncols=4, handletextpad=0.5, columnspacing=1.4, fontsize=9)
    return figure


def noise_curve(table: pd.DataFrame, law: float, metric: str = "CIDEr") -> Figure:
    """Draw `metric` against the variance of Gaussian noise, with the interval as a ribbon.

    Args:
        table: as for `quality_against_cosine`; the rows of family "gaussian" make the curve, "none" a band.
        law: the per-coordinate variance v* = (1/c² - 1)/d that the calibration law predicts.
        metric: the metric's column.
    """
    rows = table[table.family == "gaussian"].sort_values("variance")
    with style():
        figure, axes = _blank(height=4.6)
        axes.set_xscale("log")
        mark = FAMILIES["gaussian"]
        _curve(axes, rows, rows.variance, metric, mark, label="Gaussian")
        low, high = _interval(rows, metric)
        axes.fill_between(rows.variance, low, high, color=mark.colour, alpha=0.15, linewidth=0)
        _control_bands(axes, table[table.family == "none"], metric)
        _headroom(axes, 0.2)
        marks = {"v* of the calibration law": law, "CapDec": 0.016, "Study A": 0.05}
        for rank, (name, variance) in enumerate(sorted(marks.items(), key=lambda item: -item[1])):
            _vertical(axes, variance, f"{name}: {variance:.3g}", rank=rank)
        _plain_decades(axes.xaxis)
        axes.set(xlabel="Variance of the Gaussian noise, per coordinate", ylabel=_metric_label(metric))
        _deviation_axis(axes)
    return figure


def contrast_forest(table: pd.DataFrame, metric: str = "CIDEr", baseline: str = "no noise") -> Figure:
    """Draw each condition's difference from the baseline with its 95% interval, in the table's order.

    Args:
        table: columns family, label, difference, low, high (in the metric's own value, condition - baseline).
        metric: the metric that differs, for the axis.
        baseline: what is subtracted, for the axis.
    """
    _check_families(table)
    heights = np.arange(len(table))[::-1]
    with style():
        figure, axes = _blank(height=1.3 + 0.3 * len(table))
        axes.axvline(0, color=MUTED, linewidth=1)
        for height, row in zip(heights, table.itertuples(), strict=True):
            _difference(axes, float(height), row)
        axes.set_yticks(heights, table.label)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set(ylim=(-0.6, len(table) - 0.4))
        axes.set_xlabel(f"Difference in {metric} from {baseline} (points, 95% interval)")
    return figure


def _blank(height: float) -> tuple[Figure, Axes]:
    """Return a figure (sizes in inches) that no pyplot window or notebook backend knows of."""
    figure = Figure(figsize=(7.7, height))
    return figure, figure.add_subplot()


def _difference(axes: Axes, height: float, row: Any) -> None:
    mark = {**FAMILIES, **CONTROLS}[row.family]
    middle, low, high = (POINTS * value for value in (row.difference, row.low, row.high))
    error = [[middle - low], [high - middle]]
    axes.errorbar(middle, height, xerr=error, color=mark.colour, marker=mark.marker, linestyle="none")
    text = f"{middle:+.1f} [{low:+.1f}, {high:+.1f}]".replace("-", "−")
    place = axes.get_yaxis_transform()
    axes.text(1.02, height, text, transform=place, va="center", fontsize=9)


def _curve(axes: Axes, rows: pd.DataFrame, x: pd.Series, metric: str, mark: Mark, label: str) -> None:
    low, high = _interval(rows, metric)
    y = POINTS * rows[metric]
    axes.errorbar(
        x, y, yerr=[y - low, high - y], color=mark.colour, marker=mark.marker, linestyle=mark.line,
        elinewidth=1.2, markeredgecolor=PAPER, markeredgewidth=0.7, label=label,
    )  # fmt: skip


def _interval(rows: pd.DataFrame, metric: str) -> tuple[pd.Series, pd.Series]:
    return POINTS * rows[f"{metric}_low"], POINTS * rows[f"{metric}_high"]


def _control_bands(axes: Axes, table: pd.DataFrame, metric: str) -> None:
    """Draw the controls across the axes and name each at the right edge, names kept apart."""
    rows = [row for row in table.to_dict("records") if row["family"] in CONTROLS]
    for row in rows:
        mark = CONTROLS[row["family"]]
        low, high = POINTS * row[f"{metric}_low"], POINTS * row[f"{metric}_high"]
        axes.axhspan(low, high, color=mark.colour, alpha=0.13, linewidth=0)
        axes.axhline(POINTS * row[metric], color=mark.colour, linestyle=mark.line, linewidth=1.2)
    bottom, top = axes.get_ylim()
    heights = spread([POINTS * row[metric] for row in rows], gap=0.055 * (top - bottom))
    for row, height in zip(rows, heights, strict=True):
        place = axes.get_yaxis_transform()
        axes.text(1.015, height, row["label"], transform=place, va="center", fontsize=9, color=INK)


def spread(values: list[float], gap: float) -> list[float]:
    """Return the values moved apart, as little as needed, until neighbours differ by `gap`; order is kept."""
    order = np.argsort(values, kind="stable")
    steps = gap * np.arange(len(values))
    placed = np.empty(len(values))
    placed[order] = isotonic_regression(np.asarray(values)[order] - steps).x + steps if values else 0
    return placed.tolist()


def _vertical(axes: Axes, x: float, text: str, *, rank: int = 0, side: str = "right") -> None:
    """Mark `x` with a vertical line and a name at the top, `rank` lines down (so near names part)."""
    axes.axvline(x, color=INK, linewidth=1, linestyle=(0, (1, 2)))
    place = axes.get_xaxis_transform()
    halo = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1}
    axes.annotate(
        text, (x, 0.99 - 0.065 * rank), xycoords=place, xytext=(4 if side == "right" else -4, 0),
        textcoords="offset points", ha="left" if side == "right" else "right", va="top",
        fontsize=9, color=INK, bbox=halo,
    )  # fmt: skip


def _angle_scale(axes: Axes, table: pd.DataFrame) -> None:
    """Space the cosine axis by angle, so that cosines near 1 can be told apart; noise grows to the right."""
    axes.set_xscale("function", functions=(_angle, np.cos))
    lowest = min(0.0, float(table.loc[table.family.isin(FAMILIES), "cosine"].min(skipna=True)))
    axes.set_xlim(np.cos(np.arccos(lowest) + 0.03), 1)  # the scale itself turns the axis round
    axes.xaxis.set_major_locator(FixedLocator([1, 0.99, 0.95, *np.arange(9, -1, -1) / 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _angle(cosine: np.ndarray) -> np.ndarray:
    return np.arccos(np.clip(cosine, -1, 1))


def _deviation_axis(axes: Axes) -> None:
    with np.errstate(invalid="ignore"):
        top = axes.secondary_xaxis("top", functions=(lambda v: np.sqrt(np.abs(v)), np.square))
    _plain_decades(top.xaxis)
    top.set_xlabel("Standard deviation, per coordinate", fontsize=9)


def _plain_decades(axis: Axis) -> None:
    """Label a log axis 0.001, 0.002, 0.005, 0.01 and so on."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _headroom(axes: Axes, share: float) -> None:
    """Keep the top `share` of the axes free of data, for names."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top + (top - bottom) * share / (1 - share))


def _metric_label(metric: str) -> str:
    return f"{metric} on captions of images (points)"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _check_families(table: pd.DataFrame) -> None:
    unknown = sorted(set(table.family) - set(FAMILIES) - set(CONTROLS))
    if unknown:
        raise ValueError(f"no house style for family {', '.join(unknown)}")
