"""Chapter 6's grid, verdicts and sentences, on made-up scores whose answers are known."""

import re
from dataclasses import replace

import numpy as np
import pytest
from small_decoding import SEED_EFFECTS, make_study
from small_study import MATERIAL

from capdec_core import figures_decoding
from capdec_core.cell import CellConfig, Decoded
from capdec_core.decoding import Beam, Contrastive, Greedy, Reranked, Sampling
from capdec_core.errors import CapdecError
from capdec_core.profiles import load_profile, profile_names
from capdec_core.studies import decoding, decoding_prose, decoding_tables, noise_types, phrases, record
from capdec_core.studies.conditions import cells_of
from capdec_core.studies.decoding_claims import WIDTH_MARGIN
from capdec_core.studies.decoding_names import name, way

SCENES = load_profile("scenes")
SENTENCES = (
    decoding_prose.in_short,
    decoding_prose.world,
    decoding_prose.same,
    decoding_prose.quality,
    decoding_prose.widths,
    decoding_prose.greedy,
    decoding_prose.diversity,
    decoding_prose.speed,
    decoding_prose.measured,
    decoding_prose.second_look,
    lambda study: phrases.detectable(study.contrasts),
)
RANDOM = ("top-k sampling", "nucleus sampling", "contrastive search")


def usual(captioner: str, told: str) -> float:
    """A world as one expects it: the default beam is best at one look, sampling costs, a second look gains."""
    if told in RANDOM:
        return 0.3
    if told.startswith("re-ranking"):
        return 0.9
    return {"beam 5": 0.8, "beam 10": 0.7, "beam 3": 0.7}.get(told, 0.6)


def reversed_world(captioner: str, told: str) -> float:
    """The other way round: sampling is best, a second look harms."""
    return 1.2 - usual(captioner, told)


def flat(captioner: str, told: str) -> float:
    """Nothing matters."""
    return 0.5


@pytest.fixture(scope="module")
def study():
    return make_study(usual)


@pytest.fixture(scope="module")
def level():
    return make_study(flat)


@pytest.mark.parametrize("name", profile_names())
def test_every_way_is_tried_on_every_captioner(name):
    profile = load_profile(name)
    found = decoding.conditions(profile, 2)
    captioners = [c for c in found if c.decoding is None]
    assert [(c.train_on, c.tuned) for c in captioners] == [("text", None), ("image", None), ("image", False)]
    ways = [c.decoding for c in found if c.family == captioners[0].family][1:]
    kinds = {type(each) for each in ways}
    assert kinds == {Greedy, Beam, Sampling, Contrastive, Reranked}
    assert {each.beams for each in ways if isinstance(each, Beam)} >= {1, 3, profile.decoding.beams}
    assert len({c.label for c in found}) == len(found) == 3 * (1 + len(ways))
    assert all(c.seeds == 2 for c in found)
    assert [each.looks_twice for each in ways] == sorted(each.looks_twice for each in ways)


def test_the_default_grid_is_the_whole_question():
    widths = [each.beams for each in decoding.ways(SCENES) if isinstance(each, Beam)]
    samplings = [each for each in decoding.ways(SCENES) if isinstance(each, Sampling)]
    assert widths == [1, 3, 5, 10]
    assert [(each.n, each.top_k is not None, each.top_p < 1) for each in samplings] == [
        (5, True, False),
        (5, False, True),
    ]


def test_captioners_are_chapter_2s_and_only_test_images_are_decoded_anew():
    shared = {cell.id for c in noise_types.conditions(SCENES, 3) for cell in cells_of(c, SCENES, MATERIAL)}
    for condition in decoding.conditions(SCENES, 3):
        cells = cells_of(condition, SCENES, MATERIAL)
        if condition.decoding is None:
            assert all(isinstance(cell, CellConfig) for cell in cells)
            assert ({cell.id for cell in cells} <= shared) is (condition.tuned is None)
        else:
            assert all(isinstance(cell, Decoded) for cell in cells)
            assert [[e.key for e in cell.evaluations] for cell in cells] == [["test/image"]] * 3


def test_a_grid_without_its_measure_is_refused():
    grid = SCENES.decoding_grid
    with pytest.raises(CapdecError, match=r"decoding_grid\.beams must hold decoding\.beams, 5"):
        decoding.ways(replace(SCENES, decoding_grid=replace(grid, beams=[1, 3])))
    with pytest.raises(CapdecError, match=r"variance 0\.5 is none of gaussian_variances"):
        decoding.conditions(replace(SCENES, decoding_grid=replace(grid, variance=0.5)), 1)


def test_a_table_has_one_row_a_captioner_and_way(study):
    assert len(study.table) == len(study.groups) == 3 * len(decoding.ways(study.profile))
    several = study.table[study.table["self-BLEU"].notna()]
    assert set(several.label) == {"Beam 5", "Top-k sampling", "Nucleus sampling"}
    assert several.set_index("label")["self-BLEU"]["Beam 5"].tolist() == [0.9] * 3
    twice = study.table[study.table["looks twice"]]
    assert set(twice.label) == {"Re-ranking samples", "Re-ranking beam 10"}


