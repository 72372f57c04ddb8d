"""Chapter 3 on made-up results: its grid, its trends, its verdicts as results turn, its sentences and its charts."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from small_heads_layers import FLOOR, doublings, level, make_study

from capdec_core import figures_heads_layers as figures
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.encoders import load_encoder
from capdec_core.language_model import LanguageModelConfig
from capdec_core.matching import parameter_count
from capdec_core.profiles import load_profile
from capdec_core.studies import heads_layers, heads_layers_prose, record
from capdec_core.studies.heads_layers_claims import MARGIN, READS
from capdec_core.studies.heads_layers_trends import slope_margin
from capdec_core.studies.heads_layers_view import CONTROL, HEADS, LAYERS, MATCHED, HeadsLayers

STUDY_A = {"heads": {2, 4, 8, 16}, "layers": {4, 6, 8, 10, 16, 24}}


@pytest.fixture(scope="module")
def even() -> HeadsLayers:
    return make_study()


def verdicts(study: HeadsLayers) -> tuple[str, str]:
    heads, layers = study.claims
    return heads.verdict, layers.verdict


def by_heads(change: float):
    return lambda c: 0.8 + (change if c.mapper.heads == 2 else 0.0)


def by_layers(as_run: float, at_size: float):
    """CIDEr that changes by so much a doubling in each arm."""
    return lambda c: 0.8 + doublings(c) * (at_size if c.family == MATCHED else as_run)


def test_the_grid_holds_study_as_values_once_with_all_seeds(even: HeadsLayers) -> None:
    assert {even.value(c, HEADS) for c in even.arm(HEADS)} == STUDY_A["heads"]
    for arm in (LAYERS, MATCHED):
        assert {even.value(c, arm) for c in even.arm(arm)} == STUDY_A["layers"]
        assert even.arm(arm).count(even.baseline) == 1
    assert {c.seeds for c in even.results.cells} == {3}
    assert len(even.results.cells) == 3 + 5 + 5 + 2
    ids = [cell.id for cells in even.results.cells.values() for cell in cells]
    assert len(set(ids)) == len(ids) == 45


def test_only_what_an_arm_varies_is_varied(even: HeadsLayers) -> None:
    base = even.mapper(even.baseline)
    assert (base.heads, base.layers, base.inner_width) == (8, 8, None)
    for condition in even.family(HEADS):
        assert replace(even.mapper(condition), heads=8) == base
    for condition in even.family(LAYERS):
        assert replace(even.mapper(condition), layers=8) == base
    for condition in even.family(MATCHED):
        assert parameter_count(even.mapper(condition)) == pytest.approx(parameter_count(base), rel=0.01)
        assert even.mapper(condition).heads == 8
    assert even.mapper(even.named(CONTROL)) == base
    noises = {c.noise.label for c in even.results.cells if c.family != CONTROL}
    assert noises == {even.baseline.noise.label}


def test_the_profiles_grids_are_conditions_of_their_own_encoder() -> None:
    assert load_encoder("miniature").dim == 512
    for name in ("scenes", "smoke"):
        profile = load_profile(name)
        found = heads_layers.conditions(profile, 2)
        assert found == heads_layers.grid(profile, 2, 512)
        assert {c.training for c in found} == {profile.heads_layers.training}


def test_heads_change_no_tensor_of_a_captioner(even: HeadsLayers) -> None:
    language_model = LanguageModelConfig(50, 64, 1, 4, 40, True, 0.0)
    shapes = [
        {
            name: tensor.shape
            for name, tensor in Captioner(CaptionerConfig(even.mapper(c), language_model))
            .state_dict()
            .items()
        }
        for c in even.arm(HEADS)
    ]
    assert all(shape == shapes[0] for shape in shapes)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (0.0, "supported"),
        (0.02, "supported"),
        (0.05, "undecided"),
        (0.15, "not supported"),
        (-0.15, "not supported"),
    ],
)
def test_the_verdict_on_heads_turns_with_what_a_number_of_heads_changes(change: float, verdict: str) -> None:
    study = make_study(by_heads(change))
    assert verdicts(study)[0] == verdict
    claim = study.claims[0]
    if verdict == "not supported":
        assert claim.reason.startswith(f"2 heads score {'better' if change > 0 else 'worse'}")
        assert claim.evidence[0].question.startswith("Do 2 heads differ")
    else:
        assert claim.evidence[0].margin == MARGIN
    if verdict == "undecided":
        assert "not ruled out for: 2 heads." in claim.reason


def test_many_undecided_heads_are_no_support() -> None:
    study = make_study(error=4.0)
    assert verdicts(study)[0] == "undecided"
    assert "2 heads; 4 heads; 16 heads" in study.claims[0].reason


@pytest.mark.parametrize(
    ("as_run", "at_size", "verdict", "told"),
    [
        (0.0, 0.0, "supported", "ruled out; nor are"),
        (0.04, 0.04, "not supported", "does so too"),
        (0.04, 0.0, "not supported", "owed to size"),
        (-0.06, -0.06, "not supported", "CIDEr falls with layers"),
        (0.04, -0.04, "not supported", "at matched parameters it falls"),
        (0.0, -0.04, "artefact", "against each other"),
        (0.005, 0.005, "supported", "ruled out"),
    ],
)
def test_the_verdict_on_layers_turns_with_both_slopes(
    as_run: float, at_size: float, verdict: str, told: str
) -> None:
    study = make_study(by_layers(as_run, at_size))
    assert verdicts(study)[1] == verdict
    assert told in study.claims[1].reason
    first = study.claims[1].evidence[0]
    assert (first.margin is None) == (verdict == "not supported")


def test_a_trend_is_undecided_where_the_scores_are_too_rough() -> None:
    study = make_study(error=8.0)
    assert verdicts(study)[1] == "undecided"
    assert "neither shown nor ruled out" in study.claims[1].reason


def test_mixed_layers_without_a_trend_are_told_as_mixed() -> None:
    bumps = {4: 0.0, 6: 0.06, 8: 0.0, 10: 0.0, 16: 0.06, 24: 0.0}
    study = make_study(lambda c: 0.8 + bumps[c.mapper.layers])
    assert verdicts(study)[1] == "supported"
    assert "do differ, in no steady order" in study.claims[1].reason
    assert study.trends[0].levels_differ
    assert "the numbers of layers differ" in heads_layers_prose.layers(study)


def test_captioners_that_read_nothing_decide_nothing() -> None:
    study = make_study(lambda _: FLOOR)
    assert all(test.equivalent for test in study.heads_equivalences)
    assert verdicts(study) == ("undecided", "undecided")
    assert all(claim.evidence[0].question == READS for claim in study.claims)
    assert "would mean nothing" in heads_layers_prose.reading(study)


def test_the_slope_is_that_of_scipys_regression_of_the_means(even: HeadsLayers) -> None:
    study = make_study(by_layers(0.03, -0.02))
    for trend, arm in zip(study.trends, (LAYERS, MATCHED), strict=True):
        table = study.arm_table(arm)
        assert trend.estimate.value == pytest.approx(
            stats.linregress(np.log2(table.value), table.CIDEr).slope
        )
        assert trend.flat.estimate.value == trend.estimate.value
        assert trend.flat.estimate.level == 0.9
        assert len(trend.sides[0]) == 18


def test_the_slopes_margin_adds_up_to_the_scores() -> None:
    margin = slope_margin(MARGIN, [4, 6, 8, 10, 16, 24])
    assert margin == 0.019
    assert margin * np.log2(24 / 4) <= MARGIN < (margin + 0.001) * np.log2(24 / 4)


def test_p_values_are_corrected_over_the_numbers_of_heads_and_over_the_arms(even: HeadsLayers) -> None:
    least = 1 / (1 + even.results.statistics.resamples)
    assert [test.p_value for test in even.heads_equivalences] == pytest.approx([3 * least] * 3)
    assert [trend.flat.p_value for trend in even.trends] == pytest.approx([2 * least] * 2)


def test_final_losses_are_means_over_the_last_tenth(even: HeadsLayers) -> None:
    assert even.results.final_losses(even.baseline) == pytest.approx([0.5, 0.51, 0.52])


def test_curves_are_means_over_seeds_and_windows(even: HeadsLayers) -> None:
    curves = even.curves(LAYERS)
    assert curves.groupby("value").size().to_dict() == dict.fromkeys(STUDY_A["layers"], 20)
    assert curves[curves.value == 8].loss.iloc[0] == pytest.approx(2)
    assert curves[curves.value == 8].loss.iloc[-2:].mean() == pytest.approx(0.51)


@pytest.mark.parametrize(
    ("loss", "quality", "told"),
    [
        (lambda c: 0.5 + 0.1 * doublings(c), by_layers(-0.06, -0.06), "also read images better"),
        (lambda c: 0.5 + 0.1 * doublings(c), by_layers(0.06, 0.06), "read images worse"),
        (lambda c: 0.5 + 0.1 * (c.mapper.layers % 3), level, "not shown to go together"),
        (lambda c: 0.5, level, "cannot be told to go together"),
    ],
)
def test_the_sentence_on_losses_follows_their_correlation_with_the_scores(loss, quality, told: str) -> None:
    assert told in heads_layers_prose.losses(make_study(quality, loss=loss))


def test_the_loss_slope_is_told_with_its_t_interval() -> None:
    study = make_study(loss=lambda c: 0.5 + 0.1 * doublings(c))
    assert "as they come, by +0.100 [+0.095, +0.105] nats a token, from 0.410 to 0.668" in (
        heads_layers_prose.losses(study)
    )


def test_sentences_count_what_they_say(even: HeadsLayers) -> None:
    assert "all have the same 332,160 parameters, and a head is 32, 16, 8, 4 wide" in (
        heads_layers_prose.heads_size(even)
    )
    sizes = heads_layers_prose.sizes(even)
    assert "from 199,040 parameters to 864,640" in sizes
    assert "38.6 and 133.1 million" in sizes
    assert "88 wide with 4 layers and 40 wide with 24" in heads_layers_prose.matching(even)
    assert "108.35 and 113.08 on COCO, 4.7 points apart" in heads_layers_prose.margin(even)
    assert "which is 1.9 points per doubling" in heads_layers_prose.margin(even)
    assert "9.0 seconds with 4 layers and 49.0 with 24" in heads_layers_prose.cost(even)


def test_the_answer_in_short_names_the_widest_difference_and_both_slopes() -> None:
    study = make_study(by_heads(-0.15))
    text = heads_layers_prose.in_short(study)
    assert "**Heads.** Of all numbers of heads, 2 heads differ most from the baseline's 8: −1" in text
    assert "equivalence not shown within 5 points" in text
    assert "“Attention heads had minimal impact”: not supported." in text
    assert "is worse than the baseline" in heads_layers_prose.heads(study)


def test_how_many_seeds_equivalence_takes_follows_from_both_variances(even: HeadsLayers) -> None:
    needed = MARGIN / (stats.norm.ppf(0.95) + stats.norm.ppf(0.9))
    images, one_seed = even.variances
    squares = [test.estimate.standard_error**2 for test in even.heads_equivalences]
    assert images + one_seed / 3 == pytest.approx(np.mean(squares), rel=0.15)
    for error in (0.2, 3.0, 6.0):
        study = make_study(error=error)
        images, one_seed = study.variances
        text = heads_layers_prose.power(study)
        if images >= needed**2:
            assert "no number of seeds would do" in text
        else:
            seeds = int(text.split(" it takes ")[1].split(" ")[0])
            assert images + one_seed / seeds <= needed**2
            assert seeds == 1 or images + one_seed / (seeds - 1) > needed**2


def test_captioners_that_differ_by_their_seeds_luck_are_told_so() -> None:
    study = make_study(lambda c: 0.8 + (0.03 if c.mapper.heads == 2 else 0.0), error=1.5)
    contrast = study.heads_contrasts[0]
    unsure = replace(contrast, estimate=replace(contrast.estimate, low=-0.01, high=0.07), p_value=0.01)
    study.__dict__["_heads_tests"] = (study.heads_equivalences, [unsure, *study.heads_contrasts[1:]])
    told = heads_layers_prose.heads(study).replace("\u00a0", " ")
    assert "these captioners do differ (p = 0.010), those of other seeds might not" in told


def test_the_slower_mappers_last_loss_is_found_on_the_faster_ones_curve() -> None:
    """From 2 the losses fall in a line to .409 (4 layers) or .668 (24 layers), over 18 of 20 steps."""
    told = (
        "mappers of 24 layers learn more slowly: the loss that they have at the end, those of 4 layers had at"
    )
    study = make_study(loss=lambda c: 0.5 + 0.1 * doublings(c))
    steps = study.profile.heads_layers.training.steps
    text = heads_layers_prose.lag(study)
    assert f"{told} about step 15 of {steps}." in text
    assert "mappers of 4 layers learn more slowly" in heads_layers_prose.lag(
        make_study(loss=lambda c: 0.5 - 0.1 * doublings(c))
    )


def test_what_size_changes_is_told_at_both_ends() -> None:
    text = heads_layers_prose.size_effect(make_study(by_layers(0.05, 0.0)))
    assert "at 4 layers −5." in text
    assert "at 24 layers +7." in text or "at 24 layers +8." in text


def test_tables_name_every_condition_with_its_shape(even: HeadsLayers) -> None:
    shapes = even.shapes.set_index("Condition")
    assert len(shapes) == len(even.groups) == 15
    assert shapes.Head["16 heads"] == 4
    assert shapes.Width["24 layers, matched size"] == 40
    assert list(dict.fromkeys(even.groups)) == [
        "Control",
        "Baseline",
        "Heads, at the baseline's layers",
        "Layers, at the baseline's heads",
        "Layers, at the baseline's heads and parameters",
    ]
    assert len(record.cells(even)) == 45


def test_the_ends_of_the_arms_are_shown_once_each(even: HeadsLayers) -> None:
    labels = [condition.label for condition in even.shown]
    assert labels == [
        "8 heads, 8 layers (baseline)",
        "2 heads",
        "16 heads",
        "4 layers",
        "24 layers",
        "24 layers, matched size",
    ]


def drawn(axes) -> dict[float, tuple[float, float, float]]:
    """The points of an axes' error bars: {x: (y, low, high)}."""
    found = {}
    for container in axes.containers:
        x, y = container.lines[0].get_data()
        for place, height, segment in zip(x, y, container.lines[2][0].get_segments(), strict=True):
            found[float(place)] = (float(height), float(segment[0][1]), float(segment[1][1]))
    return found


