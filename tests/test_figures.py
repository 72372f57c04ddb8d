"""Charts draw the table's intervals, name their units and come out the same; text from outside is escaped."""

import base64
import io
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colors
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from PIL import Image

from capdec_core import figures, gallery

D = 128


def _row(family: str, variance: float | None, cosine: float | None, score: float) -> dict:
    return {
        "family": family,
        "label": family,
        "variance": variance,
        "std": None if variance is None else variance**0.5,
        "noise_norm": None if variance is None else (D * variance) ** 0.5,
        "cosine": cosine,
        "seeds": 3,
        "CIDEr": score,
        "CIDEr_low": score - 0.02,
        "CIDEr_high": score + 0.03,
    }


@pytest.fixture
def table() -> pd.DataFrame:
    """Every family at three strengths, out of order, and the controls."""
    rows = [_row(family, None, None, 0.1 * (n + 1)) for n, family in enumerate(figures.CONTROLS)]
    for n, family in enumerate(figures.FAMILIES):
        rows += [
            _row(family, v, (1 + D * v) ** -0.5, 0.5 + 0.03 * n + v) for v in np.array([0.05, 0.004, 0.016])
        ]
    return pd.DataFrame(rows)


@pytest.fixture
def contrasts() -> pd.DataFrame:
    """Three differences, one below zero."""
    columns = ["family", "label", "difference", "low", "high"]
    values = [
        ("gaussian", "Gaussian", 0.25, 0.2, 0.31),
        ("gradient", "Gradient", -0.02, -0.05, 0.0),
        ("shuffled", "Shuffled", -0.3, -0.35, -0.2),
    ]
    return pd.DataFrame(values, columns=columns)


def _segments(figure: Figure) -> np.ndarray:
    """Return the error bars' ends, (n, 2, 2)."""
    bars = [c for c in figure.axes[0].containers if isinstance(c, ErrorbarContainer)]
    return np.array([segment for bar in bars for lines in bar.lines[2] for segment in lines.get_segments()])


def test_quality_draws_every_interval_of_every_family(table):
    figure = figures.quality_against_cosine(table)
    rows = table[table.family.isin(figures.FAMILIES)]
    drawn = {(round(x, 6), round(low, 6), round(high, 6)) for (x, low), (_, high) in _segments(figure)}
    assert drawn == {
        (round(r.cosine, 6), round(100 * r.CIDEr_low, 6), round(100 * r.CIDEr_high, 6))
        for r in rows.itertuples()
    }


def test_quality_draws_controls_as_named_bands(table):
    axes = figures.quality_against_cosine(table).axes[0]
    bands = {(round(p.get_y(), 6), round(p.get_y() + p.get_height(), 6)) for p in axes.patches}
    rows = table[table.family.isin(figures.CONTROLS)]
    assert bands == {(round(100 * r.CIDEr_low, 6), round(100 * r.CIDEr_high, 6)) for r in rows.itertuples()}
    assert set(figures.CONTROLS) <= {text.get_text() for text in axes.texts}


def test_noise_grows_to_the_right_in_both_charts(table):
    """The cosine axis runs from 1 down and is spaced by angle; the variance axis runs up."""
    axes = figures.quality_against_cosine(table).axes[0]
    place = axes.transData.transform([(1, 0), (0.5**0.5, 0), (0, 0)])[:, 0]
    assert place[0] < place[1] < place[2]
    assert place[1] - place[0] == pytest.approx(place[2] - place[1])
    left, right = figures.noise_curve(table, law=0.02).axes[0].get_xlim()
    assert left < right


def test_noise_curve_draws_ribbon_bars_and_the_three_marks(table):
    figure = figures.noise_curve(table, law=0.0184)
    axes = figure.axes[0]
    rows = table[table.family == "gaussian"].sort_values("variance")
    assert np.allclose(np.sort(_segments(figure)[:, 0, 0]), rows.variance)
    assert np.allclose(np.sort(_segments(figure)[:, 1, 1]), 100 * rows.CIDEr_high)
    ribbon = axes.collections[-1].get_paths()[0].get_extents()
    assert np.allclose([ribbon.ymin, ribbon.ymax], [100 * rows.CIDEr_low.min(), 100 * rows.CIDEr_high.max()])
    vertical = {line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1}
    assert {0.0184, 0.016, 0.05} <= vertical
    assert axes.get_xscale() == "log"


def test_forest_draws_and_prints_each_interval(contrasts):
    figure = figures.contrast_forest(contrasts)
    ends = _segments(figure)[:, :, 0]
    assert np.allclose(ends, 100 * contrasts[["low", "high"]])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["+25.0 [+20.0, +31.0]", "−2.0 [−5.0, +0.0]", "−30.0 [−35.0, −20.0]"]


def test_axes_name_what_they_measure_and_in_what(table, contrasts):
    quality = figures.quality_against_cosine(table, matched=0.4).axes[0]
    curve = figures.noise_curve(table, law=0.02).axes[0]
    forest = figures.contrast_forest(contrasts).axes[0]
    assert "cosine" in quality.get_xlabel()
    assert "Variance" in curve.get_xlabel()
    assert "Standard deviation" in curve.child_axes[0].get_xlabel()
    for label in (quality.get_ylabel(), curve.get_ylabel(), forest.get_xlabel()):
        assert "CIDEr" in label
        assert "points" in label


