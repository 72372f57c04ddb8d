"""Chapter 5's sentences and charts follow from the results, whatever they are."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from small_prefix_length import make_study
from test_prefix_length import by_size, dead, falling, flat, peaked, rising

from capdec_core import chart_style, gallery
from capdec_core import figures_prefix_length as figures
from capdec_core.studies import prefix_length_fit
from capdec_core.studies import prefix_length_prose as prose
from capdec_core.studies.prefix_length_evidence import MARGIN
from capdec_core.studies.prefix_length_grid import FAMILIES
from capdec_core.tables import points

SENTENCES = (
    prose.in_short,
    prose.setting,
    prose.bottleneck,
    prose.sizes,
    prose.trends,
    prose.twenty,
    prose.size_or_length,
    prose.tuning,
    prefix_length_fit.losses,
    prose.front,
    prose.cost,
    prose.smallest_p,
    prose.published_note,
)


@pytest.fixture(scope="module")
def studies():
    worlds = (rising, falling, flat, by_size, peaked)
    made = {world.__name__: make_study(world) for world in worlds}
    return made | {"dead": make_study(dead, error=0.0, resamples=50)}


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda s: s.__name__)
def test_every_sentence_is_said_in_every_world(sentence, studies):
    for study in studies.values():
        text = sentence(study)
        assert text == text.strip()
        assert not re.search(r"\bnan\b|None[,.;]|\binf\b|  ", text)


def test_the_answer_turns_with_the_results(studies):
    assert "before a frozen language model rises: +" in prose.in_short(studies["rising"])
    assert "before a frozen language model falls: −" in prose.in_short(studies["falling"])
    assert "is not shown to move" in prose.in_short(studies["dead"])
    assert "is better than that before a frozen one: +" in prose.in_short(studies["rising"])
    assert "“20 is not always better than 10”: supported" in prose.in_short(studies["peaked"])


def test_trends_are_counted_with_their_slopes(studies):
    text = prose.trends(studies["by_size"])
    assert text.count("Of the 4 mappers 1 rise with k over Study B's lengths, 0 fall and 3 are not") == 2
    slope = studies["by_size"].findings.trends["mlp, frozen"].estimate
    assert f"MLP {points(slope.value, signed=True)} [" in text
    assert "Of the 4 mappers 0 rise with k over Study B's lengths, 4 fall" in prose.trends(studies["falling"])


def test_the_published_steps_come_from_the_data_file(studies):
    text = prose.twenty(studies["rising"])
    assert "by +0.02, +0.24 and −1.14 points" in text  # 53.4 − 53.38, 40.98 − 40.74, 30.57 − 31.71
    assert "k = 20 is better in 8, worse in none and not separated in none" in text
    assert "is −0.4 points of BLEU-4 from ClipCap's 32.15" in prose.tuning(studies["rising"])


def test_size_is_told_from_length(studies):
    text = prose.size_or_length(studies["by_size"])
    assert (
        text.count("2.0 times the trainable parameters, is better than the other") == 1
    )  # frozen: 1148.8 / 575.0
    assert "is not separated from the other" in prose.size_or_length(studies["flat"])


def test_losses_say_who_gains(studies):
    text = prefix_length_fit.losses(studies["rising"])
    assert "Both fit them better for a longer prefix" in text
    assert "is before the frozen language model 1.50 at k = 1, and 1.07 at k = 40" in text
    assert "enough vectors make up for it" in text  # 1.07 is below the tuned one's 1.20 at k = 1
    assert "does not even fit" not in text
    assert "Neither fits them better" in prefix_length_fit.losses(studies["falling"])


def test_a_prefix_too_long_for_its_training_is_told_from_one_learnt_by_heart(studies):
    text = prefix_length_fit.losses(
        studies["peaked"]
    )  # linear and frozen stays level, so the mean is lowest at 10
    assert re.search(r"1\.45 at k = 1, 1\.20 at k = 10, and 1\.35 at k = 40", text)
    assert (
        "Before either language model the longest prefix does not even fit the training captions best" in text
    )


def test_a_language_model_narrower_than_the_embedding_needs_several_vectors(studies):
    assert "only from k = 8 on" in prose.bottleneck(studies["rising"])  # 512 / 64


def test_the_smallest_that_reaches_the_best_is_named(studies):
    study = studies["flat"]
    best = study.table.loc[study.table.CIDEr.idxmax()]
    reaching = study.table[study.table.CIDEr_high >= best.CIDEr]
    smallest = reaching.loc[reaching.trainable.idxmin()]
    assert f"“{best.label}”" in prose.front(study)
    assert f"{smallest.trainable:,} (exploratory)" in prose.front(study)


def test_the_floor_of_p_values_is_said_and_held(studies):
    study = studies["rising"]
    floor = min(test.p_value for test in study.findings.tests)
    assert f"smaller than {floor:.3f}." in prose.smallest_p(study)


def test_shared_cells_are_counted(studies):
    text = prose.setting(studies["flat"])
    assert "40 conditions and 82 trained captioners" in text
    assert "so 6 captioners stand in both rows" in text


def _ends(axes) -> set[tuple[float, float]]:
    bars = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
    segments = [s for bar in bars for lines in bar.lines[2] for s in lines.get_segments()]
    return {(round(float(s[0, 1]), 6), round(float(s[1, 1]), 6)) for s in segments}


def test_quality_draws_every_interval_in_its_own_panel(studies):
    table = studies["peaked"].table
    panels = figures.quality_figure(table).axes
    for axes, tuned in zip(panels, (False, True), strict=True):
        rows = table[table.tuned == tuned]
        assert _ends(axes) == {
            (round(100 * r.CIDEr_low, 6), round(100 * r.CIDEr_high, 6)) for r in rows.itertuples()
        }
        assert ("tuned" in axes.get_title(loc="left")) == tuned
        assert axes.get_xlabel() == "Prefix length k"
    assert "points" in panels[0].get_ylabel()


def test_size_draws_all_conditions_and_the_front_on_a_log_axis(studies):
    study = studies["peaked"]
    axes = figures.size_figure(study.table, study.front).axes[0]
    assert axes.get_xscale() == "log"
    drawn = {
        (round(x), round(y, 6)) for c in axes.containers for x, y in zip(*c.lines[0].get_data(), strict=True)
    }
    assert drawn == {(r.trainable, round(100 * r.CIDEr, 6)) for r in study.table.itertuples()}
    stair = next(line for line in axes.lines if line.get_label() == "Pareto front")
    assert stair.get_ydata()[:-1] == pytest.approx(100 * study.front.CIDEr)


def test_only_what_is_decided_is_filled_and_the_margin_is_drawn(studies):
    found = studies["peaked"].findings
    panels = figures.tests_figure(found).axes
    for axes, tests in zip(panels, (found.trends, found.step, found.step_cider), strict=True):
        markers = [c.lines[0] for c in axes.containers if isinstance(c, ErrorbarContainer)]
        filled = [to_hex(marker.get_markerfacecolor()) != chart_style.PAPER for marker in markers]
        assert filled == [tests[family].sign != 0 for family in FAMILIES]
    band = panels[1].patches[-1].get_extents().transformed(panels[1].transData.inverted())
    assert [band.x0, band.x1] == pytest.approx([-100 * MARGIN, 100 * MARGIN])


def test_loss_draws_what_the_table_says(studies):
    table = studies["rising"].table
    lines = figures.loss_figure(table).axes[1].lines
    rows = table[table.family == "linear, tuned"].sort_values("k")
    assert any(np.allclose(line.get_ydata(), rows.loss) for line in lines)


def test_charts_of_a_dead_world_are_drawn_all_the_same(studies):
    study = studies["dead"]
    for figure in (
        figures.quality_figure(study.table),
        figures.size_figure(study.table, study.front),
        figures.tests_figure(study.findings),
        figures.loss_figure(study.table),
    ):
        assert gallery.svg_bytes(figure)


def test_alternative_texts_hold_the_charts_numbers(studies):
    study = studies["rising"]
    first = study.line("mlp, frozen").iloc[0]
    assert f"MLP, language model frozen: 1: {100 * first.CIDEr:.1f}" in figures.quality_alt(study.table)
    assert "18.5 k to 4.02 M" in figures.size_alt(study.table, study.front)
    assert f": {100 * study.front.CIDEr.iloc[-1]:.1f}." in figures.size_alt(study.table, study.front)
    slope = study.findings.trends["mlp, frozen"].estimate
    assert f"per doubling {100 * slope.value:+.1f} (" in figures.tests_alt(study.findings)
    assert "MLP, language model frozen: 1.50 at 1, 1.07 at 40" in figures.loss_alt(study.table)


def test_mappers_differ_in_colour_marker_and_line():
    for part in ("colour", "marker", "line"):
        assert len({str(getattr(mark, part)) for mark in figures.MARKS.values()}) == len(figures.MARKS)
    assert {mark.colour for mark in figures.MARKS.values()} <= {
        mark.colour for mark in chart_style.FAMILIES.values()
    }  # those are held apart, and against both pages, by the house style's own test
