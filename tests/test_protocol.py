"""Study A's protocol: choosing by hand and by simulation, the regression to the mean, the bootstrap's coverage."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from capdec_core.protocol import (
    Captioners,
    Drawn,
    Round,
    advantages,
    another_seed,
    as_published,
    best_images,
    draw,
    expected_top_mean,
    mean_scores,
    other_captions,
    other_references,
    reliability,
    selection_effect,
    slope,
    uplift,
    whole_test_set,
)
from capdec_core.protocol.rounds import halves
from capdec_core.protocol.selection import chosen
from capdec_core.statistics import paired_difference

Builder = Callable[[Captioners, np.ndarray, int], list[Round]]
PROTOCOLS: dict[str, Builder] = {
    "as published": lambda captioners, _, n: as_published(captioners, n),
    "another seed": lambda captioners, _, n: another_seed(captioners, n),
    "other captions": other_captions,
    "other references": other_references,
}
every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def of_cosines(cosines: np.ndarray, owner: list[int]) -> Captioners:
    return Captioners(cosines.mean(axis=(2, 3)), np.array(owner))


def on_all(rounds: list[Round]) -> np.ndarray:
    """Each row's score under the protocol on the test set as it is."""
    return mean_scores(rounds, np.ones((1, len(rounds[0].selector))))[0]


def gaussian(generator: np.random.Generator, shared: list[float], images: int) -> np.ndarray:
    """Scores (rows, images) of variance 1, a row's correlation with the image's effect the root of `shared`."""
    share = np.array(shared)[:, None]
    noise = generator.standard_normal((len(shared), images))
    return np.sqrt(share) * generator.standard_normal(images) + np.sqrt(1 - share) * noise


# Choosing.


def test_the_best_images_by_hand() -> None:
    assert best_images(np.array([0.2, 0.9, 0.5, 0.9]), 3).tolist() == [1, 3, 2]


@given(st.integers(0, 1000), st.integers(1, 12))
def test_a_resample_is_chosen_from_as_if_it_were_written_out(seed: int, n: int) -> None:
    selector, drawn = rng(seed).random(12), rng(seed + 1).integers(0, 12, 12)
    counts = np.bincount(drawn, minlength=12)[None].astype(float)
    best = sorted(selector[drawn], reverse=True)[:n]
    times = chosen(selector, counts, n)[0]
    assert sorted(np.repeat(selector, times.astype(int)), reverse=True) == best
    assert (times <= counts[0]).all()


def test_published_protocol_by_hand() -> None:
    """Two seeds of the baseline choose images 2 and 0, and 1 and 2; the other system is scored on both choices."""
    scores = np.array([[3, 1, 4, 0], [0, 9, 5, 2], [1, 2, 3, 10]], dtype=float)
    rows = on_all(as_published(Captioners(scores, np.array([0, 0, 1])), 2))
    assert rows == pytest.approx([3.5, 7, (2 + 2.5) / 2])
    other = on_all(as_published(Captioners(scores, np.array([0, 0, 1])), 2, selecting=1))
    assert other == pytest.approx([(0 + 4) / 2, (2 + 5) / 2, 6.5])


def test_another_seed_by_hand() -> None:
    scores = np.array([[3, 1, 4, 0], [0, 9, 5, 2], [1, 2, 3, 10]], dtype=float)
    rows = on_all(another_seed(Captioners(scores, np.array([0, 0, 1])), 2))
    assert rows == pytest.approx([(1 + 4) / 2, (0 + 5) / 2, (2 + 2.5) / 2])


def test_halves_are_all_ways_in_both_orders() -> None:
    found = list(halves(5))
    assert len(found) == len({tuple(a) for a, _ in found}) == 20
    assert all(sorted(a + b) == [0, 1, 2, 3, 4] and {len(a), len(b)} == {2, 3} for a, b in found)
    assert list(halves(2)) == [([0], [1]), ([1], [0])]


