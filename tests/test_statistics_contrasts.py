"""Randomisation against scipy's permutations, Holm by hand, equivalence against t, power by simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from capdec_core.statistics import (
    equivalence,
    holm,
    paired_difference,
    paired_randomisation,
    smallest_detectable_difference,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.8])
def test_randomisation_tends_to_scipys_exact_permutation_test(shift: float) -> None:
    a, b = rng(1).standard_normal((2, 12))
    a = a + shift
    exact = stats.permutation_test(
        (a, b),
        lambda x, y, axis: (x - y).mean(axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue
    p = paired_randomisation(a[None], b[None], resamples=40000, generator=rng())
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact / 40000) + 1e-4)


def test_randomisation_averages_over_seeds_first() -> None:
    a, b = rng(2).random((3, 50)), rng(3).random((2, 50))
    whole = paired_randomisation(a, b, resamples=500, generator=rng())
    assert whole == paired_randomisation(a.mean(0)[None], b.mean(0)[None], resamples=500, generator=rng())


def test_the_observed_labelling_is_counted() -> None:
    a, b = np.full((1, 300), 2.0), np.zeros((1, 300))
    assert paired_randomisation(a, b, resamples=99, generator=rng()) == pytest.approx(0.01)
    assert paired_randomisation(a, a, resamples=99, generator=rng()) == 1


def test_sums_that_differ_by_rounding_are_ties() -> None:
    """Tenths have no exact binary form; counted in whole numbers, the exact p includes every tie."""
    signs = np.array(list(itertools.product([-1, 1], repeat=9)))
    for seed in range(12):
        tenths = rng(seed).integers(-3, 6, 9)
        exact = (np.abs(signs @ tenths) >= abs(tenths.sum())).mean()
        p = paired_randomisation(tenths[None] / 10, np.zeros((1, 9)), resamples=20000, generator=rng())
        assert p == pytest.approx(exact, abs=0.015)


def test_under_the_null_p_is_uniform() -> None:
    generator = rng(4)
    values = [
        paired_randomisation(*generator.standard_normal((2, 1, 40)), resamples=199, generator=generator)
        for _ in range(800)
    ]
    assert stats.kstest(values, "uniform").statistic < 0.06
    assert np.mean(np.array(values) <= 0.05) == pytest.approx(0.05, abs=0.025)


def test_holm_by_hand() -> None:
    """Sorted .01 .02 .03 .04, times 4, 3, 2, 1: .04 .06 .06 .04; the running maximum: .04 .06 .06 .06."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.001, 0.6, 0.7]) == pytest.approx([0.003, 1, 1])
    assert holm([0.2]) == pytest.approx([0.2])
    assert holm([]).shape == (0,)


@given(arrays.arrays(float, st.integers(1, 12), elements=st.floats(0, 1)), st.floats(0.001, 0.2))
def test_holm_rejects_what_the_step_down_procedure_rejects(p: np.ndarray, alpha: float) -> None:
    rejected = np.zeros(len(p), dtype=bool)
    for rank, index in enumerate(np.argsort(p, kind="stable")):
        if p[index] * (len(p) - rank) > alpha:
            break
        rejected[index] = True
    adjusted = holm(p)
    np.testing.assert_array_equal(adjusted <= alpha, rejected)
    assert ((adjusted >= p) & (adjusted <= np.minimum(1, len(p) * p) + 1e-15)).all()


@pytest.mark.parametrize("bad", [[0.1, 1.2], [-0.1], [np.nan], [[0.1]]])
def test_holm_refuses_what_is_no_p_value(bad: list) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        holm(bad)


@pytest.mark.parametrize(
    ("shift", "margin"), [(0.0, 0.1), (0.05, 0.1), (-0.05, 0.1), (0.0, 0.03), (0.3, 0.1)]
)
def test_equivalence_agrees_with_two_one_sided_t_tests(shift: float, margin: float) -> None:
    generator = rng(5)
    b = generator.standard_normal((1, 800))
    noise = 0.8 * generator.standard_normal((1, 800))
    a = b + shift + noise - noise.mean()
    difference = (a - b)[0]
    oracle = max(
        stats.ttest_1samp(difference, -margin, alternative="greater").pvalue,
        stats.ttest_1samp(difference, margin, alternative="less").pvalue,
    )
    answer = equivalence(a, b, margin=margin, resamples=20000, generator=rng())
    assert answer.p_value == pytest.approx(oracle, abs=4 * np.sqrt(oracle / 20000) + 0.002)
    assert answer.difference == paired_difference(a, b, resamples=20000, generator=rng(), level=0.9)
    inside = -margin < answer.difference.low and answer.difference.high < margin
    assert inside == (answer.p_value <= 0.05)


def test_at_the_margin_equivalence_is_claimed_about_5_times_in_100() -> None:
    generator, claimed = rng(6), 0
    for _ in range(600):
        a, b = generator.standard_normal((2, 1, 120))
        claimed += equivalence(a + 0.5, b, margin=0.5, resamples=300, generator=generator).p_value <= 0.05
    assert 0.02 < claimed / 600 < 0.08


def test_equal_systems_are_equivalent_with_the_smallest_p_that_the_resamples_allow() -> None:
    a = rng(9).random((2, 40))
    assert equivalence(a, a, margin=9, resamples=99, generator=rng()).p_value == pytest.approx(0.01)


@pytest.mark.parametrize("margin", [0, -1, np.nan])
def test_a_margin_must_be_positive(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        equivalence(np.ones((1, 3)), np.ones((1, 3)), margin=margin, resamples=9, generator=rng())


def test_the_smallest_detectable_difference_is_found_with_the_power_that_it_says() -> None:
    assert smallest_detectable_difference(1) == pytest.approx(2.8016, abs=1e-4)
    assert smallest_detectable_difference(0.97, level=0.99, power=0.9) == pytest.approx(
        0.97 * 3.8574, abs=1e-3
    )
    generator, images = rng(7), 150
    true = smallest_detectable_difference(np.sqrt(2 / images))
    found = [
        paired_randomisation(a + true, b, resamples=199, generator=generator) <= 0.05
        for a, b in (generator.standard_normal((2, 1, images)) for _ in range(500))
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(
    ("error", "level", "power"), [(-1, 0.95, 0.8), (1, 95, 0.8), (1, 0.95, 0), (np.nan, 0.9, 0.8)]
)
def test_what_is_no_standard_error_level_or_power_is_refused(
    error: float, level: float, power: float
) -> None:
    with pytest.raises(ValueError, match="standard error"):
        smallest_detectable_difference(error, level=level, power=power)


def test_randomisation_is_reproducible() -> None:
    a, b = rng(8).random((2, 1, 100))
    one, again, other = (paired_randomisation(a, b, resamples=500, generator=rng(seed)) for seed in (0, 0, 1))
    assert one == again != other
