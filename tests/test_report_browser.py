"""A small book, executed, bound and opened in a real browser from a file, with the network denied."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from small_book import code, parameters, prose, write_notebook

from capdec_core import paths
from capdec_core.book import build_report, execute
from capdec_core.captioning.packaged import PHOTOGRAPHS

SETUP = """
import sys
import numpy as np
import pandas as pd
from capdec_core import figures, gallery, tables

chapter = gallery.Gallery(1, profile)
row = dict(label="Gaussian", family="gaussian", seeds=seeds, CIDEr=.5, CIDEr_low=.4, CIDEr_high=.6)
row |= dict(std=.1, noise_norm=1., cosine=.5)
table = pd.DataFrame([{**row, "variance": variance} for variance in (.01, .02)])
chapter.say(rf"The best has **{100 * table.CIDEr.max():.1f}** points at $v^\\ast$.")
print("a line of", "progress", file=sys.stderr)
"""
FIGURE = 'chapter.figure(figures.noise_curve(table, law=.02), "curve", caption="A curve.", alt="Rising.")'
TABLE = 'chapter.table(tables.score_columns(table, ["CIDEr"]), "all", caption="All.")'
PANEL = """
images = np.zeros((2, 8, 8, 3), dtype=np.uint8)
panel = gallery.caption_panel(images, ["a dog"] * 2, {"<one>": ["a cat"] * 2})
chapter.panel(panel, "captions", caption="Two images.")
"""
PROSE = r"""
## What came out

[Figure 1.1](#fig-curve) and [the table](#tab-all) show it, with $v^\ast = (1/c^2 - 1)/d$ and

$$\cos(x, x') \approx \frac{1}{\sqrt{1 + d v}}.$$
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report with one executed chapter."""
    folder = tmp_path_factory.mktemp("book")
    cells = [code(text, "hide-input") for text in (FIGURE, TABLE, PANEL)]
    notebook = write_notebook(
        folder / "notebooks" / "01_small.ipynb",
        prose("# 1. Small"),
        parameters(),
        code(SETUP),
        prose(PROSE),
        *cells,
    )
    shutil.copy(paths.NOTEBOOKS / "index.md", notebook.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPDEC_RESULTS", str(folder / "results"))
        execute(notebook, folder / "executed" / notebook.name, {"profile": "tiny", "seeds": 2})
    return build_report(folder / "executed", folder / "report", notebook.parent).parent


class _Resources(HTMLParser):
    """Collects what a page loads by itself: scripts, styles, images, frames."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "link" and values.get("rel") != "canonical":
            self.found.append(values.get("href", ""))
        if tag in {"script", "img", "iframe", "source", "video", "audio", "embed"}:
            self.found += [values.get("src", ""), *values.get("srcset", "").split(",")]
        self.found += re.findall(r"url\(['\"]?([^'\")]+)", values.get("style", ""))


def test_no_page_or_style_loads_anything_from_the_network(report):
    loaded = [
        r for page in report.rglob("*.html") for r in _Resources(page.read_text(encoding="utf-8")).found
    ]
    for sheet in report.rglob("*.css"):
        loaded += re.findall(r"(?:url\(|@import )\s*['\"]?([^'\")\s]+)", sheet.read_text(encoding="utf-8"))
    assert len(loaded) > 20
    assert not [resource for resource in loaded if re.match(r"\s*(https?:)?//", resource)]


def test_page_holds_results_prose_and_formulas_but_no_progress(report):
    page = (report / "01_small.html").read_text(encoding="utf-8")
    assert re.search(r'<a [^>]*href="#fig-curve"[^>]*>(<[^>]+>)*Figure 1\.1<', page)
    assert re.search(r'<a [^>]*href="#tab-all"[^>]*>(<[^>]+>)*the table<', page)
    assert "<strong>50.0</strong> points" in page
    assert page.count("<math") == 3
    assert "mathjax@" not in page
    assert "a line of progress" not in page
    assert "seeds</span>" in page
    index = (report / "index.html").read_text(encoding="utf-8")
    assert "1. Small" in index
    assert re.search(r"with the profile\s+<code[^>]*>(<[^>]+>)*tiny<", index)


@pytest.mark.parametrize("page_name", ["index.html", "01_small.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_opens_from_a_file_with_no_network(report, browser, scheme, page_name):
    context = browser.new_context(color_scheme=scheme, offline=True)
    page = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: errors.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((report / page_name).as_uri(), wait_until="load")
    images = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.alt, i.checkVisibility()])")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert not errors
    assert all(width > 0 and alt for width, alt, _ in images)
    charts, photographs = [scheme == "light", scheme == "dark"], [True] * len(PHOTOGRAPHS)
    expected = [*charts, True, True] if page_name == "01_small.html" else photographs
    assert [visible for *_, visible in images] == expected
    brightness = sum(map(int, re.findall(r"\d+", background)[:3])) / 3
    assert (brightness > 128) == (scheme == "light")