def test_a_half_never_compares_what_it_chose_by() -> None:
    """Captions and references are told apart by their size, so a mean says which of them entered it."""
    weight = 10.0 ** np.arange(4)
    cosines = np.broadcast_to(weight[:, None], (2, 3, 4, 2))
    for one in other_captions(of_cosines(cosines, [0, 1]), cosines, 1):
        total = 2 * (one.selector + one.scores[0])
        assert total == pytest.approx(np.full(3, weight.sum()))
        assert one.scores[1] == pytest.approx(np.full(3, weight.mean()))
    cosines = cosines.transpose(0, 1, 3, 2)
    for one in other_references(of_cosines(cosines, [0, 1]), cosines, 1):
        total = 2 * (one.selector + one.scores)
        assert total == pytest.approx(np.full((2, 3), weight.sum()))


# What no choice can change.


@every_protocol
@given(seed=st.integers(0, 1000))
def test_choosing_all_images_changes_nothing(protocol: Builder, seed: int) -> None:
    cosines = rng(seed).normal(0.5, 0.3, (4, 9, 5, 4))
    captioners = of_cosines(cosines, [0, 0, 1, 2])
    assert on_all(protocol(captioners, cosines, 9)) == pytest.approx(on_all(whole_test_set(captioners)))


@given(arrays.arrays(float, (20,), elements=st.floats(-1, 1)), st.integers(1, 20))
def test_a_system_has_no_advantage_over_itself(scores: np.ndarray, n: int) -> None:
    captioners = Captioners(np.stack([scores, scores]), np.array([0, 1]))
    drawn = draw({"own": as_published(captioners, n)}, captioners.owner, resamples=20, generator=rng())
    advantage = advantages(drawn["own"])
    assert advantage.values == pytest.approx([0])
    assert advantage.replicates == pytest.approx(np.zeros((20, 1)))


@given(st.integers(0, 1000), st.integers(1, 19))
def test_the_chooser_never_loses_by_its_choice(seed: int, n: int) -> None:
    scores = rng(seed).normal(0, 1, (1, 20))
    captioners = Captioners(scores, np.array([0]))
    assert on_all(as_published(captioners, n))[0] >= scores.mean()


def test_a_score_that_knows_nothing_of_the_captions_chooses_without_effect() -> None:
    generator, effects = rng(1), []
    for _ in range(1500):
        scores = gaussian(generator, [0.5, 0.5, 0.2], 60)
        everyone = np.ones(3, dtype=bool)
        rounds = [Round(generator.standard_normal(60), 6, scores, everyone)]
        effects.append(on_all(rounds) - scores.mean(axis=1))
    error = np.std(effects, axis=0) / np.sqrt(1500)
    assert (np.abs(np.mean(effects, axis=0)) < 4 * error).all()


# Regression to the mean.


@pytest.mark.parametrize(
    ("images", "expected"),
    [(2, 1 / np.sqrt(np.pi)), (3, 1.5 / np.sqrt(np.pi)), (10, 1.538753), (100, 2.507594)],
)
def test_the_expected_maximum_is_the_tabled_one(images: int, expected: float) -> None:
    """Teichroew 1956, expected values of order statistics of normal samples."""
    assert expected_top_mean(1, images) == pytest.approx(expected, abs=1e-5)


@given(st.integers(2, 400), st.data())
def test_highest_and_lowest_add_up_to_nothing(images: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, images - 1))
    rest = images - n
    assert n * expected_top_mean(n, images) == pytest.approx(rest * expected_top_mean(rest, images), abs=1e-5)
    assert expected_top_mean(images, images) == pytest.approx(0, abs=1e-8)