def test_speed_counts_every_caption_drawn(study):
    rows = study.table[study.table.captioner == "CapDec"].set_index("label")
    assert rows.speed["Greedy search"] == pytest.approx(1100)
    assert rows.speed["Nucleus sampling"] == pytest.approx(5 * 1100)
    assert rows.speed["Beam 10"] == pytest.approx(110)
    assert rows.speed_low["Beam 10"] == pytest.approx(100)
    assert rows.speed_high["Beam 10"] == pytest.approx(120)
    assert "takes 5.0 times as long as greedy search" in decoding_prose.speed(study)


def test_chair_is_a_ratio_of_sums(study):
    """15 of the 60 mentioned objects are not there; images that mention nothing weigh nothing."""
    found = study.hallucination(study.of("CapDec", study.default))
    assert found.value == pytest.approx(0.25)
    assert found.low < 0.25 < found.high
    assert found.n_seeds == 3


def test_where_nobody_knows_the_objects_there_is_no_chair(study):
    blind = make_study(flat, objects=False)
    assert "CHAIRi" in decoding_prose.second_look(study)
    assert "CHAIRi" not in decoding_prose.second_look(blind)
    known, unknown = decoding_tables.scores(study).columns, decoding_tables.scores(blind).columns
    assert [name for name in known if name not in unknown] == ["CHAIRi ↓"]


def test_differences_are_taken_training_by_training(study):
    """Trainings differ by far more than ways of decoding; that must not blur the difference."""
    found = next(c for c in study.contrasts if c.a == study.of("CapDec", study.greedy))
    assert found.estimate.value == pytest.approx(-0.2, abs=0.02)
    assert found.estimate.high - found.estimate.low < 0.1 < np.ptp(SEED_EFFECTS)
    assert found.estimate.n_seeds == 3
    assert study.difference(found.a, found.b).high > 0.1


def test_the_family_is_complete_and_corrected_together(study):
    ways = decoding.ways(study.profile)
    against_default, against_greedy = len(ways) - 2, 3
    assert len(study.contrasts) == 3 * (against_default + against_greedy)
    assert len({c.question for c in study.contrasts}) == len(study.contrasts)
    smallest = min(c.p_value for c in study.contrasts)
    assert smallest == pytest.approx(len(study.contrasts) / 2001)


def test_the_world_as_one_expects_it(study):
    best, sampling, contrastive, samples, beam = study.claims
    assert [claim.verdict for claim in study.claims] == ["supported"] * 5
    assert {c.sign for claim in (best, sampling, contrastive) for c in claim.evidence} == {-1}
    assert not any(way(c.a).looks_twice for c in best.evidence)
    assert all(way(c.a).looks_twice for claim in (samples, beam) for c in claim.evidence)
    assert name(way(best.evidence[0].a)) in ("beam 3", "beam 10")
    assert [len(claim.evidence) for claim in study.claims] == [18, 6, 3, 3, 3]
    assert beam.claim.endswith("helps: re-ranking beam 10 gives better captions than a beam of 5.")
    assert samples.reason == "Better: re-ranking samples (every captioner)."
    text = decoding_prose.in_short(study)
    assert "at one look:** CapDec, beam 5 (" in text
    assert re.search(r"At two:\*\* CapDec, re-ranking (samples|beam 10) \(", text)


def test_the_verdicts_turn_with_the_results():
    turned = make_study(reversed_world)
    assert [claim.verdict for claim in turned.claims] == ["not supported"] * 5
    best, sampling, *_, beam = turned.claims
    assert "top-k sampling" in best.reason
    assert best.evidence[0].sign == sampling.evidence[0].sign == 1
    assert beam.evidence[0].sign == -1
    assert beam.reason == "Worse: re-ranking beam 10 (every captioner)."


def test_where_nothing_matters_nothing_is_decided(level):
    assert [claim.verdict for claim in level.claims] == ["undecided"] * 5
    assert level.claims[0].reason.startswith("None is better; not separated: greedy search, beam 3, beam 10")
    assert "no way of decoding is separated from it" in decoding_prose.quality(level)
    assert level.claims[-1].reason == "Not separated: re-ranking beam 10 (every captioner)."


def test_a_single_captioner_on_which_another_way_is_better_decides():
    def split(captioner: str, told: str) -> float:
        return 1.0 if (captioner, told) == ("CapDec", "beam 10") else usual(captioner, told)

    best = make_study(split).claims[0]
    assert (best.verdict, best.reason) == ("not supported", "Better: beam 10 (CapDec).")


def test_captioners_of_which_the_same_is_said_are_named_together():
    def clipcap(captioner: str, told: str) -> float:
        return 1.0 if captioner != "CapDec" and told == "beam 10" else usual(captioner, told)

    assert make_study(clipcap).claims[0].reason == "Better: beam 10 (Tuned ClipCap and Frozen ClipCap)."


