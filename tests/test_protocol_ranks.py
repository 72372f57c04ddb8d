"""Rankings against scipy, pairs that turn by hand, and the agreement of two halves of a test set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from capdec_core.protocol import (
    Captioners,
    Drawn,
    agreement_of_halves,
    as_published,
    kendall_tau,
    ranks,
    turned_pairs,
    whole_test_set,
)
from capdec_core.statistics import resampling

scores_of = arrays.arrays(float, (7,), elements=st.floats(-1, 1), unique=True)


@given(scores_of, scores_of)
def test_tau_and_ranks_are_scipys(a: np.ndarray, b: np.ndarray) -> None:
    assert kendall_tau(a, b) == pytest.approx(stats.kendalltau(a, b).statistic)
    np.testing.assert_array_equal(ranks(a), stats.rankdata(-a, method="min"))
    assert kendall_tau(a, a) == 1
    assert kendall_tau(a, -a) == -1


def test_ties_share_a_rank_and_count_for_neither_side() -> None:
    assert ranks(np.array([0.5, 0.9, 0.5, 0.1])).tolist() == [2, 1, 2, 4]
    assert kendall_tau(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / 3)


def test_many_rankings_at_once_are_the_same_one_by_one() -> None:
    a, b = np.random.default_rng(0).random((2, 6, 5))
    assert kendall_tau(a, b) == pytest.approx([kendall_tau(x, y) for x, y in zip(a, b, strict=True)])
    np.testing.assert_array_equal(ranks(a), [ranks(x) for x in a])


def test_pairs_that_turn_by_hand() -> None:
    """The first protocol says 0 > 1 > 2, the second 1 > 0 > 2; of four resamples, three agree with that."""
    first = Drawn(np.array([3.0, 2, 1]), np.array([[3.0, 2, 1]] * 4))
    second = Drawn(np.array([2.0, 3, 1]), np.array([[2.0, 3, 1]] * 3 + [[3.0, 2, 1]]))
    (turn,) = turned_pairs(first, second)
    assert (turn.ahead, turn.behind, turn.often) == (0, 1, 0.75)
    (back,) = turned_pairs(second, first)
    assert (back.ahead, back.behind) == (1, 0)
    assert turned_pairs(first, first) == []


def test_the_surest_turn_comes_first() -> None:
    first = Drawn(np.array([4.0, 3, 2, 1]), np.array([[4.0, 3, 2, 1]] * 2))
    second = Drawn(np.array([3.0, 4, 1, 2]), np.array([[4.0, 3, 1, 2], [3.0, 4, 1, 2]]))
    assert [(turn.ahead, turn.behind, turn.often) for turn in turned_pairs(first, second)] == [
        (2, 3, 1.0),
        (0, 1, 0.5),
    ]


def test_turned_pairs_are_those_of_all_pairs_at_once() -> None:
    first, second = (Drawn(scores[0], scores) for scores in np.random.default_rng(5).normal(size=(2, 40, 7)))
    left, right = np.triu_indices(7, 1)
    signs = [np.sign(d.replicates[:, left] - d.replicates[:, right]) for d in (first, second)]
    often = dict(
        zip(zip(left.tolist(), right.tolist(), strict=True), (signs[0] != signs[1]).mean(axis=0), strict=True)
    )
    turns = turned_pairs(first, second)
    assert [turn.often for turn in turns] == sorted((turn.often for turn in turns), reverse=True)
    assert {tuple(sorted((turn.ahead, turn.behind))): turn.often for turn in turns} == {
        pair: often[pair] for pair, a, b in zip(often, signs[0][0], signs[1][0], strict=True) if a != b
    }


def systems(step: float, noise: float, seed: int) -> Captioners:
    generator = np.random.default_rng(seed)
    scores = step * np.arange(6)[:, None] + noise * generator.standard_normal((6, 100))
    return Captioners(scores, np.arange(6))


def test_halves_agree_on_systems_that_differ_and_not_on_equal_ones() -> None:
    sure, equal = systems(1, 0.1, 0), systems(0, 1, 1)
    options = {"halves": 50, "generator": np.random.default_rng(2)}
    assert agreement_of_halves(whole_test_set(sure), sure.owner, **options) == pytest.approx(np.ones(50))
    assert agreement_of_halves(as_published(sure, 10), sure.owner, **options) == pytest.approx(np.ones(50))
    taus = [
        agreement_of_halves(whole_test_set(each), each.owner, halves=4, generator=np.random.default_rng(3))
        for each in (systems(0, 1, seed) for seed in range(100))
    ]
    assert np.mean(taus) == pytest.approx(0, abs=0.08)
    assert agreement_of_halves(whole_test_set(equal), equal.owner, **options).shape == (50,)


def test_fewer_images_agree_less() -> None:
    close = systems(0.1, 1, 4)
    options = {"halves": 200, "generator": np.random.default_rng(5)}
    whole = agreement_of_halves(whole_test_set(close), close.owner, **options).mean()
    few = agreement_of_halves(as_published(close, 5), close.owner, **options).mean()
    assert few < whole - 0.1


def test_one_system_is_no_ranking() -> None:
    with pytest.raises(ValueError, match="two systems"):
        kendall_tau(np.ones(1), np.ones(1))


def test_halves_do_not_depend_on_how_many_are_drawn_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    several = systems(0.2, 1, 4)

    def taus() -> np.ndarray:
        generator = np.random.default_rng(6)
        return agreement_of_halves(whole_test_set(several), several.owner, halves=9, generator=generator)

    at_once = taus()
    monkeypatch.setattr(resampling, "BLOCK_ELEMENTS", 2 * several.images)
    assert taus() == pytest.approx(at_once)
    assert len(set(at_once.tolist())) > 1