def test_what_another_copy_loses_is_what_the_formula_says() -> None:
    """Own choice lifts the baseline by E[top], a copy by its reliability times that, a rival by its covariance."""
    generator, n, images, found = rng(2), 15, 120, []
    copies, rival = 0.6, 0.3
    for _ in range(1200):
        scores = gaussian(generator, [copies, copies, rival], images)
        captioners = Captioners(scores, np.array([0, 0, 1]))
        own, other = on_all(as_published(captioners, n)), on_all(another_seed(captioners, n))
        found.append([own[:2].mean(), other[:2].mean(), own[2], reliability(scores[:2])])
    top = expected_top_mean(n, images)
    expected = [top, copies * top, np.sqrt(copies * rival) * top, copies]
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - expected) < 4 * error).all()


def test_the_predicted_effect_is_the_measured_one_where_scores_are_linear() -> None:
    x = rng(3).standard_normal(300)
    y = 0.7 * x - 4
    assert slope(x, y) == pytest.approx(0.7)
    measured = uplift(x, 15) - (y[best_images(x, 15)].mean() - y.mean())
    assert selection_effect(x, y, 15) == pytest.approx(measured)
    assert selection_effect(x, x, 15) == pytest.approx(0)


def test_captions_that_share_their_luck_remove_less_of_it_than_another_seed() -> None:
    """A seed's luck on an image is half its captions' own: the other captions keep the shared half."""
    generator, found = rng(4), []
    for _ in range(150):
        image, seed = generator.standard_normal((1, 200, 1, 1)), generator.standard_normal((2, 200, 1, 1))
        cosines = image + seed + generator.standard_normal((2, 200, 4, 1))
        captioners = of_cosines(cosines, [0, 0])
        rounds = (
            as_published(captioners, 10), other_captions(captioners, cosines, 10), another_seed(captioners, 10)
        )  # fmt: skip
        found.append([on_all(each).mean() for each in rounds])
    own, captions, seeds = np.mean(found, axis=0)
    assert own > captions + 0.2 > seeds + 0.6


# The bootstrap.


def test_choosing_all_images_is_the_paired_bootstrap() -> None:
    scores = gaussian(rng(5), [0.5, 0.5, 0.5, 0.2, 0.2], 200)
    captioners = Captioners(scores, np.array([0, 0, 0, 1, 1]))
    protocols = {"all": whole_test_set(captioners)}
    drawn = advantages(draw(protocols, captioners.owner, resamples=20000, generator=rng())["all"])
    ours = drawn.estimate(0, images=200, seeds=2)
    theirs = paired_difference(scores[:3], scores[3:], resamples=20000, generator=rng(1))
    assert ours.value == pytest.approx(theirs.value)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=0.03)


def test_the_choice_is_made_anew_in_each_resample() -> None:
    scores = gaussian(rng(6), [0.6, 0.3], 80)
    captioners = Captioners(scores, np.array([0, 1]))
    protocols = {"own": as_published(captioners, 8)}
    drawn = advantages(draw(protocols, captioners.owner, resamples=4000, generator=rng())["own"])
    generator, slow = rng(7), []
    for _ in range(4000):
        resample = scores[:, generator.integers(0, 80, 80)]
        best = best_images(resample[0], 8)
        slow.append(resample[0, best].mean() - resample[1, best].mean())
    assert drawn.replicates.mean() == pytest.approx(np.mean(slow), abs=0.02)
    assert drawn.replicates.std() == pytest.approx(np.std(slow), rel=0.06)


def test_the_effects_interval_covers_the_expected_effect_about_95_times_in_100() -> None:
    generator, n, images, covered = rng(8), 15, 200, []
    expected = (1 - 0.5) * expected_top_mean(n, images)
    for _ in range(400):
        captioners = Captioners(gaussian(generator, [0.5, 0.5], images), np.array([0, 1]))
        protocols = {"own": as_published(captioners, n), "all": whole_test_set(captioners)}
        drawn = draw(protocols, captioners.owner, resamples=300, generator=generator)
        effect = (advantages(drawn["own"]) - advantages(drawn["all"])).estimate(0, images=images, seeds=1)
        covered.append(effect.low <= expected <= effect.high)
    assert 0.90 < np.mean(covered) < 0.985


