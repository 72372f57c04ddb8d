"""Tests between systems: randomisation, Holm's correction, equivalence, and what a test set can detect."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from capdec_core.statistics.intervals import Estimate, estimate, paired_means
from capdec_core.statistics.resampling import blocks

TIE = 1e-12  # sums of the same numbers in another order may differ by rounding; they are ties


def paired_randomisation(
    a: np.ndarray, b: np.ndarray, *, resamples: int, generator: np.random.Generator
) -> float:
    """Return the two-sided p-value of approximate randomisation between two systems on the same images.

    Scores are (seeds of a, images) and (seeds of b, images), averaged over seeds first; then the systems'
    names are swapped on random images. The question it answers: could a difference in means as large as
    this one arise if, image by image, it did not matter which of the two THESE trained systems wrote the
    caption? (`paired_difference` asks about other seeds.) The observed labelling counts as one of the
    resamples, hence the + 1 (Phipson and Smyth 2010): p is never 0 and never too small.
    """
    paired_means(a, b)
    differences = np.mean(a, axis=0) - np.mean(b, axis=0)
    observed = abs(differences.sum()) - TIE * np.abs(differences).sum()
    extreme = 0
    for size in blocks(resamples, len(differences)):
        signs = 2.0 * generator.integers(0, 2, (size, len(differences)), dtype=np.int8) - 1
        extreme += int((np.abs(signs @ differences) >= observed).sum())
    return (1 + extreme) / (1 + resamples)


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the p-values of one family adjusted by Holm (1979), in the order given.

    Rejecting those at most alpha keeps the chance of any false rejection in the family at most alpha,
    however the tests depend on each other. ValueError for a value outside [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p-values must be a list of numbers from 0 to 1, not {p_values}")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


@dataclass(frozen=True)
class Equivalence:
    """The answer of two one-sided tests: the difference, the margin it was held to, and p.

    `difference` carries the interval of level 1 - 2 alpha: it lies inside (-margin, margin) where `p_value`
    is below alpha, up to the + 1 of the p-value.
    """

    difference: Estimate
    margin: float
    p_value: float


def equivalence(
    a: np.ndarray,
    b: np.ndarray,
    *,
    margin: float,
    resamples: int,
    generator: np.random.Generator,
    alpha: float = 0.05,
) -> Equivalence:
    """Test whether two systems' means differ by less than `margin` (in the metric's units): bootstrap TOST.

    Scores as in `paired_difference`, whose replicates are used. The question it answers: can a difference
    as large as the margin, in either direction, be ruled out for other seeds and other images? A small p
    says "no effect that matters"; a large one says undecided, not that there is an effect. The margin is
    to be stated before looking. ValueError for a margin that is not positive.
    """
    systems, images = paired_means(a, b)
    difference, drawn = estimate(systems, [1, -1], images, resamples, generator, 1 - 2 * alpha)
    return Equivalence(difference, margin, two_one_sided(drawn, margin))


def two_one_sided(drawn: np.ndarray, margin: float) -> float:
    """Return the larger p of two one-sided tests that replicates (resamples,) stay inside the margin.

    ValueError for a margin that is not positive.
    """
    if not margin > 0:
        raise ValueError(f"margin must be above 0, not {margin}")
    worse = max(int((drawn >= margin).sum()), int((drawn <= -margin).sum()))
    return (1 + worse) / (1 + len(drawn))


def smallest_detectable_difference(
    standard_error: float, *, level: float = 0.95, power: float = 0.8
) -> float:
    """Return the true difference that a two-sided test at 1 - level finds with this power.

    (z_((1 + level) / 2) + z_power) times `standard_error`, that of the difference (`Estimate.standard_error`
    of a `paired_difference`), in its units; 2.8 standard errors by default. Normal theory: with 2 or 3 seeds
    it is optimistic. ValueError for a negative standard error or a level or power outside (0, 1).
    """
    if not standard_error >= 0 or not (0 < level < 1 and 0 < power < 1):
        raise ValueError(f"no standard error, level and power: {standard_error}, {level}, {power}")
    return float(stats.norm.ppf((1 + level) / 2) + stats.norm.ppf(power)) * standard_error
