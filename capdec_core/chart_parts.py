"""Parts that the book's charts are drawn with: estimates with their intervals, an axis of doublings, values in words.

Scores are the metric's own values; what is drawn and told is in points.
"""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from capdec_core.chart_style import POINTS, Mark

Triple = tuple[float, float, float]
"""A value with the ends of its interval."""


def estimate(axes: Axes, triple: Triple, height: float, mark: Mark, **style: Any) -> None:
    """Draw a score, or a difference of scores, with its interval lying at a height of the axes.

    `style` goes to matplotlib's `errorbar`, over what the mark says.
    """
    middle, low, high = (POINTS * value for value in triple)
    drawn = {"color": mark.colour, "marker": mark.marker, "linestyle": "none"} | style
    axes.errorbar(middle, height, xerr=[[middle - low], [high - middle]], **drawn)


def curve(axes: Axes, x: Any, rows: pd.DataFrame, metric: str, mark: Mark, **style: Any) -> None:
    """Draw a metric's three columns of `rows` over `x` (one place a row), joined by the mark's line.

    `style` goes to matplotlib's `errorbar`, over what the mark says.
    """
    middle, low, high = (POINTS * rows[f"{metric}{end}"] for end in ("", "_low", "_high"))
    drawn = {"color": mark.colour, "marker": mark.marker, "linestyle": mark.line} | style
    axes.errorbar(x, middle, yerr=[middle - low, high - middle], **drawn)


def doublings(axes: Axes, values: Iterable[float]) -> None:
    """Space the horizontal axis by doublings and label these values alone."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(sorted(set(values))))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def spoken(triple: Triple, *, signed: bool = False) -> str:
    """Return a value with its interval in points for alternative texts: "71.2 (69.0 to 73.4)"."""
    middle, low, high = (f"{POINTS * value:{'+' if signed else ''}.1f}" for value in triple)
    return f"{middle} ({low} to {high})"
