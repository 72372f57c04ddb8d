"""The intervals against scipy's bootstrap, exact variances, and their own coverage by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from capdec_core.statistics import (
    bootstrap_interval,
    bootstrap_statistic,
    paired_difference,
    paired_statistic_difference,
    resampling,
)

Generator = np.random.Generator


def rng(seed: int = 0) -> Generator:
    return np.random.default_rng(seed)


def crossed(
    generator: Generator, seeds: int, images: int, *, by_image: float, by_seed: float, noise: float
) -> np.ndarray:
    """Scores (seeds, images) with true mean 0 and these standard deviations of the three parts."""
    parts = (
        by_image * generator.standard_normal((1, images)),
        by_seed * generator.standard_normal((seeds, 1)),
    )
    return sum(parts, noise * generator.standard_normal((seeds, images)))


def test_one_seed_is_scipys_percentile_bootstrap_of_the_mean() -> None:
    scores = rng(1).gamma(2, size=300)
    ours = bootstrap_interval(scores[None], resamples=20000, generator=rng())
    scipys = stats.bootstrap(
        (scores,), np.mean, n_resamples=20000, method="percentile", rng=rng(2), batch=1000
    )
    assert ours.value == pytest.approx(scores.mean())
    assert ours.standard_error == pytest.approx(scipys.standard_error, rel=0.03)
    assert ours.low == pytest.approx(scipys.confidence_interval.low, abs=0.05 * scipys.standard_error)
    assert ours.high == pytest.approx(scipys.confidence_interval.high, abs=0.05 * scipys.standard_error)
    assert (ours.n_images, ours.n_seeds, ours.level) == (300, 1, 0.95)


def test_the_standard_error_adds_the_images_and_the_seeds_unbiased_variances() -> None:
    scores = crossed(rng(3), 4, 400, by_image=1, by_seed=0.2, noise=0.5)
    expected = scores.mean(axis=0).var() / 400 + scores.mean(axis=1).var(ddof=1) / 4
    ours = bootstrap_interval(scores, resamples=40000, generator=rng())
    assert ours.standard_error == pytest.approx(np.sqrt(expected), rel=0.02)


def test_the_difference_cancels_what_an_image_does_to_both() -> None:
    generator = rng(4)
    image = 5 * generator.standard_normal((1, 500))
    a = image + 0.3 + 0.1 * generator.standard_normal((3, 500))
    b = image + 0.1 * generator.standard_normal((2, 500))
    ours = paired_difference(a, b, resamples=20000, generator=rng())
    expected = (a.mean(axis=0) - b.mean(axis=0)).var() / 500
    expected += a.mean(axis=1).var(ddof=1) / 3 + b.mean(axis=1).var(ddof=1) / 2
    assert ours.value == pytest.approx(a.mean() - b.mean())
    assert ours.standard_error == pytest.approx(np.sqrt(expected), rel=0.03)
    assert ours.excludes_zero
    assert ours.n_seeds == 2
    assert not bootstrap_interval(image, resamples=2000, generator=rng()).excludes_zero


def test_a_difference_turned_round_is_its_negative() -> None:
    a, b = rng(5).random((2, 1, 60))
    one, other = (paired_difference(x, y, resamples=999, generator=rng()) for x, y in ((a, b), (b, a)))
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert paired_difference(a, a, resamples=99, generator=rng()).standard_error == pytest.approx(
        0, abs=1e-12
    )


@pytest.mark.parametrize(
    ("seeds", "by_image", "by_seed", "noise", "low", "high"),
    [
        (1, 1, 0, 1, 0.92, 0.98),  # the images alone
        (3, 1, 0, 1, 0.92, 0.99),  # seeds differ image by image, not on average
        (3, 1, 0.07, 0.5, 0.91, 0.98),  # the seeds' error as large as the images'
        (5, 0, 0.05, 1, 0.92, 1.00),
    ],
)
def test_the_interval_covers_the_truth_about_95_times_in_100(
    seeds: int, by_image: float, by_seed: float, noise: float, low: float, high: float
) -> None:
    generator, covered = rng(6), 0
    for _ in range(600):
        scores = crossed(generator, seeds, 200, by_image=by_image, by_seed=by_seed, noise=noise)
        interval = bootstrap_interval(scores, resamples=300, generator=generator)
        covered += interval.low <= 0 <= interval.high
    assert low < covered / 600 < high


def test_the_difference_of_two_equal_systems_excludes_zero_about_5_times_in_100() -> None:
    generator, false = rng(7), 0
    for _ in range(600):
        image = generator.standard_normal((1, 150))
        a, b = (image + crossed(generator, 3, 150, by_image=0.5, by_seed=0.05, noise=0.5) for _ in range(2))
        false += paired_difference(a, b, resamples=300, generator=generator).excludes_zero
    assert 0.01 < false / 600 < 0.08


def ratio_of_sums(statistics: np.ndarray):
    """A metric that is no mean over images: sum of one column over sum of the other, (seeds, images, 2)."""
    return lambda counts: np.stack([(counts @ s[:, 0]) / (counts @ s[:, 1]) for s in statistics], axis=1)


def test_a_corpus_metric_is_recomputed_on_the_drawn_images() -> None:
    statistics = rng(8).integers(1, 30, (1, 250, 2)).astype(float)
    ours = bootstrap_statistic(ratio_of_sums(statistics), images=250, resamples=20000, generator=rng())
    scipys = stats.bootstrap(
        (statistics[0, :, 0], statistics[0, :, 1]),
        lambda x, y, axis: x.sum(axis) / y.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=20000,
        method="percentile",
        rng=rng(9),
        batch=1000,
    )
    assert ours.value == pytest.approx(statistics[0, :, 0].sum() / statistics[0, :, 1].sum())
    assert ours.standard_error == pytest.approx(scipys.standard_error, rel=0.03)
    assert ours.low == pytest.approx(scipys.confidence_interval.low, abs=0.06 * scipys.standard_error)
    assert ours.high == pytest.approx(scipys.confidence_interval.high, abs=0.06 * scipys.standard_error)


def test_a_corpus_metric_that_is_a_mean_is_the_mean() -> None:
    a, b = rng(10).random((3, 80)), rng(11).random((2, 80))
    plain = paired_difference(a, b, resamples=500, generator=rng())
    by_statistic = paired_statistic_difference(
        lambda counts: counts @ a.T / 80,
        lambda counts: counts @ b.T / 80,
        images=80,
        resamples=500,
        generator=rng(),
    )
    assert plain == by_statistic
    one = bootstrap_interval(a, resamples=500, generator=rng())
    assert one == bootstrap_statistic(lambda c: c @ a.T / 80, images=80, resamples=500, generator=rng())


def test_the_same_generator_state_gives_the_same_digits_and_another_does_not() -> None:
    scores = rng(12).random((3, 100))
    first, again, other = (
        bootstrap_interval(scores, resamples=200, generator=rng(seed)) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


@settings(max_examples=40, deadline=None)
@given(resamples=st.integers(1, 30), images=st.integers(1, 40), elements=st.integers(1, 500))
def test_counts_are_draws_of_as_many_images_in_blocks_of_any_size(
    resamples: int, images: int, elements: int
) -> None:
    counts = resampling.image_counts(resamples, images, rng())
    assert counts.shape == (resamples, images)
    assert (counts.sum(axis=1) == images).all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "BLOCK_ELEMENTS", elements)
        assert sum(resampling.blocks(resamples, images)) == resamples
        estimate = bootstrap_interval(np.ones((2, images)), resamples=resamples, generator=rng())
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((1, 1, 1))


def test_the_counts_of_an_image_are_binomial() -> None:
    counts = resampling.image_counts(20000, 10, rng())[:, 3]
    observed = np.bincount(counts.astype(int), minlength=6)[:6] / 20000
    np.testing.assert_allclose(observed, stats.binom(10, 0.1).pmf(range(6)), atol=0.01)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.ones(5), r"\(seeds, images\)"),
        (np.ones((0, 5)), r"\(seeds, images\)"),
        (np.ones((3, 0)), r"\(seeds, images\)"),
        (np.array([[1.0, np.nan]]), "finite"),
    ],
)
def test_scores_that_cannot_be_averaged_are_refused(scores: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(scores, resamples=10, generator=rng())
    with pytest.raises(ValueError, match=message):
        paired_difference(np.ones((1, 2)), scores, resamples=10, generator=rng())


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="the same images, not 5 and 4"):
        paired_difference(np.ones((1, 5)), np.ones((1, 4)), resamples=10, generator=rng())
    with pytest.raises(ValueError, match="at least one resample"):
        bootstrap_interval(np.ones((1, 5)), resamples=0, generator=rng())
    with pytest.raises(ValueError, match="level"):
        bootstrap_interval(np.ones((1, 5)), resamples=10, generator=rng(), level=95)
    with pytest.raises(ValueError, match="a statistic maps"):
        bootstrap_statistic(lambda counts: counts.sum(axis=1), images=5, resamples=10, generator=rng())
