"""Percentile bootstrap intervals of one system's score and of two systems' difference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from capdec_core.statistics.resampling import Statistic, means, replicates


@dataclass(frozen=True)
class Estimate:
    """A score, or a difference of scores, with its interval; all in the units of the metric.

    `low` and `high` bound the percentile interval of this `level`; `standard_error` is the standard
    deviation of the bootstrap replicates. `n_seeds` is the smaller number where two systems are compared.
    """

    value: float
    low: float
    high: float
    level: float
    standard_error: float
    n_images: int
    n_seeds: int

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0


def bootstrap_interval(
    scores: np.ndarray, *, resamples: int, generator: np.random.Generator, level: float = 0.95
) -> Estimate:
    """Return the mean of `scores` (seeds, images) over both, with its interval.

    The question it answers: between which bounds would the mean lie if this training were repeated with
    other seeds and scored on other images of the same kind? With one seed it answers for that one trained
    system only, on other images. With 2 or 3 seeds, where the seeds differ by more than the images' own
    error, such an interval is somewhat too narrow. ValueError for scores that are no finite matrix.
    """
    statistic, images = means(scores), np.shape(scores)[1]
    return bootstrap_statistic(
        statistic, images=images, resamples=resamples, generator=generator, level=level
    )


def bootstrap_statistic(
    statistic: Statistic, *, images: int, resamples: int, generator: np.random.Generator, level: float = 0.95
) -> Estimate:
    """Return the mean over seeds of a corpus metric that is not a mean over images, such as BLEU.

    `statistic` maps counts (resamples, images) to scores (resamples, seeds), recomputed from sums over
    the drawn images. The question is that of `bootstrap_interval`.
    """
    return estimate([statistic], [1], images, resamples, generator, level)[0]


def paired_difference(
    a: np.ndarray, b: np.ndarray, *, resamples: int, generator: np.random.Generator, level: float = 0.95
) -> Estimate:
    """Return mean(a) - mean(b), scores (seeds of a, images) and (seeds of b, images) on the same images.

    The question it answers: by how much would system a beat system b if both were trained again with other
    seeds and scored on other images, the same for both? What an image does to both systems alike cancels.
    ValueError where the images differ in number or a score is not finite.
    """
    systems, images = paired_means(a, b)
    return estimate(systems, [1, -1], images, resamples, generator, level)[0]


def paired_statistic_difference(
    a: Statistic,
    b: Statistic,
    *,
    images: int,
    resamples: int,
    generator: np.random.Generator,
    level: float = 0.95,
) -> Estimate:
    """Return the difference of a corpus metric such as BLEU between two systems, as `paired_difference`.

    `a` and `b` map the same counts (resamples, images) to scores (resamples, seeds).
    """
    return estimate([a, b], [1, -1], images, resamples, generator, level)[0]


def unpaired_difference(a: Estimate, b: Estimate) -> Estimate:
    """Return a minus b with an interval made of the two intervals alone, as if their samples were independent.

    Zou and Donner 2008, "Construction of confidence limits about effect measures: a general approach". Where both
    were scored on the same images, which are easy or hard for both, the interval is too wide and not too narrow; with
    the scores at hand `paired_difference` is sharper. ValueError where the levels differ.
    """
    if a.level != b.level:
        raise ValueError(f"intervals of levels {a.level} and {b.level} make no interval of a difference")
    value = a.value - b.value
    low = value - math.hypot(a.value - a.low, b.high - b.value)
    high = value + math.hypot(a.high - a.value, b.value - b.low)
    error = math.hypot(a.standard_error, b.standard_error)
    images, seeds = min(a.n_images, b.n_images), min(a.n_seeds, b.n_seeds)
    return Estimate(value, low, high, a.level, error, images, seeds)


def paired_means(*scores: np.ndarray) -> tuple[list[Statistic], int]:
    """Return the systems' mean statistics and the number of images that they share."""
    systems = [means(each) for each in scores]
    images = sorted({np.shape(each)[1] for each in scores}, reverse=True)
    if len(images) != 1:
        raise ValueError(f"paired scores need the same images, not {' and '.join(map(str, images))}")
    return systems, images[0]


def estimate(
    systems: list[Statistic],
    weights: Sequence[float],
    images: int,
    resamples: int,
    generator: np.random.Generator,
    level: float,
) -> tuple[Estimate, np.ndarray]:
    """Return the weighted sum of the systems' values with its interval, and its replicates (resamples,)."""
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level}")
    scores, drawn = replicates(systems, images, resamples, generator)
    total = drawn @ np.array(weights)
    low, high = np.quantile(total, [(1 - level) / 2, (1 + level) / 2]).tolist()
    value = sum(weight * float(each.mean()) for weight, each in zip(weights, scores, strict=True))
    seeds = min(len(each) for each in scores)
    return Estimate(value, low, high, level, float(total.std()), images, seeds), total
