"""What choosing the best images does, in closed form: regression to the mean.

A score that chooses, x, and a score that is compared, y, on the same images: where x is as high as on the chosen
images, y is expected to be higher than on average by slope * uplift, slope = cov(x, y) / var(x). The chosen
images therefore favour the chooser over y by (1 - slope) * uplift. With y an independent copy of x, slope is the
reliability of x, and (1 - reliability) * uplift is luck (Galton 1886). Exact in expectation where y is linear in x,
as it is for jointly normal scores.
"""

from itertools import permutations

import numpy as np
from scipy import integrate, stats

from capdec_core.protocol.selection import best_images


def expected_top_mean(n: int, images: int) -> float:
    """Return the expected mean of the n highest of `images` independent standard normal numbers.

    One of them, at x, is among the n highest if at most n - 1 of the others exceed it, which is binomial; so the
    mean is images / n times the integral of x times the normal density times that probability. For n = 1 it is
    the expected maximum; for n = images it is 0. ValueError unless 1 <= n <= images.
    """
    if not 1 <= n <= images:
        raise ValueError(f"cannot take the {n} highest of {images}")

    x = np.linspace(-9, 9, 3601)
    among = stats.binom.cdf(n - 1, images - 1, stats.norm.sf(x))
    return images / n * float(integrate.simpson(x * stats.norm.pdf(x) * among, x=x))


def uplift(selector: np.ndarray, n: int) -> float:
    """Return by how much `selector` (images,) is higher on its n best images than on all."""
    return float(selector[best_images(selector, n)].mean() - selector.mean())


def slope(selector: np.ndarray, scores: np.ndarray) -> float:
    """Return the slope of the regression of `scores` on `selector`, both (images,).

    ValueError where the selector does not vary.
    """
    centred = selector - selector.mean()
    spread = centred @ centred
    if not spread > 0:
        raise ValueError("a score that is the same on all images has no slope")
    return float(centred @ scores / spread)


def reliability(scores: np.ndarray) -> float:
    """Return the share of a score's variance over images that an independent copy has too.

    The mean slope of one seed's scores on another's, over all ordered pairs of seeds (seeds, images). ValueError
    for a single seed.
    """
    if len(scores) < 2:
        raise ValueError("reliability needs scores of two seeds")
    return float(np.mean([slope(x, y) for x, y in permutations(scores, 2)]))


def selection_effect(selector: np.ndarray, scores: np.ndarray, n: int) -> float:
    """Return the predicted effect of choosing by `selector` on its advantage over `scores`: (1 - slope) * uplift."""
    return (1 - slope(selector, scores)) * uplift(selector, n)
