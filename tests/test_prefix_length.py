"""Chapter 5's grid, tests and verdicts, on made-up scores whose answers are known."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_prefix_length import LANGUAGE_MODEL, RESAMPLES, make_study, parameters
from small_study import MATERIAL

from capdec_core.errors import CapdecError
from capdec_core.mapper import MapperConfig, build_mapper
from capdec_core.metrics import bleu_from_statistics
from capdec_core.profiles import load_profile, profile_names
from capdec_core.statistics import holm, paired_difference
from capdec_core.studies.conditions import all_cells
from capdec_core.studies.prefix_length import conditions
from capdec_core.studies.prefix_length_claims import COMPARABLE, LONGER, NOT_ALWAYS
from capdec_core.studies.prefix_length_evidence import MARGIN, bleu_contrast, trend
from capdec_core.studies.prefix_length_grid import FAMILIES, MAPPERS, STUDY_B_FAMILY


def doublings(k: int) -> float:
    return float(np.log2(k))


def rising(mapper, tuned, k):
    """Longer is better whoever maps, and tuning is better."""
    return 0.5 + 0.08 * doublings(k) + 0.3 * tuned


def falling(mapper, tuned, k):
    """Longer is worse."""
    return 1.2 - 0.08 * doublings(k)


def flat(mapper, tuned, k):
    """Nothing matters."""
    return 0.8


def by_size(mapper, tuned, k):
    """Only the MLP that grows with the square of k gets better."""
    return 0.5 + 0.08 * doublings(k) * (mapper == "mlp")


def peaked(mapper, tuned, k):
    """Best at 10, in all but one combination."""
    return 0.8 - 0.1 * abs(doublings(k) - doublings(10)) * (mapper != "linear" or tuned)


def dead(mapper, tuned, k):
    """Every captioner scores 0."""
    return 0.0


@pytest.fixture
def study():
    return make_study(rising)


def verdict(study, claim: str) -> str:
    return next(c.verdict for c in study.claims if c.claim == claim)


def test_the_grid_holds_every_length_mapper_and_language_model_and_shares_equal_cells():
    profile = load_profile("scenes")
    grid = conditions(profile, 3)
    assert {(c.mapper.kind, c.mapper.prefix_length, c.tuned) for c in grid} == {
        (kind, k, tuned)
        for kind in ("mlp", "linear", "transformer")
        for k in (1, 5, 10, 20, 40)
        for tuned in (False, True)
    }
    assert {c.seeds for c in grid if c.parameter in (1, 10, 20)} == {3}
    assert all(c.train_on == c.evaluate == "image" for c in grid)
    fixed = {c.parameter: c.mapper.hidden for c in grid if c.family == "fixed mlp, frozen"}
    assert fixed == {1: 320, 5: 320, 10: None, 20: 320, 40: 320}  # width 64, so 64 * 10 / 2
    assert len(grid) == 40
    assert len(all_cells(grid, profile, MATERIAL)) == 8 * (3 * 3 + 2) - 2 * 3


def test_the_fixed_width_mlp_at_10_is_the_mlp_weight_by_weight():
    weights = []
    for hidden in (None, 320):
        torch.manual_seed(3)
        mapper = build_mapper(MapperConfig("mlp", 32, 64, prefix_length=10, hidden=hidden))
        weights.append(mapper.state_dict())
    assert list(weights[0]) == list(weights[1])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize(
    "name", [name for name in profile_names() if name not in ("coco", "flickr8k-smollm2")]
)
def test_every_profile_has_room_for_the_longest_prefix_and_study_bs_lengths(name):
    profile = load_profile(name)
    longest = max(profile.prefix_length.lengths)
    assert profile.language_model.positions - longest + 1 >= profile.decoding.max_tokens + 1
    assert conditions(profile, 1)


def test_a_grid_without_one_of_study_bs_lengths_is_refused():
    profile = load_profile("scenes")
    short = replace(profile, prefix_length=replace(profile.prefix_length, lengths=[1, 10, 40]))
    with pytest.raises(CapdecError, match="Study B's 20"):
        conditions(short, 1)


def test_longer_is_supported_where_length_helps_whatever_the_size(study):
    assert verdict(study, LONGER) == "supported"
    assert all(study.findings.trends[family].sign == 1 for family in FAMILIES)


def test_what_the_mlps_size_does_is_an_artefact():
    study = make_study(by_size)
    assert verdict(study, LONGER) == "artefact"
    assert "grows with the square of k" in study.claims[0].reason


def test_longer_is_not_supported_where_it_harms_and_undecided_where_nothing_moves():
    assert verdict(make_study(falling), LONGER) == "not supported"
    assert verdict(make_study(flat), LONGER) == "undecided"


def test_twenty_is_always_better_or_it_is_not(study):
    assert verdict(study, NOT_ALWAYS) == "not supported"
    for world in (falling, flat):
        assert verdict(make_study(world), NOT_ALWAYS) == "supported"


def test_where_twenty_is_worse_the_worse_combinations_decide():
    study = make_study(peaked)
    claim = next(c for c in study.claims if c.claim == NOT_ALWAYS)
    assert claim.verdict == "supported"
    assert claim.evidence[0].estimate.high < 0
    assert "It is worse in 7 of 8 combinations" in claim.reason
    assert "Linear, language model frozen" not in claim.reason.split("It is equal")[0]


def test_noise_leaves_twenty_undecided():
    assert verdict(make_study(flat, error=3.0), NOT_ALWAYS) == "undecided"


def test_tuning_that_matters_makes_the_comparison_an_artefact(study):
    assert verdict(study, COMPARABLE) == "artefact"
    assert "higher" in study.claims[2].reason
    assert verdict(make_study(flat), COMPARABLE) == "undecided"


def test_a_slope_is_least_squares_over_study_bs_lengths(study):
    means = [study.results.matrix(study.named(STUDY_B_FAMILY, k), "CIDEr").mean() for k in (1, 10, 20)]
    slope = np.polyfit(np.log2([1, 10, 20]), means, 1)[0]
    assert study.findings.trends[STUDY_B_FAMILY].estimate.value == pytest.approx(slope)


def test_a_difference_in_bleu_is_of_corpus_scores(study):
    test = study.findings.step["linear, tuned"]
    scores = [
        np.mean([bleu_from_statistics(np.array(t["statistics"]))[3] for t in study.results.scores(c)])
        for c in (test.a, test.b)
    ]
    assert test.estimate.value == pytest.approx(scores[0] - scores[1])
    assert (test.a.parameter, test.b.parameter) == (20, 10)


def test_a_difference_in_cider_is_paired_by_image(study):
    test = study.findings.size["tuned"]
    a, b = (study.results.matrix(c, "CIDEr") for c in (test.a, test.b))
    expected = paired_difference(a, b, resamples=RESAMPLES, generator=study.results.generator())
    assert test.estimate == expected
    assert (test.a.family, test.b.family) == ("mlp, tuned", "fixed mlp, tuned")


def test_all_p_values_are_corrected_together():
    study = make_study(flat)
    raw = [trend(study.results, family).p_value for family in FAMILIES]
    raw += [
        bleu_contrast(study.results, (test.question, test.a, test.b)).p_value
        for test in study.findings.step.values()
    ]
    corrected = [study.findings.trends[family].p_value for family in FAMILIES]
    corrected += [study.findings.step[family].p_value for family in FAMILIES]
    count = len(study.findings.tests)
    assert count == 5 * 8 - 8 + 2 + 2 + 2
    assert min(study.findings.tests, key=lambda t: t.p_value).p_value >= count / (RESAMPLES + 1) - 1e-12
    for before, after in zip(raw, corrected, strict=True):
        assert before <= after <= min(1, count * before)
    alone = holm(raw)
    assert all(after >= one - 1e-12 for after, one in zip(corrected, alone, strict=True))


def test_equal_means_equal_within_the_margin():
    study = make_study(flat)
    for family in FAMILIES:
        test = study.findings.equal[family]
        assert test.margin == MARGIN
        assert test.equivalent == (abs(test.estimate.low) < MARGIN and abs(test.estimate.high) < MARGIN)
        assert test.estimate.level == pytest.approx(0.9)


def test_sizes_are_the_mappers_own_and_tuning_adds_the_language_model(study):
    rows = study.table.set_index("label")
    for condition in study.results.cells:
        assert rows.trainable[condition.label] == parameters(condition) + LANGUAGE_MODEL * condition.tuned
    assert study.language_model_parameters == LANGUAGE_MODEL
    shown = study.sizes()
    assert shown.Mapper.tolist() == list(MAPPERS.values())
    assert shown["k = 1"][0] == "18.5"  # 513 * 32 + 33 * 64 weights
    assert study.table.loss.tolist() == pytest.approx(
        [2 - rising(r.mapper, r.tuned, r.k) for r in study.table.itertuples()]
    )


def test_the_front_holds_what_nothing_smaller_beats():
    study = make_study(peaked)
    rows = study.table
    free = {
        row.label
        for row in rows.itertuples()
        if not ((rows.trainable <= row.trainable) & (rows.CIDEr > row.CIDEr)).any()
        and not ((rows.trainable < row.trainable) & (rows.CIDEr >= row.CIDEr)).any()
    }
    found = set(study.front.label)
    assert found <= free
    assert {rows.CIDEr[rows.label == label].iloc[0] for label in free} == set(study.front.CIDEr)


def test_study_bs_table_keeps_its_numbers_and_its_form(study):
    rows, groups = study.study_b_table()
    assert rows.columns.tolist() == ["System", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4"]
    assert rows.iloc[0].tolist()[1:] == ["–", "–", "–", "32.15"]
    assert rows.iloc[1].tolist()[1:] == ["66.13", "51.69", "36.58", "28.42"]
    assert rows.System.tolist()[4:] == ["k = 1", "k = 10", "k = 20"] * 2
    assert groups[4:] == ["Here: MLP, language model frozen"] * 3 + ["Here: MLP, language model tuned"] * 3
    assert all(re.fullmatch(r"\d+\.\d \[\d+\.\d, \d+\.\d\]", text) for text in rows["BLEU-2"][4:])


def test_every_condition_has_a_row_and_a_heading(study):
    for found in (study, make_study(dead, error=0.0, resamples=50)):
        assert len(found.table) == len(found.results.cells) == len(found.groups)
        assert found.table.columns.is_unique