def test_unknown_family_is_refused(table):
    with pytest.raises(ValueError, match="no house style for family laplace"):
        figures.quality_against_cosine(pd.concat([table, pd.DataFrame([_row("laplace", 0.1, 0.5, 0.5)])]))


def test_svg_is_the_same_whatever_the_readers_settings(table):
    first = gallery.svg_bytes(figures.noise_curve(table, law=0.02))
    with matplotlib.rc_context({"font.size": 20, "svg.hashsalt": "other", "axes.facecolor": "red"}):
        second = gallery.svg_bytes(figures.noise_curve(table, law=0.02))
    assert first == second
    assert b"<text" not in first
    assert b"dc:date" not in first


# Simulated colour vision, severity 1 (Machado, Oliveira and Fernandes 2009), on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def _linear(colour: str) -> np.ndarray:
    value = np.array(colors.to_rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _luminance(colour: str) -> float:
    return float(_linear(colour) @ [0.2126, 0.7152, 0.0722])


def _lab(linear: np.ndarray) -> np.ndarray:
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(matrix @ np.clip(linear, 0, 1) / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_families_differ_in_marker_and_in_colour_to_every_reader():
    marks = list(figures.FAMILIES.values())
    assert len({mark.marker for mark in marks}) == len(marks)
    for matrix in VISION.values():
        lab = [_lab(np.array(matrix) @ _linear(mark.colour)) for mark in marks]
        distances = [np.linalg.norm(a - b) for i, a in enumerate(lab) for b in lab[:i]]
        assert min(distances) > 15


@pytest.mark.parametrize("page", ["#ffffff", "#121212"])
def test_colours_stand_out_on_both_pages(page):
    """Contrast of at least 3 to 1, what WCAG 2.2 asks of graphics (1.4.11)."""
    for mark in figures.FAMILIES.values():
        bright, dim = sorted([_luminance(mark.colour), _luminance(page)], reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 3


@given(st.lists(st.floats(-100, 100), max_size=8), st.floats(0.1, 10))
def test_spread_parts_neighbours_and_keeps_order(values, gap):
    placed = figures.spread(values, gap)
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.array(placed)[order]) >= gap - 1e-9)
    assert np.mean(placed or [0]) == pytest.approx(np.mean(values or [0]), abs=1e-6)


@pytest.fixture
def shown(monkeypatch, tmp_path) -> list[str]:
    """The HTML of what is displayed, in order; figures are saved under a temporary folder."""
    pages: list[str] = []
    monkeypatch.setattr(gallery, "display", lambda html: pages.append(html.data))
    monkeypatch.setattr(gallery.paths, "RESULTS", tmp_path)
    return pages


def test_gallery_numbers_escapes_and_saves(shown, tmp_path, table):
    chapter = gallery.Gallery(2, "tiny")
    for name in ("one", "two", "one"):
        chapter.figure(figures.noise_curve(table, law=0.02), name, caption="a < b", alt='"quoted" & more')
    chapter.table(gallery.with_intervals(table, ["CIDEr"]), "all", caption="Everything.")
    assert [re.search('data-label="([^"]+)"', page)[1] for page in shown] == [
        "Figure 2.1", "Figure 2.2", "Figure 2.1", "Table 2.1",
    ]  # fmt: skip
    assert 'id="fig-one"' in shown[0]
    assert "a &lt; b" in shown[0]
    assert shown[0].count('alt="&quot;quoted&quot; &amp; more"') == 2
    saved = sorted(path.name for path in (tmp_path / "figures" / "tiny").iterdir())
    assert saved == ["02_one.png", "02_one.svg", "02_two.png", "02_two.svg"]


def test_dark_drawing_keeps_the_data_and_changes_the_ink(shown, table):
    gallery.Gallery(2, "tiny").figure(figures.noise_curve(table, law=0.02), "one", caption="c", alt="a")
    light, dark = (base64.b64decode(data).decode() for data in re.findall('base64,([^"]+)', shown[0]))
    assert figures.INK in light
    assert not {figures.INK, figures.MUTED, figures.GRID, figures.PAPER} & set(
        re.findall("#[0-9a-f]{6}", dark)
    )
    colour = figures.FAMILIES["gaussian"].colour
    assert dark.count(colour) == light.count(colour) > 0


def test_reading_table_prints_points_with_their_interval(table):
    reading = gallery.with_intervals(table, ["CIDEr"])
    assert reading["CIDEr"][0] == "10.0 [8.0, 13.0]"
    assert reading["Variance"].tolist()[:5] == ["–", "–", "–", "–", "0.05"]


def test_caption_panel_escapes_text_and_keeps_pixels():
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    html = gallery.caption_panel(images, ["a <b>", "c"], {"<system>": ["<script>x</script>", "é"]})
    assert "<script" not in html
    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert "&lt;system&gt;" in html
    assert 'alt="a &lt;b&gt;"' in html
    pictures = [base64.b64decode(data) for data in re.findall('base64,([^"]+)', html)]
    decoded = np.stack([np.array(Image.open(io.BytesIO(picture))) for picture in pictures])
    assert np.array_equal(decoded, images)