def test_between_equals_an_independent_choice_finds_a_difference_about_5_times_in_100() -> None:
    """And Study A's own choice nearly always: the systems differ in nothing but luck."""
    generator, found = rng(9), []
    for _ in range(300):
        scores = gaussian(generator, [0.5, 0.5, 0.5], 150)
        pair = Captioners(scores[1:], np.array([0, 1]))
        neutral = [Round(scores[0], 15, pair.scores, np.ones(2, dtype=bool))]
        protocols = {"neutral": neutral, "own": as_published(pair, 15)}
        drawn = draw(protocols, pair.owner, resamples=199, generator=generator)
        found.append([advantages(each).p_value(0) <= 0.05 for each in drawn.values()])
    neutral_share, own_share = np.mean(found, axis=0)
    assert 0.01 < neutral_share < 0.1
    assert own_share > 0.7


def test_on_all_images_the_p_value_is_that_of_the_paired_t_test() -> None:
    scores = gaussian(rng(11), [0.5, 0.2], 500) + np.array([[0.12], [0]])
    captioners = Captioners(scores, np.array([0, 1]))
    drawn = draw({"all": whole_test_set(captioners)}, captioners.owner, resamples=20000, generator=rng())
    oracle = stats.ttest_rel(scores[0], scores[1]).pvalue
    assert 0.001 < oracle < 0.2
    assert advantages(drawn["all"]).p_value(0) == pytest.approx(oracle, rel=0.1)


def test_a_number_without_error_is_0_or_not() -> None:
    drawn = Drawn(np.array([0.0, 0.3]), np.array([[0.0, 0.3]] * 9))
    assert (drawn.p_value(0), drawn.p_value(1)) == (1, 0)


def test_systems_of_several_seeds_have_the_seeds_error_too() -> None:
    images = rng(10).standard_normal(100)
    scores = np.stack([images + 1, images - 1, images, images])
    captioners = Captioners(scores, np.array([0, 0, 1, 1]))
    protocols = {"all": whole_test_set(captioners), "own": as_published(captioners, 10)}
    drawn = draw(protocols, captioners.owner, resamples=4000, generator=rng())
    advantage = advantages(drawn["all"])
    assert advantage.replicates.std() == pytest.approx(1, rel=0.05)
    effect = advantages(drawn["own"]) - advantage
    assert effect.replicates == pytest.approx(np.zeros((4000, 1)))


# Refusals.


def test_what_cannot_be_chosen_or_compared_is_refused() -> None:
    one = Captioners(rng().random((1, 5)), np.array([0]))
    with pytest.raises(ValueError, match="another seed"):
        another_seed(one, 2)
    with pytest.raises(ValueError, match="cannot choose 6 of 5"):
        as_published(one, 6)
    with pytest.raises(ValueError, match="row 0"):
        mean_scores([Round(np.zeros(5), 2, one.scores, np.array([False]))], np.ones((1, 5)))
    with pytest.raises(ValueError, match="halved"):
        list(halves(1))
    with pytest.raises(ValueError, match="4 highest of 3"):
        expected_top_mean(4, 3)
    with pytest.raises(ValueError, match="slope"):
        slope(np.ones(4), np.arange(4.0))
    with pytest.raises(ValueError, match="two seeds"):
        reliability(one.scores)


@pytest.mark.parametrize(
    ("scores", "owner"),
    [
        (np.ones(3), [0]),
        (np.full((1, 3), np.nan), [0]),
        (np.ones((2, 3)), [0]),
        (np.ones((2, 3)), [0, 2]),
        (np.ones((2, 3)), [1, 1]),
    ],
)
def test_scores_without_a_system_are_refused(scores: np.ndarray, owner: list[int]) -> None:
    with pytest.raises(ValueError, match=r"scores must|owners"):
        Captioners(scores, np.array(owner))
