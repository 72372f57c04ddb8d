"""Trends over ordered levels of one setting: a slope, whether it is negligible, and whether levels differ at all.

`levels` are the scores of each level, (seeds of the level, images), on the same images; `covariate` gives each
level's place, such as log2 of its number of layers. A slope is in the metric's units per unit of covariate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from capdec_core.statistics.contrasts import TIE, Equivalence, two_one_sided
from capdec_core.statistics.intervals import Estimate, estimate, paired_means
from capdec_core.statistics.resampling import blocks, replicates

Levels = Sequence[np.ndarray]


@dataclass(frozen=True)
class Trend:
    """A slope with its interval over images and seeds, and its two-sided randomisation p-value."""

    slope: Estimate
    p_value: float


@dataclass(frozen=True)
class LevelDifferences:
    """Whether levels differ at all, in whatever order.

    Attributes:
        spread: standard deviation (ddof 0) of the levels' means, in the metric's units.
        p_systems: by randomisation within images: do THESE trained systems differ?
        p_repeated: by bootstrap over images and seeds: do they differ by more than other images and other
            seeds would make equal levels differ?
    """

    spread: float
    p_systems: float
    p_repeated: float

    @property
    def p_value(self) -> float:
        """The larger of the two: below alpha only where both tests reject."""
        return max(self.p_systems, self.p_repeated)


def linear_trend(
    levels: Levels,
    covariate: Sequence[float],
    *,
    resamples: int,
    generator: np.random.Generator,
    level: float = 0.95,
) -> Trend:
    """Return the least-squares slope of the levels' means on the covariate, each level weighing the same.

    The questions it answers: the interval, which slope other seeds and other images would give, the images
    drawn once for all levels and the seeds within each; the p-value, whether a slope as steep as this one, up
    or down, could arise if, image by image, it did not matter which level wrote which caption (the levels'
    labels are permuted within each image; the observed labelling counts as one, as in
    `paired_randomisation`). ValueError for scores on different images, a covariate that is not finite, of
    another length than the levels, or the same everywhere.
    """
    systems, images = paired_means(*levels)
    weights = slope_weights(covariate, len(levels))
    slope, _ = estimate(systems, weights.tolist(), images, resamples, generator, level)
    permuted = _permuted_means(levels, resamples, generator)
    observed = abs(slope.value) - TIE * float(np.abs(weights) @ [np.abs(scores).mean() for scores in levels])
    extreme = int((np.abs(permuted @ weights) >= observed).sum())
    return Trend(slope, (1 + extreme) / (1 + resamples))


def slope_equivalence(
    levels: Levels,
    covariate: Sequence[float],
    *,
    margin: float,
    resamples: int,
    generator: np.random.Generator,
    alpha: float = 0.05,
) -> Equivalence:
    """Test whether the slope of `linear_trend` lies within `margin` of 0 (metric's units per unit of covariate).

    Two one-sided tests on the bootstrap's replicates, as `equivalence` does for a difference: a small p says
    "no linear trend that matters". ValueError as for `linear_trend`, and for a margin that is not positive.
    """
    systems, images = paired_means(*levels)
    weights = slope_weights(covariate, len(levels)).tolist()
    slope, drawn = estimate(systems, weights, images, resamples, generator, 1 - 2 * alpha)
    return Equivalence(slope, margin, two_one_sided(drawn, margin))


def level_differences(levels: Levels, *, resamples: int, generator: np.random.Generator) -> LevelDifferences:
    """Test whether the levels' means differ at all, by the variance of the means; the order plays no part.

    On within-image ranks the randomisation is Friedman's test (1937) without its chi-square approximation;
    here it keeps the scores' own distances. The bootstrap compares that variance with the variance of what
    the replicates add to each mean, as if the levels were equal; like every interval here it is somewhat too
    ready to reject where there are 2 or 3 seeds that differ by more than the images' own error. ValueError
    for fewer than two levels or scores on different images.
    """
    if len(levels) < 2:
        raise ValueError(f"levels to compare must be at least two, not {len(levels)}")
    systems, images = paired_means(*levels)
    full, drawn = replicates(systems, images, resamples, generator)
    means = np.array([scores.mean() for scores in full])
    observed = means.var() - TIE * np.square(means).mean()
    permuted = _permuted_means(levels, resamples, generator)
    extreme = [int((each.var(axis=1) >= observed).sum()) for each in (permuted, drawn - means)]
    p_systems, p_repeated = ((1 + count) / (1 + resamples) for count in extreme)
    return LevelDifferences(float(means.std()), p_systems, p_repeated)


def slope_weights(covariate: Sequence[float], levels: int) -> np.ndarray:
    """Return the weights (levels,) whose sum of products with the levels' means is the least-squares slope."""
    x = np.asarray(covariate, dtype=np.float64)
    if x.shape != (levels,) or not np.isfinite(x).all():
        raise ValueError(
            f"the covariate needs one finite number for each of {levels} levels, not {covariate}"
        )
    centred = x - x.mean()
    if np.ptp(x) == 0:
        raise ValueError(f"a slope needs at least two different values of the covariate, not {covariate}")
    return centred / (centred**2).sum()


def _permuted_means(levels: Levels, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Return the levels' means (resamples, levels) with the labels shuffled anew within every image."""
    scores = np.stack([np.mean(scores, axis=0) for scores in levels], axis=1)
    means = []
    for size in blocks(resamples, scores.size):
        shuffled = np.tile(scores, (size, 1, 1))
        means.append(generator.permuted(shuffled, axis=2, out=shuffled).mean(axis=1))
    return np.concatenate(means)