def test_a_second_look_must_help_every_captioner():
    def split(captioner: str, told: str) -> float:
        level = {"CapDec": 0.2, "Tuned ClipCap": 0.8}.get(captioner, 1.0)
        return level if told == "re-ranking beam 10" else usual(captioner, told)

    samples, beam = make_study(split).claims[-2:]
    assert samples.verdict == "supported"
    assert beam.verdict == "not supported"
    assert beam.reason == (
        "Better: re-ranking beam 10 (Frozen ClipCap). Worse: re-ranking beam 10 (CapDec). "
        "Not separated: re-ranking beam 10 (Tuned ClipCap)."
    )


def test_widths_are_equivalent_where_they_are(study, level):
    assert [test.equivalent for test in level.widths] == [True] * 6
    assert "Not shown" not in decoding_prose.widths(level)
    assert [test.equivalent for test in study.widths] == [False] * 6
    assert "Shown equivalent" not in decoding_prose.widths(study)
    assert all(test.margin == WIDTH_MARGIN for test in study.widths)


def test_without_another_width_nothing_is_said_of_width():
    alone = make_study(flat, beams=[5])
    assert alone.widths == []
    assert decoding_prose.widths(alone) == decoding_prose.same(alone) == ""


def test_greedy_search_and_a_beam_of_1_are_compared_word_by_word(study):
    assert "same words on 100% of images" in decoding_prose.same(study)
    assert study.same_answers(study.greedy, study.default) == 0


def test_only_beyond_doubt_is_called_better_or_worse(level):
    text = decoding_prose.greedy(level) + decoding_prose.second_look(level)
    assert not re.search(r"is (better|worse)", text)
    assert "is not separated from it (" in text


@pytest.mark.parametrize("world", [usual, reversed_world, flat])
def test_every_sentence_can_be_said_of_every_world(world):
    told = make_study(world)
    for sentence in SENTENCES:
        text = sentence(told)
        assert text
        assert not re.search(r"nan\b|None\b(?! is better)|\{|  ", text), text


def test_tables_have_a_row_a_line(study):
    grid = decoding_tables.grid(study).set_index("Way of decoding")
    assert len(grid) == len(decoding.ways(study.profile)) - 3
    assert grid["Looks at the image"].tolist()[-3:] == ["once", "twice", "twice"]
    assert grid["Captions an image"].max() == 5
    assert grid.Settings["Beam"] == "width 1, 3, 5, 10"
    assert grid.Settings["Contrastive search"] == "α 0.6, k 4"
    assert grid.Settings["Greedy search"] == "–"
    assert len(decoding_tables.scores(study)) == len(decoding_tables.diversity(study)) == len(study.table)
    speed = decoding_tables.speed(study).set_index("Way of decoding")
    assert speed["CapDec"]["Greedy search"] == "1100 [1000, 1200]"
    assert list(speed) == list(study.ways)
    assert len(decoding_tables.contrasts(study)) == len(study.contrasts)
    assert len(record.cells(study)) == 3 * 3 * (1 + len(decoding.ways(study.profile)))


def test_contrasts_stand_with_their_captioner(study):
    captioners = study.contrast_table.captioner.tolist()
    assert captioners == sorted(captioners, key=["CapDec", "Tuned ClipCap", "Frozen ClipCap"].index)
    assert study.contrast_table.question[0] == "Is greedy search better than beam 5?"


def test_the_panel_shows_every_way(study):
    shown = study.panel("CapDec")
    assert list(shown.systems) == study.table.label.tolist()[: len(shown.systems)]
    assert shown.systems["Beam 5"] == ["<beam 5>"] * 6 != shown.systems["Beam 3"]
    assert len(shown.images) == 6


def test_figures_show_every_way_of_every_captioner(study):
    for figure in (
        figures_decoding.diversity_figure(study.table),
        figures_decoding.speed_figure(study.table),
    ):
        assert [axes.get_title(loc="left") for axes in figure.axes] == [
            "CapDec",
            "Tuned ClipCap",
            "Frozen ClipCap",
        ]
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert "Beam 1, 3, 5, 10" in labels
        assert len(labels) == len(figures_decoding.MARKS)
    alt = figures_decoding.trade_off_alt(study.table, "speed", "Captions a second", 1)
    assert "CapDec: Greedy search 1.1e+03, 7" not in alt
    assert re.search(r"Frozen ClipCap: Greedy search 1100, \d+\.\d;", alt)


def test_the_forest_fills_what_is_beyond_doubt(study, level):
    for told, filled in ((study, True), (level, False)):
        figure = figures_decoding.contrasts_figure(told.contrast_table, told.compared_with)
        faces = {line.get_markerfacecolor() for axes in figure.axes for line in axes.lines[1:]}
        assert (figures_decoding.PAPER not in faces) is filled
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()][-1] == "Greedy search"
    assert "Greedy search -" in figures_decoding.contrasts_alt(study.contrast_table, study.compared_with)
