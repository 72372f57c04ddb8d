"""Tests of corpus metrics: exact on small samples, the mean's own test on means, honest under the null."""

import itertools

import numpy as np
import pytest

from capdec_core.metrics import bleu_from_statistics
from capdec_core.statistics import (
    equivalence,
    paired_corpus_randomisation,
    paired_randomisation,
    paired_statistic_equivalence,
)
from capdec_core.statistics.resampling import means


def mean(table: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return counts @ table[:, 0] / counts.sum(axis=1)


def ratio(table: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """A corpus metric in BLEU's manner: a quotient of sums."""
    return (counts @ table[:, 0]) / (counts @ table[:, 1])


def p_of(a, b, score, resamples=4000, seed=0) -> float:
    return paired_corpus_randomisation(
        a, b, score, resamples=resamples, generator=np.random.default_rng(seed)
    )


def made_up(seed: int, images: int, better: float = 0.0, seeds: int = 1) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    guessed = draw.integers(5, 12, (seeds, images))
    return [np.stack([draw.binomial(n, 0.4 + better), n], axis=1).astype(float) for n in guessed]


def exact(a: np.ndarray, b: np.ndarray) -> float:
    """The p-value over all exchanges of names, the quotients made anew one by one."""
    differences = []
    for swap in itertools.product([False, True], repeat=len(a)):
        chosen = np.array(swap)[:, None]
        first, second = np.where(chosen, b, a), np.where(chosen, a, b)
        one, two = (side[:, 0].sum() / side[:, 1].sum() for side in (first, second))
        differences.append(abs(one - two))
    return float(np.mean(np.array(differences) >= differences[0] - 1e-12))


@pytest.mark.parametrize("better", [0.0, 0.1, 0.3])
def test_it_is_the_exact_test_on_a_small_sample(better):
    (a,), (b,) = made_up(1, 9, better), made_up(2, 9)
    assert p_of([a], [b], ratio, resamples=20000) == pytest.approx(exact(a, b), abs=0.012)


def test_on_a_mean_it_is_the_means_own_test():
    draw = np.random.default_rng(3)
    a, b = draw.normal(0.1, 1, (3, 60)), draw.normal(0, 1, (3, 60))
    ours = p_of([row[:, None] for row in a], [row[:, None] for row in b], mean)
    theirs = paired_randomisation(a, b, resamples=4000, generator=np.random.default_rng(9))
    assert ours == pytest.approx(theirs, abs=0.03)
    assert 0.02 < theirs < 0.98


def test_it_rejects_as_often_as_it_should_when_nothing_differs():
    p_values = [p_of(made_up(2 * i, 40), made_up(2 * i + 1, 40), ratio, 199, i) for i in range(300)]
    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.1, abs=0.052)  # three standard errors


def test_bleu_of_a_better_system_is_told_apart_and_of_equal_ones_never():
    draw = np.random.default_rng(5)
    guessed = np.tile([10, 9, 8, 7], (60, 1))
    ends = np.tile([10, 10], (60, 1))
    worse, better = (
        np.hstack([draw.binomial(guessed, rate), guessed, ends]).astype(float) for rate in (0.4, 0.6)
    )

    def bleu4(table: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return bleu_from_statistics(table, counts)[:, 3]

    assert p_of([better], [worse], bleu4, resamples=999) == 1 / 1000
    assert p_of([better], [better.copy()], bleu4, resamples=199) == 1


def test_what_cannot_change_names_is_refused():
    a = made_up(1, 9, seeds=2)
    with pytest.raises(ValueError, match="2 and 1 seeds"):
        p_of(a, a[:1], ratio)
    with pytest.raises(ValueError, match=r"\(8, 2\), \(9, 2\)"):
        p_of(a, [table[:8] for table in a], ratio)


@pytest.mark.parametrize("margin", [0.1, 0.3, 1.0])
def test_on_a_mean_equivalence_is_the_means_own_test(margin):
    draw = np.random.default_rng(3)
    a, b = draw.normal(0.1, 1, (3, 60)), draw.normal(0, 1, (3, 60))
    options = {"margin": margin, "resamples": 500}
    ours = paired_statistic_equivalence(
        means(a), means(b), images=60, generator=np.random.default_rng(1), **options
    )
    assert ours == equivalence(a, b, generator=np.random.default_rng(1), **options)
