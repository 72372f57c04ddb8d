"""The trend tests against scipy's regression, Page's and Friedman's tests, t, and their own error rates."""

import numpy as np
import pytest
from scipy import stats

from capdec_core.statistics import (
    bootstrap_interval,
    equivalence,
    level_differences,
    linear_trend,
    paired_difference,
    paired_randomisation,
    slope_equivalence,
)

Generator = np.random.Generator
LAYERS = np.log2([4, 6, 8, 10, 16, 24])


def rng(seed: int = 0) -> Generator:
    return np.random.default_rng(seed)


def crossed(
    generator: Generator,
    means: np.ndarray,
    *,
    seeds: int,
    images: int,
    by_image: float = 1,
    by_seed: float = 0.0,
    noise: float = 0.5,
) -> list[np.ndarray]:
    """Scores of each level with this true mean; what an image does is shared by all levels and seeds."""
    shared = by_image * generator.standard_normal((1, images))
    return [
        mean
        + shared
        + by_seed * generator.standard_normal((seeds, 1))
        + noise * generator.standard_normal((seeds, images))
        for mean in means
    ]


def slopes_by_image(levels: list[np.ndarray], covariate: np.ndarray) -> np.ndarray:
    """The least-squares slope of each image's own scores."""
    scores = np.stack([level.mean(axis=0) for level in levels], axis=1)
    return np.polyfit(covariate, scores.T, 1)[0]


def test_the_slope_is_scipys_regression_of_all_scores_on_the_covariate() -> None:
    levels = crossed(rng(1), 0.1 * LAYERS, seeds=1, images=80)
    ours = linear_trend(levels, LAYERS, resamples=99, generator=rng()).slope.value
    scipys = stats.linregress(np.repeat(LAYERS, 80), np.concatenate(levels, axis=1)[0])
    assert ours == pytest.approx(scipys.slope)


def test_its_standard_error_adds_the_images_and_each_levels_seeds() -> None:
    levels = crossed(rng(2), 0 * LAYERS, seeds=4, images=300, by_seed=0.05)
    weights = (LAYERS - LAYERS.mean()) / ((LAYERS - LAYERS.mean()) ** 2).sum()
    expected = slopes_by_image(levels, LAYERS).var() / 300
    expected += sum(w**2 * each.mean(axis=1).var(ddof=1) / 4 for w, each in zip(weights, levels, strict=True))
    ours = linear_trend(levels, LAYERS, resamples=20000, generator=rng()).slope
    assert ours.standard_error == pytest.approx(np.sqrt(expected), rel=0.02)
    assert (ours.n_images, ours.n_seeds, ours.level) == (300, 4, 0.95)
    one_image = bootstrap_interval(levels[0], resamples=2000, generator=rng()).standard_error
    assert ours.standard_error < one_image  # what an image does to all levels alike cancels


def test_with_two_levels_a_unit_apart_the_slope_is_the_paired_difference() -> None:
    low, high = crossed(rng(3), np.array([0, 0.1]), seeds=3, images=60)
    ours = linear_trend([high, low], [4, 3], resamples=4000, generator=rng())
    assert ours.slope == paired_difference(high, low, resamples=4000, generator=rng())
    theirs = paired_randomisation(high, low, resamples=4000, generator=rng())
    assert ours.p_value == pytest.approx(theirs, abs=0.03)
    assert level_differences([high, low], resamples=4000, generator=rng()).p_systems == pytest.approx(
        theirs, abs=0.03
    )
    within = slope_equivalence([high, low], [4, 3], margin=0.3, resamples=4000, generator=rng())
    assert within == equivalence(high, low, margin=0.3, resamples=4000, generator=rng())


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.3])
def test_on_ranks_the_randomisation_is_pages_trend_test_on_both_sides(shift: float) -> None:
    scores = np.stack([level[0] for level in crossed(rng(4), shift * np.arange(4), seeds=1, images=18)])
    ranks = stats.rankdata(scores, axis=0)
    sides = [
        stats.page_trend_test(table.T, ranked=True, method="exact").pvalue for table in (ranks, 5 - ranks)
    ]
    p = linear_trend(ranks[:, None], range(4), resamples=20000, generator=rng()).p_value
    assert p == pytest.approx(min(1, 2 * min(sides)), abs=0.015)


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.4])
def test_on_ranks_the_omnibus_randomisation_is_friedmans_test(shift: float) -> None:
    means = shift * np.array([0, 1, 0.2, 1, 0])
    scores = np.stack([level[0] for level in crossed(rng(5), means, seeds=1, images=60)])
    friedman = stats.friedmanchisquare(*scores).pvalue
    ranks = stats.rankdata(scores, axis=0)[:, None]
    p = level_differences(ranks, resamples=20000, generator=rng()).p_systems
    assert p == pytest.approx(friedman, abs=0.015)


def test_the_omnibus_finds_a_hill_that_the_slope_does_not_see() -> None:
    hill = 0.3 * np.array([0, 1, 0])
    levels = crossed(rng(6), hill, seeds=3, images=200)
    found = level_differences(levels, resamples=999, generator=rng())
    assert found.p_value == found.p_systems == found.p_repeated == 0.001
    assert found.spread == pytest.approx(hill.std(), abs=0.05)
    trend = linear_trend(levels, [0, 1, 2], resamples=999, generator=rng())
    assert not trend.slope.excludes_zero
    assert trend.p_value > 0.05


