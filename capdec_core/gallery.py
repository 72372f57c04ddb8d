"""Showing figures, tables, caption panels and claims: one HTML form for JupyterLab, Colab and the report alike."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure
from PIL import Image

from capdec_core import paths
from capdec_core.chart_style import GRID, INK, MUTED, PAPER, style
from capdec_core.encoders import RELATED, WITH_MINILM
from capdec_core.files import write_atomic
from capdec_core.profiles import load_profile, profile_names
from capdec_core.tables import html_table

EMPTY = "<em>(no words)</em>"
TALL = 16
"""A table of more rows scrolls in a window of its own in the report."""
_HASHED = re.compile(rb'(?<=["#])([a-z])[0-9a-f]{10}\b')
_DARK = {INK: "#e6e9ec", MUTED: "#a3adb8", GRID: "#343c46", PAPER: "#121212"}


class Gallery:
    """The figures, tables and computed paragraphs of one chapter: counted, shown, the figures kept on disk.

    Prose refers to what is shown under the name `quality` as `[Figure 2.1](#fig-quality)` or
    `[Table 2.1](#tab-quality)`; the report's build fails on a name that does not exist.
    """

    def __init__(self, chapter: int, profile: str) -> None:
        """Begin a chapter; figures go to `results/figures/<profile>/<chapter>_<name>.svg` and `.png`."""
        self.chapter = chapter
        self.folder = paths.RESULTS / "figures" / profile
        self._related = profile in profile_names() and load_profile(profile).encoder.model in WITH_MINILM
        self._names: dict[str, list[str]] = {"Figure": [], "Table": []}

    def figure(self, figure: Figure, name: str, caption: str, alt: str) -> None:
        """Show a chart with its number, caption and alternative text, and save it."""
        svg = svg_bytes(figure)
        stem = self.folder / f"{self.chapter:02d}_{name}"
        write_atomic(stem.with_suffix(".svg"), svg)
        write_atomic(stem.with_suffix(".png"), _png(figure))
        light = _chart(svg, "light", alt, f"background:{PAPER}")
        # The report's style shows the second on a dark page.
        dark = _chart(for_dark_page(svg), "dark", alt, "display:none")
        self._show("Figure", name, caption, light + dark)

    def panel(self, html: str, name: str, caption: str) -> None:
        """Show HTML that is a figure in the reader's eyes, such as a `caption_panel`."""
        self._show("Figure", name, caption, html)

    def table(
        self,
        table: pd.DataFrame,
        name: str,
        caption: str,
        groups: Sequence[str] | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        """Show a table with its number and caption; cells, groups and ids as `tables.html_table` takes them."""
        kind = "table-scroll tall" if len(table) > TALL else "table-scroll"
        self._show("Table", name, caption, f'<div class="{kind}">{html_table(table, groups, ids)}</div>')

    def claims(self, cards: Sequence["ClaimCard"], name: str, caption: str) -> None:
        """Show claims with their verdicts as a table of the chapter."""
        self._show("Table", name, caption, claim_cards(cards))

    def say(self, text: str) -> None:
        """Show a paragraph of Markdown whose numbers, or whose wording, come from the results."""
        display(Markdown(text))

    def _show(self, kind: str, name: str, caption: str, body: str) -> None:
        names = self._names[kind]
        if name not in names:
            names.append(name)
        label = f"{kind} {self.chapter}.{names.index(name) + 1}"
        if self._related and "MiniLM" in f"{caption} {body}":
            caption = f"{caption} {RELATED}"
        text = f"<figcaption><strong>{label}.</strong> {escape(caption)}</figcaption>"
        inside = text + body if kind == "Table" else body + text
        anchor = f"{kind[:3].lower()}-{name}"
        display(HTML(f'<figure id="{anchor}" class="book" data-label="{label}">{inside}</figure>'))


def svg_bytes(figure: Figure) -> bytes:
    """Return the figure as SVG: the same figure gives the same bytes, its text is outlines.

    Matplotlib names a clipping path by a hash of its corners to the last bit, in which the layout's solver is not the
    same from run to run; such names are numbered instead.
    """
    stream = io.BytesIO()
    with style():
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    numbers: dict[bytes, int] = {}
    return _HASHED.sub(
        lambda found: found[1] + b"%d" % numbers.setdefault(found[0], len(numbers)), stream.getvalue()
    )


def caption_panel(images: np.ndarray, references: Sequence[str], systems: Mapping[str, Sequence[str]]) -> str:
    """Return an HTML table with each image beside a reference caption and every system's.

    Args:
        images: uint8 (n, height, width, 3); small ones are scaled up without smoothing.
        references: one reference caption an image; it is the image's alternative text as well.
        systems: name of a system to its n captions. All text is escaped.
    """
    rows = []
    for index, image in enumerate(images):
        lines = {"Reference": references[index], **{name: texts[index] for name, texts in systems.items()}}
        rows.append(_panel_rows(image, lines))
    return f'<div class="table-scroll"><table class="captions">{"".join(rows)}</table></div>'


def _panel_rows(image: np.ndarray, lines: Mapping[str, str]) -> str:
    picture = (
        f'<td rowspan="{len(lines)}"><img src="{_data_uri(_image_png(image), "png")}" width="144" '
        f'alt="{escape(lines["Reference"])}" style="image-rendering:pixelated"></td>'
    )
    cells = [
        f'<th scope="row" style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(text) or EMPTY}</td>'
        for name, text in lines.items()
    ]
    return f"<tbody><tr>{picture}{cells[0]}</tr>{''.join(f'<tr>{cell}</tr>' for cell in cells[1:])}</tbody>"


def _image_png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG")
    return stream.getvalue()


def _chart(svg: bytes, page: str, alt: str, css: str) -> str:
    source = _data_uri(svg, "svg+xml")
    return f'<img class="chart {page}" src="{source}" alt="{escape(alt)}" style="max-width:100%;{css}">'


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    with style():  # no "Software": it would hold matplotlib's version
        figure.savefig(stream, dpi=200, facecolor=PAPER, bbox_inches="tight", metadata={"Software": None})
    return stream.getvalue()


def for_dark_page(svg: bytes) -> bytes:
    """Return the drawing for a dark page: ink, grid and paper exchanged, the data's colours kept."""
    for light, dark in _DARK.items():
        svg = svg.replace(light.encode(), dark.encode())
    return svg


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@dataclass(frozen=True)
class ClaimCard:
    """A claim for showing: source, claim, verdict, reason, and the contrasts that decide it as a table."""

    source: str
    claim: str
    verdict: str
    reason: str
    evidence: pd.DataFrame


def claim_cards(cards: Sequence[ClaimCard]) -> str:
    """Return claims as HTML, each with its verdict, the reason and the contrasts that decide it."""
    return "".join(_card(card) for card in cards)


def _card(card: ClaimCard) -> str:
    verdict = escape(card.verdict)
    return (
        f'<section class="claim"><p><strong class="verdict {verdict.replace(" ", "-")}">{verdict}</strong> '
        f"{escape(card.source)}: “{escape(card.claim)}”</p><p>{escape(card.reason)}</p>"
        f'<div class="table-scroll">{html_table(card.evidence)}</div></section>'
    )