def test_the_chart_of_heads_draws_scores_and_tested_differences() -> None:
    study = make_study(by_heads(0.1))
    table, tests = study.arm_table(HEADS), study.heads_equivalences
    scores, differences = figures.heads_figure(table, tests, 8, MARGIN).axes
    assert drawn(scores) == {
        row.value: pytest.approx((100 * row.CIDEr, 100 * row.CIDEr_low, 100 * row.CIDEr_high))
        for row in table.itertuples()
    }
    estimates = {study.value(t.a, HEADS): t.estimate for t in tests}
    assert drawn(differences) == {
        heads: pytest.approx((100 * e.value, 100 * e.low, 100 * e.high)) for heads, e in estimates.items()
    }
    bands = [
        axes.patches[0].get_extents().transformed(axes.transData.inverted()) for axes in (scores, differences)
    ]
    assert [band.height for band in bands] == pytest.approx([10, 10])
    alt = figures.heads_alt(table, tests, MARGIN)
    assert all(f"{n} heads {100 * e.value:.1f} (" in alt for n, e in estimates.items())


def test_the_chart_of_layers_draws_both_arms_by_layers_and_by_size() -> None:
    study = make_study(by_layers(0.04, -0.02))
    arms = {figures.AS_RUN: study.arm_table(LAYERS), figures.AT_SIZE: study.arm_table(MATCHED)}
    control = study.results.interval(study.named(CONTROL), "CIDEr")
    by_layers_axes, by_size = figures.layers_figure(arms, control).axes
    heights = {round(value[0], 6) for value in drawn(by_layers_axes).values()}
    expected = {round(100 * y, 6) for table in arms.values() for y in table.CIDEr}
    assert heights == expected == {round(value[0], 6) for value in drawn(by_size).values()}
    nearest = [min(STUDY_A["layers"], key=lambda n: abs(n - x)) for x in drawn(by_layers_axes)]
    assert sorted(nearest) == sorted([*STUDY_A["layers"]] * 2)
    assert [x for x in drawn(by_size) if x > 380] == pytest.approx([398.72, 598.4, 864.64])
    for axes in (by_layers_axes, by_size):
        band = axes.patches[0].get_extents().transformed(axes.transData.inverted())
        assert (band.y0, band.y1) == pytest.approx((100 * control.low, 100 * control.high))
    alt = figures.layers_alt(arms, control)
    assert "24 layers, 865 thousand parameters" in alt
    assert f"The control, a band: {100 * control.value:.1f}" in alt


def test_the_chart_of_training_draws_curves_and_a_marker_a_seed(even: HeadsLayers) -> None:
    arms = {figures.AS_RUN: even.arm_table(LAYERS), figures.AT_SIZE: even.arm_table(MATCHED)}
    course, end = figures.training_figure(even.curves(LAYERS), arms).axes
    assert len(course.lines) == 6
    assert [text.get_text() for text in course.texts] == ["4", "6", "8", "10", "16", "24"]
    markers = [line for line in end.lines if line.get_marker() not in ("None", None, "")]
    assert sum(len(line.get_xdata()) for line in markers) == 2 * 6 * 3
    assert "24 layers 0.510 (0.500 to 0.520)" in figures.training_alt(arms)
