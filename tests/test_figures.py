"""Charts draw the table's intervals, name their units and come out the same; text from outside is escaped."""

import base64
import io
import re
from html import escape

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

from capdec_core import chart_style, descriptions, figures, gallery, tables
from capdec_core.encoders import RELATED

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
    rows = [_row(family, None, None, 0.1 * (n + 1)) for n, family in enumerate(chart_style.CONTROLS)]
    for n, family in enumerate(chart_style.FAMILIES):
        rows += [
            _row(family, v, (1 + D * v) ** -0.5, 0.5 + 0.03 * n + v) for v in np.array([0.05, 0.004, 0.016])
        ]
    return pd.DataFrame(rows)


@pytest.fixture
def contrasts() -> pd.DataFrame:
    """Three differences, one below zero."""
    columns = ["question", "family", "label", "difference", "low", "high", "p (Holm)", "sign"]
    values = [
        ("Which?", "gaussian", "Gaussian − none", 0.25, 0.2, 0.31, 0.0004, 1),
        ("Which?", "gradient", "Gradient − none", -0.02, -0.05, 0.0, 0.3, 0),
        ("Which?", "shuffled", "Shuffled − none", -0.3, -0.35, -0.2, 0.004, -1),
    ]
    return pd.DataFrame(values, columns=columns)


def _segments(figure: Figure) -> np.ndarray:
    """Return the error bars' ends, (n, 2, 2)."""
    bars = [c for c in figure.axes[0].containers if isinstance(c, ErrorbarContainer)]
    return np.array([segment for bar in bars for lines in bar.lines[2] for segment in lines.get_segments()])


def test_quality_draws_every_interval_of_every_family(table):
    figure = figures.quality_against_cosine(table)
    rows = table[table.family.isin(chart_style.FAMILIES)]
    drawn = {(round(x, 6), round(low, 6), round(high, 6)) for (x, low), (_, high) in _segments(figure)}
    assert drawn == {
        (round(r.cosine, 6), round(100 * r.CIDEr_low, 6), round(100 * r.CIDEr_high, 6))
        for r in rows.itertuples()
    }


def test_quality_draws_controls_as_named_bands(table):
    axes = figures.quality_against_cosine(table).axes[0]
    bands = {(round(p.get_y(), 6), round(p.get_y() + p.get_height(), 6)) for p in axes.patches}
    rows = table[table.family.isin(chart_style.CONTROLS)]
    assert bands == {(round(100 * r.CIDEr_low, 6), round(100 * r.CIDEr_high, 6)) for r in rows.itertuples()}
    assert set(chart_style.CONTROLS) <= {text.get_text() for text in axes.texts}


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
    assert texts[0:6:2] == ["+25.0 [+20.0, +31.0]", "−2.0 [−5.0, 0.0]", "−30.0 [−35.0, −20.0]"]
    assert texts[1:6:2] == ["<0.001", "0.300", "0.004"]


def test_forest_fills_only_what_is_beyond_doubt(contrasts):
    axes = figures.contrast_forest(contrasts).axes[0]
    bars = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
    filled = [bar.lines[0].get_markerfacecolor() != chart_style.PAPER for bar in bars]
    assert filled == [True, False, True]


def test_ruler_puts_every_cosine_in_its_familys_row(table):
    axes = figures.noise_ruler(table, matched=0.4).axes[0]
    drawn = {
        name.get_text().lower(): sorted(line.get_xdata())
        for height, name in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
        for line in axes.lines
        if len(line.get_xdata()) == 3 and line.get_ydata()[0] == height
    }
    expected = {f: sorted(table.cosine[table.family == f]) for f in chart_style.FAMILIES}
    assert drawn == expected


def test_ruler_keeps_a_negative_matched_cosine_inside(table):
    axes = figures.noise_ruler(table, matched=-0.3).axes[0]
    assert min(axes.get_xlim()) < -0.3


def test_sweep_draws_reconstruction_beside_it_and_rings_the_choice(table):
    texts = table[table.family.isin(["gaussian", "text to text"])].copy()
    texts[["CIDEr", "CIDEr_low", "CIDEr_high"]] += 1
    figure = figures.noise_curve(table, law=float("nan"), reconstruction=texts, chosen=0.016)
    axes = figure.axes[0]
    ends = np.concatenate([table[table.family == "gaussian"].CIDEr_high, texts[1:].CIDEr_high])
    assert np.allclose(np.sort(_segments(figure)[:, 1, 1]), np.sort(100 * ends))
    ring = next(line for line in axes.lines if line.get_label() == "highest on validation images")
    chosen = table[(table.family == "gaussian") & (table.variance == 0.016)].iloc[0]
    assert [ring.get_xdata()[0], ring.get_ydata()[0]] == pytest.approx([0.016, 100 * chosen.CIDEr])
    assert not [text for text in axes.texts if "calibration" in text.get_text()]


def test_charts_of_scores_that_are_all_zero(table, contrasts):
    """A collapsed run has no spread anywhere; it is drawn all the same."""
    table[["CIDEr", "CIDEr_low", "CIDEr_high"]] = 0.0
    contrasts[["difference", "low", "high"]] = 0.0
    texts = table[table.family.isin(["gaussian", "text to text"])]
    for figure in (
        figures.quality_against_cosine(table, matched=0.4),
        figures.noise_curve(table, law=0.02, reconstruction=texts, chosen=0.016),
        figures.contrast_forest(contrasts),
    ):
        assert gallery.svg_bytes(figure)


