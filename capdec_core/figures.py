"""The charts of the book.

Each chart takes a tidy table (one row a condition) and returns a matplotlib Figure; an estimate is never
drawn without its interval. Metric columns hold the metric's own value and come in threes (`CIDEr`,
`CIDEr_low`, `CIDEr_high`); charts show points, 100 times that value, as captioning papers print them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter
from scipy.optimize import isotonic_regression

from capdec_core.chart_parts import curve, estimate
from capdec_core.chart_style import CONTROLS, FAMILIES, INK, MUTED, PAPER, POINTS, Mark, style
from capdec_core.tables import p_text, with_interval

RECONSTRUCTION = Mark("#078055", "^", (0, (4, 2)))
_HEADING: Any = {"fontsize": 9, "color": MUTED, "va": "center"}
_SHUFFLED = Mark(MUTED, "h")
COSINE = "Measured mean cosine of a caption embedding with its perturbed copy (spaced by angle)"


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
        figure, axes = blank_chart(height=5.2)
        _angle_scale(axes, table, matched)
        for depth, (family, mark) in enumerate(FAMILIES.items()):
            rows = table[table.family == family].sort_values("cosine")
            if len(rows):
                _curve(axes, rows, rows.cosine, metric, mark, _capital(family), depth)
        _control_bands(axes, table, metric)
        if matched is not None:
            _headroom(axes, 0.08)
            _vertical(axes, matched, _pair_name(matched), side="left")
        axes.set(xlabel=COSINE, ylabel=f"{metric} on captions of images (points)")
        figure.legend(loc="outside upper left", ncols=4, handletextpad=0.5, columnspacing=1.4, fontsize=9)
    return figure


def noise_ruler(table: pd.DataFrame, matched: float | None = None) -> Figure:
    """Draw the measured mean cosine of every condition's noise, one row a family.

    Args:
        table: columns family and cosine; conditions without noise (no cosine, or a cosine of 1) are left out.
        matched: the mean cosine of matched image-text pairs, drawn as a vertical line.
    """
    rows = table[table.family.isin([*FAMILIES, "shuffled"]) & table.cosine.notna()]
    families = [family for family in (*FAMILIES, "shuffled") if family in set(rows.family)]
    with style():
        figure, axes = blank_chart(height=1.3 + 0.34 * len(families))
        _angle_scale(axes, rows, matched)
        for height, family in enumerate(reversed(families)):
            mark = FAMILIES.get(family, _SHUFFLED)
            axes.plot(
                rows.cosine[rows.family == family], 0 * rows.cosine[rows.family == family] + height,
                color=mark.colour, marker=mark.marker, markeredgecolor=PAPER, markeredgewidth=0.7,
                markersize=8, linewidth=0.8, linestyle="-",
            )  # fmt: skip
        axes.set_yticks(range(len(families)), [_capital(family) for family in reversed(families)])
        axes.tick_params(axis="y", length=0)
        axes.set(ylim=(-0.6, len(families) + 0.1), xlabel=COSINE)
        if matched is not None:
            _vertical(axes, matched, _pair_name(matched), side="left")
    return figure


def noise_curve(
    table: pd.DataFrame,
    law: float | None,
    metric: str = "CIDEr",
    reconstruction: pd.DataFrame | None = None,
    chosen: float | None = None,
) -> Figure:
    """Draw `metric` against the variance of Gaussian noise, with the interval as a ribbon.

    Args:
        table: as for `quality_against_cosine`; the rows of family "gaussian" make the curve, "none" a band.
        law: the per-coordinate variance v* = (1/c² - 1)/d that the calibration law predicts, if it has one.
        metric: the metric's column.
        reconstruction: the same captioners' scores text to text, drawn as a second curve; its row of family
            "text to text" is a band.
        chosen: the variance with the highest score on validation images; its point is ringed.
    """
    with style():
        figure, axes = blank_chart(height=4.8)
        axes.set_xscale("log")
        plain = table[table.family.isin(["gaussian", "none"])]
        controls = _noise_sweep(axes, plain, metric, FAMILIES["gaussian"], "from images")
        if reconstruction is not None:
            controls += _noise_sweep(axes, reconstruction, metric, RECONSTRUCTION, "text to text")
        _name_bands(axes, controls, metric)
        if chosen is not None:
            _ring(axes, table, chosen, metric)
        _headroom(axes, 0.2)
        _variance_marks(axes, law)
        _plain_decades(axes.xaxis)
        axes.set(xlabel="Variance of the Gaussian noise, per coordinate", ylabel=f"{metric} (points)")
        _deviation_axis(axes)
        figure.legend(loc="outside upper left", ncols=3, handletextpad=0.5, columnspacing=1.4, fontsize=9)
    return figure


def _noise_sweep(axes: Axes, table: pd.DataFrame, metric: str, mark: Mark, label: str) -> list[dict]:
    """Draw one curve over the variances with its ribbon and the score without noise; return that row."""
    rows = table[table.family == "gaussian"].sort_values("variance")
    _curve(axes, rows, rows.variance, metric, mark, label=f"Gaussian, {label}")
    low, high = _interval(rows, metric)
    axes.fill_between(rows.variance, low, high, color=mark.colour, alpha=0.15, linewidth=0)
    controls = table[table.family != "gaussian"].to_dict("records")
    _draw_bands(axes, controls, metric)
    return controls


def _ring(axes: Axes, table: pd.DataFrame, variance: float, metric: str) -> None:
    row = table[(table.family == "gaussian") & (table.variance == variance)].iloc[0]
    axes.plot(
        row.variance, POINTS * row[metric], marker="o", markersize=13, markerfacecolor="none",
        markeredgecolor=INK, markeredgewidth=1.3, linestyle="none", label="highest on validation images",
    )  # fmt: skip


def _variance_marks(axes: Axes, law: float | None) -> None:
    marks = {"CapDec": 0.016, "Study A": 0.05}
    if law is not None and np.isfinite(law):
        marks["v* of the calibration law"] = law
    for rank, (name, variance) in enumerate(sorted(marks.items(), key=lambda item: -item[1])):
        _vertical(axes, variance, f"{name}: {variance:.3g}", rank=rank)


def contrast_forest(table: pd.DataFrame, metric: str = "CIDEr") -> Figure:
    """Draw each difference with its 95% interval, in the table's order, its numbers beside it.

    Args:
        table: columns family, label, difference, low, high (in the metric's own value), p (Holm), and sign,
            which is 0 where the difference is not beyond doubt.
        metric: the metric that differs, for the axis.
    """
    _check_families(table)
    heights = np.arange(len(table))[::-1]
    with style():
        figure, axes = blank_chart(height=1.3 + 0.42 * len(table))
        axes.axvline(0, color=MUTED, linewidth=1)
        for height, row in zip(heights, table.to_dict("records"), strict=True):
            _difference(axes, float(height), row)
        axes.set_yticks(heights, [label.replace(" − ", "\n− ") for label in table.label], fontsize=9)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set(ylim=(-0.6, len(table) - 0.1))
        axes.text(1.02, 1, "Difference [interval]", **_HEADING, transform=axes.transAxes)
        axes.text(1.42, 1, "p (Holm)", **_HEADING, transform=axes.transAxes)
        axes.set_xlabel(f"Difference in {metric}, first minus second (points, 95% interval)")
    return figure


def blank_chart(height: float) -> tuple[Figure, Axes]:
    """Return a figure (sizes in inches) that no pyplot window or notebook backend knows of."""
    figure = Figure(figsize=(7.7, height))
    return figure, figure.add_subplot()


def _difference(axes: Axes, height: float, row: Mapping[str, Any]) -> None:
    """Draw one difference; its marker is filled where the difference is beyond doubt."""
    mark = {**FAMILIES, **CONTROLS}[row["family"]]
    face = mark.colour if row["sign"] else PAPER
    triple = (row["difference"], row["low"], row["high"])
    estimate(axes, triple, height, mark, markersize=8, markerfacecolor=face)
    interval = with_interval(row["difference"], row["low"], row["high"], signed=True)
    beside: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 9}
    axes.text(1.02, height, interval, **beside)
    axes.text(1.42, height, p_text(row["p (Holm)"]), **beside)


def _curve(
    axes: Axes, rows: pd.DataFrame, x: pd.Series, metric: str, mark: Mark, label: str, depth: int = 0
) -> None:
    """Draw points, intervals and line; a greater depth lies under a smaller one."""
    curve(
        axes, x, rows, metric, mark, elinewidth=1.2, markeredgecolor=PAPER, markeredgewidth=0.7, label=label,
        zorder=3 - 0.1 * depth,
    )  # fmt: skip


def _interval(rows: pd.DataFrame, metric: str) -> tuple[pd.Series, pd.Series]:
    return POINTS * rows[f"{metric}_low"], POINTS * rows[f"{metric}_high"]


def _control_bands(axes: Axes, table: pd.DataFrame, metric: str) -> None:
    """Draw the controls across the axes and name each at the right edge."""
    rows = [row for row in table.to_dict("records") if row["family"] in CONTROLS]
    _draw_bands(axes, rows, metric)
    _name_bands(axes, rows, metric)


def _draw_bands(axes: Axes, rows: list[dict], metric: str) -> None:
    for row in rows:
        mark = CONTROLS[row["family"]]
        low, high = POINTS * row[f"{metric}_low"], POINTS * row[f"{metric}_high"]
        axes.axhspan(low, high, color=mark.colour, alpha=0.1, linewidth=0)
        axes.axhline(POINTS * row[metric], color=mark.colour, linestyle=mark.line, linewidth=1.2)


def _name_bands(axes: Axes, rows: list[dict], metric: str) -> None:
    """Name each band at the right edge, names kept apart."""
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


def _pair_name(matched: float) -> str:
    return f"an image and its caption: {matched:.2f}".replace("-", "−")


def _angle_scale(axes: Axes, table: pd.DataFrame, matched: float | None) -> None:
    """Space the cosine axis by angle, so that cosines near 1 can be told apart; noise grows to the right."""
    axes.set_xscale("function", functions=(_angle, np.cos))
    lowest = float(np.nanmin([0.0, matched or 0.0, *table.loc[table.family.isin(FAMILIES), "cosine"]]))
    axes.set_xlim(np.cos(np.arccos(lowest) + 0.03), 1)  # the scale itself turns the axis round
    axes.xaxis.set_major_locator(FixedLocator([1, 0.99, 0.95, *np.arange(9, -11, -1) / 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
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


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _check_families(table: pd.DataFrame) -> None:
    unknown = sorted(set(table.family) - set(FAMILIES) - set(CONTROLS))
    if unknown:
        raise ValueError(f"no house style for family {', '.join(unknown)}")
