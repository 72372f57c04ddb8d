"""Chapter 8 on made-up scores: what is luck is called luck, and verdicts turn when the results do."""

import re

import numpy as np
import pytest
from small_protocol import World, grid, is_baseline, make_protocol

from capdec_core import descriptions_protocol, figures_protocol
from capdec_core.gallery import svg_bytes
from capdec_core.profiles import load_profile
from capdec_core.protocol import expected_top_mean
from capdec_core.studies import cosine_directed, heads_layers, noise_types, protocol_tables
from capdec_core.studies import protocol_prose as prose
from capdec_core.studies.conditions import Condition
from capdec_core.studies.phrases import within_sentence
from capdec_core.studies.protocol_claims import EFFECT, of_protocol
from capdec_core.studies.protocol_scores import CAPTIONS, PUBLISHED, REFERENCES, SEED, WHOLE
from capdec_core.studies.protocol_systems import ALTERNATIVES, DIRECTED, GRADIENT, MAPPER_LAYERS, STUDENT
from capdec_core.studies.protocol_view import ProtocolStudy

SENTENCES = (
    prose.in_short, prose.world, prose.luck, prose.softer, prose.effect, prose.ranking, prose.halves,
    prose.choosers, prose.overlap, prose.number_of_images, prose.closing,
)  # fmt: skip


def at_its_best(condition: Condition) -> float:
    return 0.6 if is_baseline(condition) else 0.5


def beaten(condition: Condition) -> float:
    return {"gradient": 0.56, "student t, literal": 0.1}.get(condition.family, 0.5)


def small_gain(condition: Condition) -> float:
    return 0.53 if condition.family == "layers" else 0.5


@pytest.fixture(scope="module")
def equal() -> ProtocolStudy:
    """All systems are equally good, and trainings differ by luck alone."""
    return make_protocol(World())


@pytest.fixture(scope="module")
def best() -> ProtocolStudy:
    """The baseline is best by far, and a training repeats itself."""
    return make_protocol(World(at_its_best, luck=0.01, captions=0.01))


@pytest.fixture(scope="module")
def worse() -> ProtocolStudy:
    """The gradient is better than the baseline by far, Student t is destroyed, luck is small."""
    return make_protocol(World(beaten, luck=0.02, captions=0.02))


def verdicts(study: ProtocolStudy) -> list[str]:
    return [claim.verdict for claim in study.claims]


# The grid.


def test_all_of_study_as_systems_are_there_and_nothing_new_is_trained(equal: ProtocolStudy) -> None:
    profile = load_profile("scenes")
    groups = equal.alternatives
    assert list(groups) == list(ALTERNATIVES.values())
    assert [c.parameter for c in groups[STUDENT]] == [3, 5, 7, 10, 15, 20]
    assert [c.parameter for c in groups[GRADIENT]] == [0.01, 0.05, 0.1]
    assert [c.parameter for c in groups[MAPPER_LAYERS]] == [4, 6, 10, 16, 24]
    assert len(groups[DIRECTED]) == 1
    assert is_baseline(equal.systems[0])
    trained = {
        (c.noise, c.mapper, c.training, c.train_on, c.seeds)
        for module in (noise_types, heads_layers, cosine_directed)
        for c in module.conditions(profile, 3)
    }
    for condition in grid(3):
        key = (condition.noise, condition.mapper, condition.training, condition.train_on)
        assert any((*key, seeds) in trained for seeds in range(condition.seeds, 4))


def test_the_baseline_is_trained_twice_even_where_one_seed_is_asked_for() -> None:
    found = grid(1)
    assert [c.seeds for c in found if is_baseline(c)] == [2]
    assert {c.seeds for c in found if not is_baseline(c)} == {1}


# What the choice does.


def test_scores_are_the_mean_cosines_and_the_protocol_is_study_as(equal: ProtocolStudy) -> None:
    own = equal.cosines[:3].mean(axis=(2, 3))
    top = np.sort(own, axis=1)[:, -15:]
    assert equal.drawn[PUBLISHED].values[0] == pytest.approx(top.mean())
    assert equal.drawn[WHOLE].values[0] == pytest.approx(own.mean())


def test_luck_is_most_of_the_lift_where_trainings_differ_by_luck(equal: ProtocolStudy) -> None:
    assert equal.luck.low > 0
    assert equal.luck.value > 0.5 * equal.uplift.value
    assert "are luck" in prose.luck(equal)
    assert equal.lifted == pytest.approx(expected_top_mean(15, 80), abs=0.15)
    scores = equal.scores.iloc[0]
    assert scores[PUBLISHED] > scores[CAPTIONS] > scores[SEED] > scores[WHOLE] - 0.02


def test_there_is_no_luck_where_trainings_repeat_themselves(best: ProtocolStudy) -> None:
    assert best.luck.value < 0.02
    assert best.reliability > 0.95
    assert (best.effect_table.effect.abs() < 0.02).all()


def test_the_prediction_is_near_what_is_measured(equal: ProtocolStudy) -> None:
    table = equal.effect_table
    assert (table.effect - table.predicted).abs().max() < 0.03
    assert table.effect.min() > 0.05


def test_the_advantage_vanishes_with_the_choice(equal: ProtocolStudy) -> None:
    table = equal.by_number.pivot(index="n", columns="protocol", values="advantage")
    assert table[PUBLISHED][1] > table[PUBLISHED][15] > table[PUBLISHED][54] > table[PUBLISHED][80]
    all_images = table.loc[equal.captioners.images]
    assert all_images[PUBLISHED] == pytest.approx(all_images[SEED])
    whole = equal.drawn[WHOLE].values
    assert all_images[SEED] == pytest.approx(whole[0] - whole[equal.number(equal.closest)])