def test_the_interval_of_the_slope_covers_the_truth_about_95_times_in_100() -> None:
    generator, covered = rng(7), 0
    for _ in range(500):
        levels = crossed(generator, 0.2 * LAYERS, seeds=3, images=120, by_seed=0.05)
        slope = linear_trend(levels, LAYERS, resamples=200, generator=generator).slope
        covered += slope.low <= 0.2 <= slope.high
    assert 0.91 < covered / 500 < 0.98


def test_under_the_null_each_test_rejects_about_5_times_in_100() -> None:
    generator = rng(8)
    p_values = []
    for _ in range(600):
        levels = crossed(generator, np.zeros(4), seeds=2, images=60)
        trend = linear_trend(levels, range(4), resamples=199, generator=generator)
        found = level_differences(levels, resamples=199, generator=generator)
        p_values.append((trend.p_value, found.p_systems, found.p_repeated))
    slope, systems, repeated = np.array(p_values).T
    assert (slope <= 0.05).mean() == pytest.approx(0.05, abs=0.025)
    assert (systems <= 0.05).mean() == pytest.approx(0.05, abs=0.025)
    assert (repeated <= 0.05).mean() < 0.075
    assert stats.kstest(slope, "uniform").statistic < 0.07
    assert stats.kstest(systems, "uniform").statistic < 0.07


def test_levels_that_differ_by_their_seeds_luck_alone_are_not_told_apart() -> None:
    """With seeds that matter, the trained systems do differ; the bootstrap knows that others would too."""
    generator, rejected = rng(9), []
    for _ in range(400):
        levels = crossed(generator, np.zeros(6), seeds=3, images=120, by_seed=0.1)
        found = level_differences(levels, resamples=199, generator=generator)
        rejected.append((found.p_systems <= 0.05, found.p_value <= 0.05))
    systems, both = np.mean(rejected, axis=0)
    assert systems > 0.3
    assert both < 0.1


@pytest.mark.parametrize(("slope", "margin"), [(0.0, 0.05), (0.03, 0.05), (-0.03, 0.05), (0.1, 0.05)])
def test_equivalence_of_the_slope_agrees_with_two_one_sided_t_tests(slope: float, margin: float) -> None:
    levels = crossed(rng(10), slope * LAYERS, seeds=1, images=700)
    each = slopes_by_image(levels, LAYERS)
    oracle = max(
        stats.ttest_1samp(each, -margin, alternative="greater").pvalue,
        stats.ttest_1samp(each, margin, alternative="less").pvalue,
    )
    answer = slope_equivalence(levels, LAYERS, margin=margin, resamples=10000, generator=rng())
    assert answer.p_value == pytest.approx(oracle, abs=4 * np.sqrt(oracle / 10000) + 0.003)
    assert (
        answer.difference == linear_trend(levels, LAYERS, resamples=10000, generator=rng(), level=0.9).slope
    )
    inside = -margin < answer.difference.low and answer.difference.high < margin
    assert inside == (answer.p_value <= 0.05)


def test_equal_levels_have_no_slope_no_spread_and_p_1() -> None:
    level = 0.1 * rng(11).integers(0, 9, (2, 50))
    trend = linear_trend([level] * 5, range(5), resamples=99, generator=rng())
    assert trend.slope.value == pytest.approx(0, abs=1e-12)
    assert trend.p_value == 1
    found = level_differences([level] * 5, resamples=99, generator=rng())
    assert (found.spread, found.p_systems, found.p_repeated) == (pytest.approx(0, abs=1e-12), 1, 1)


def test_the_covariates_origin_and_unit_do_not_matter() -> None:
    levels = crossed(rng(12), 0.1 * LAYERS, seeds=2, images=50)
    one = linear_trend(levels, LAYERS, resamples=500, generator=rng())
    other = linear_trend(levels, 7 - 10 * LAYERS, resamples=500, generator=rng())
    assert other.slope.value == pytest.approx(-one.slope.value / 10)
    assert (other.slope.low, other.slope.high) == pytest.approx((-one.slope.high / 10, -one.slope.low / 10))
    assert other.p_value == one.p_value


def test_wrong_input_is_refused() -> None:
    level = np.ones((2, 5))
    with pytest.raises(ValueError, match="the same images, not 5 and 4"):
        linear_trend([level, np.ones((1, 4))], [0, 1], resamples=9, generator=rng())
    with pytest.raises(ValueError, match="for each of 2 levels"):
        linear_trend([level, level], [0, 1, 2], resamples=9, generator=rng())
    with pytest.raises(ValueError, match="finite"):
        linear_trend([level, level], [0, np.inf], resamples=9, generator=rng())
    with pytest.raises(ValueError, match="two different values"):
        linear_trend([level, level], [1, 1], resamples=9, generator=rng())
    with pytest.raises(ValueError, match="margin"):
        slope_equivalence([level, level], [0, 1], margin=0, resamples=9, generator=rng())
    with pytest.raises(ValueError, match="at least two, not 1"):
        level_differences([level], resamples=9, generator=rng())