def test_alternative_texts_hold_the_charts_numbers(table, contrasts):
    assert "gaussian: cosine 0.81 to 0.37, highest 55.0 at 0.37" in descriptions.of_quality(table)
    assert "trained on images 50.0" in descriptions.of_quality(table)
    assert "by variance: 0.004: 50.4, 0.016: 51.6, 0.05: 55.0" in descriptions.of_sweep(table, table)
    assert "Gradient − none: -2.0 (-5.0 to +0.0)" in descriptions.of_forest(contrasts)
    assert "gaussian 0.368 to 0.813" in descriptions.of_ruler(table)


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


def test_svg_is_the_same_where_the_layout_differs_by_rounding() -> None:
    def drawn(width: float) -> bytes:
        figure = Figure(figsize=(4, 3))
        axes = figure.add_axes((0.1, 0.1, width, 0.8))
        axes.plot([0, 1], [0, 1], "o-")
        return gallery.svg_bytes(figure)

    assert drawn(0.8) == drawn(0.8 + 1e-13)
    assert drawn(0.8) != drawn(0.7)
    assert b'clip-path="url(#p' in drawn(0.8)


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
    marks = list(chart_style.FAMILIES.values())
    assert len({mark.marker for mark in marks}) == len(marks)
    for matrix in VISION.values():
        lab = [_lab(np.array(matrix) @ _linear(mark.colour)) for mark in marks]
        distances = [np.linalg.norm(a - b) for i, a in enumerate(lab) for b in lab[:i]]
        assert min(distances) > 15


@pytest.mark.parametrize("page", ["#ffffff", "#121212"])
def test_colours_stand_out_on_both_pages(page):
    """Contrast of at least 3 to 1, what WCAG 2.2 asks of graphics (1.4.11)."""
    for mark in chart_style.FAMILIES.values():
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
    chapter.table(tables.score_columns(table, ["CIDEr"]), "all", caption="Everything.")
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
    assert chart_style.INK in light
    assert not {chart_style.INK, chart_style.MUTED, chart_style.GRID, chart_style.PAPER} & set(
        re.findall("#[0-9a-f]{6}", dark)
    )
    colour = chart_style.FAMILIES["gaussian"].colour
    assert dark.count(colour) == light.count(colour) > 0


def test_reading_tables_print_the_currency_and_points_with_their_interval(table):
    assert tables.score_columns(table, ["CIDEr"])["CIDEr"][0] == "10.0 [8.0, 13.0]"
    none = ["–"] * len(chart_style.CONTROLS)
    assert tables.noise_columns(table)["Variance"].tolist()[: len(none) + 1] == [*none, "0.05"]


def test_zero_in_points_has_no_sign():
    assert tables.with_interval(-0.0001, -0.2, 0.0004, signed=True) == "0.0 [−20.0, 0.0]"
    assert tables.with_interval(0.25, -0.001, 0.5, signed=True) == "+25.0 [−0.1, +50.0]"


def test_html_table_escapes_groups_and_gives_anchors():
    frame = pd.DataFrame({"<a>": ["x & y", tables.Markup("<b>z</b>")], "n": ["1.0 [0.5, 2.0]", None]})
    html = tables.html_table(frame, groups=["one", "<two>"], ids=['q"1', "q2"])
    assert "&lt;a&gt;" in html
    assert "x &amp; y" in html
    assert "<b>z</b>" in html
    assert '1.0 <span class="interval">[0.5, 2.0]</span>' in html
    assert html.count('class="group"') == 2
    assert "&lt;two&gt;" in html
    assert 'id="q&quot;1"' in html
    assert f">{tables.DASH}<" in html


def test_claim_cards_show_verdict_reason_and_evidence_escaped():
    evidence = pd.DataFrame({"Question": ["Is <a> better?"]})
    card = gallery.ClaimCard("Study A", "It was <best>.", "not supported", "b & c", evidence)
    html = gallery.claim_cards([card])
    assert 'class="verdict not-supported">not supported<' in html
    assert "It was &lt;best&gt;." in html
    assert "b &amp; c" in html
    assert "Is &lt;a&gt; better?" in html


def test_caption_panel_escapes_text_and_keeps_pixels():
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    html = gallery.caption_panel(images, ["a <b>", "c"], {"<system>": ["<script>x</script>", ""]})
    assert "<script" not in html
    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert "&lt;system&gt;" in html
    assert 'alt="a &lt;b&gt;"' in html
    assert html.count(gallery.EMPTY) == 1
    pictures = [base64.b64decode(data) for data in re.findall('base64,([^"]+)', html)]
    decoded = np.stack([np.array(Image.open(io.BytesIO(picture))) for picture in pictures])
    assert np.array_equal(decoded, images)


def test_p_values_read_as_sentences():
    assert tables.p_phrase(0.0049) == "p\u00a0=\u00a00.005"
    assert tables.p_phrase(0.0002) == "p\u00a0<\u00a00.001"


@pytest.mark.parametrize(("profile", "warns"), [("flickr8k", True), ("scenes", False)])
def test_a_judge_that_is_part_of_the_encoder_is_named(
    profile: str, warns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(gallery, "display", lambda html: shown.append(html.data))
    chapter = gallery.Gallery(2, profile)
    chapter.table(pd.DataFrame({"MiniLM": ["1"]}), "one", caption="Scores.")
    chapter.table(pd.DataFrame({"CIDEr": ["1"]}), "two", caption="Scores.")
    assert (escape(RELATED) in shown[0]) == warns
    assert escape(RELATED) not in shown[1]


def test_a_metric_of_which_nothing_is_known_has_no_column() -> None:
    table = pd.DataFrame({"label": ["a", "b"], "METEOR": [0.1, np.nan], "CHAIRi": [np.nan, np.nan]})
    shown = tables.score_columns(table, [], {"METEOR": "METEOR", "CHAIRi": "CHAIRi ↓"})
    assert list(shown) == ["Condition", "METEOR"]
    assert shown["METEOR"].tolist() == ["10.0", tables.DASH]