def test_whoever_chooses_comes_first_among_equals(equal: ProtocolStudy) -> None:
    table = equal.choosers.set_index("chooser")
    systems = table.columns[:-1]
    assert all(table.loc[name, name] == 1 for name in systems)
    assert (table.often[:-1] > 0.5).all()
    assert f"Of {len(systems)} systems, {len(systems)} come first" in prose.choosers(equal)


def test_rankings_agree_where_systems_differ_by_more_than_luck(
    worse: ProtocolStudy, equal: ProtocolStudy
) -> None:
    assert worse.tau.value > equal.tau.value
    assert worse.agreement[WHOLE] > equal.agreement[WHOLE]
    assert set(equal.agreement) == {PUBLISHED, CAPTIONS, REFERENCES, SEED, WHOLE}


# Verdicts.


def test_equal_systems_make_an_artefact(equal: ProtocolStudy) -> None:
    assert verdicts(equal) == ["artefact", "undecided", "not supported"]
    reason = equal.claims[0].reason
    assert "beats all 18 alternatives on the 15 images" in reason
    assert "Student t, as Study A wrote it (6 of 6)" in reason
    assert "18 cannot be seen any more" in prose.closing(equal)


def test_a_baseline_that_is_best_everywhere_is_supported(best: ProtocolStudy) -> None:
    assert verdicts(best)[0] == "supported"
    assert "18 of them hold" in prose.closing(best)


def test_a_better_alternative_turns_the_verdicts(worse: ProtocolStudy) -> None:
    assert verdicts(worse)[:2] == ["not supported", "supported"]
    assert "worse than gradient (3 of 3)" in worse.claims[0].reason
    assert worse.claims[0].evidence[0].estimate.value < 0
    assert "The images that the baseline chose say the same." in worse.claims[1].reason


def test_a_better_alternative_that_the_choice_hides_is_an_artefact() -> None:
    study = make_protocol(World(small_gain, luck=0.2, captions=0.02, easy=0.02), resamples=200)
    published = of_protocol(study.contrasts, PUBLISHED, study.baseline)
    assert min(contrast.sign for contrast in published.values()) == 1
    assert study.claims[0].verdict == "artefact"


def test_a_choice_that_changes_nothing_is_fair() -> None:
    study = make_protocol(World(luck=0.001, captions=0.001), resamples=200)
    assert study.claims[2].verdict == "supported"


def test_evidence_leads_to_cells_and_the_whole_family_is_corrected(equal: ProtocolStudy) -> None:
    ids = {cell.id for found in equal.results.cells.values() for cell in found}
    assert {e.cell for claim in equal.claims for e in claim.evidence} <= ids
    assert len(equal.contrasts) == 4 * 18 + 2 * 2
    effects = of_protocol(equal.contrasts, EFFECT, equal.baseline)
    whole, chosen = (of_protocol(equal.contrasts, name, equal.baseline) for name in (WHOLE, PUBLISHED))
    for b, contrast in effects.items():
        difference = chosen[b].estimate.value - whole[b].estimate.value
        assert contrast.estimate.value == pytest.approx(difference)


# What is shown.


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda s: s.__name__)
def test_sentences_hold_numbers_and_no_accident(
    sentence, equal: ProtocolStudy, best: ProtocolStudy, worse: ProtocolStudy
) -> None:
    for study in (equal, best, worse):
        text = sentence(study)
        assert re.search(r"\d", text)
        assert not re.search(r"nan|None|\{|\}|  |\.\.|,,|-\d| ,", text)


def test_tables_have_a_row_a_system_and_stars_follow_signs(equal: ProtocolStudy) -> None:
    assert len(protocol_tables.systems(equal)) == len(protocol_tables.scores(equal)) == len(equal.systems)
    table = protocol_tables.advantages(equal)
    assert len(table) == len(protocol_tables.advantage_groups(equal)) == 18
    assert table["Own captions"].str.contains(r"\*").all()
    assert not table["All images"].str.contains(r"\*").any()
    assert equal.scores.group.ne(equal.scores.group.shift()).sum() == equal.scores.group.nunique()
    assert len(protocol_tables.choosers(equal)) == 7


def test_charts_draw_and_their_descriptions_have_the_data(equal: ProtocolStudy) -> None:
    charts = [
        figures_protocol.scores_by_choice(equal.scores),
        figures_protocol.effect_of_choice(equal.effect_table, equal.luck),
        figures_protocol.rank_slopes(equal.scores),
        figures_protocol.advantage_by_number(equal.by_number, equal.chosen, equal.closest.label),
    ]
    assert all(svg_bytes(chart).startswith(b"<?xml") for chart in charts)
    labels = [text.get_text() for text in charts[0].axes[0].get_yticklabels()]
    assert labels[0] == equal.scores.sort_values(WHOLE).label.iloc[-1]
    alt = descriptions_protocol.of_numbers(equal.by_number, equal.chosen)
    assert "with 15 images" in alt
    assert "with all 80" in alt
    assert f"{100 * equal.luck.value:.1f}" in descriptions_protocol.of_effects(equal.effect_table, equal.luck)
    assert "First are Gaussian, variance 0.05" in descriptions_protocol.of_ranks(equal.scores)
    assert equal.closest.label in descriptions_protocol.of_scores(equal.scores)


def test_the_row_of_the_cosine_directed_grid_that_is_compared_is_named(best: ProtocolStudy) -> None:
    """Of all systems, which are in the order of their groups, the one of that grid."""
    (row,) = best.alternatives[DIRECTED]
    assert f"Of the cosine-directed grid, {within_sentence(row)} is compared" in prose.world(best)
    assert "cosine-directed, N " in prose.world(best)
