"""House style of the book's charts: how each family of noise and each control is drawn, on any page."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib

POINTS = 100
INK, MUTED, GRID, PAPER = "#1f2a35", "#5b6673", "#dfe3e8", "#ffffff"


@dataclass(frozen=True)
class Mark:
    """How a noise family is drawn, the same in every figure of the book: colour, marker, line style."""

    colour: str
    marker: str = "o"
    line: Any = "-"


FAMILIES: Mapping[str, Mark] = {
    "gaussian": Mark("#0072b2", "o"),
    "uniform ball": Mark("#b87400", "s"),
    "student t, literal": Mark("#a2471d", "X"),
    "student t, matched": Mark("#078055", "^"),
    "multivariate t": Mark("#549bc3", "D"),
    "gradient": Mark("#9d3f7a", "P"),
    "gradient, descending": Mark("#7a58f0", "p", (0, (4, 2))),
    "random direction": Mark("#949494", "v"),
    "fixed cosine": Mark("#f01860", "d"),
    "directed, unit norm": Mark("#7824fc", "<", "none"),
    "directed, raw norm": Mark("#5490f0", ">", "none"),
}
"""Families with a strength: curves. Hues near Okabe and Ito's (2008), deepened to show on white and black."""

CONTROLS: Mapping[str, Mark] = {
    "none": Mark(INK, line="-"),
    "shuffled": Mark(MUTED, line="--"),
    "language model alone": Mark(MUTED, line=":"),
    "text to text": Mark(INK, line="-."),
    "trained on images": Mark(INK, line=(0, (6, 2))),
    "pretrained": Mark(INK, line=(0, (3, 1, 1, 1))),
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
