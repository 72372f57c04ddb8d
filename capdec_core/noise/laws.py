"""Closed forms that tie a perturbation's variance, its norm and its cosine together.

Everywhere `variance` is the variance of ONE coordinate of the noise (not its standard deviation, and
not the squared norm of the whole vector, which is about `d * variance`).
"""

import math


def cosine_for_variance(variance: float, d: int) -> float:
    """Return the mean cosine between a unit row and itself plus isotropic noise, 1 / sqrt(1 + d variance).

    `variance` is per coordinate. Exact as d grows with `d * variance` fixed; at d >= 128 the error is
    below half a percent of the cosine. ValueError for a negative variance or d < 1.
    """
    if not variance >= 0 or d < 1:
        raise ValueError(f"variance must be at least 0 and d at least 1, not {variance} and {d}")
    return 1 / math.sqrt(1 + d * variance)


def variance_for_cosine(cosine: float, d: int) -> float:
    """Return the variance per coordinate at which isotropic noise has this mean cosine.

    The calibration law v* = (1 / c^2 - 1) / d, with c the mean cosine of matched image-text pairs; the
    inverse of `cosine_for_variance`. ValueError where no variance does it: a cosine outside (0, 1].
    """
    if not 0 < cosine <= 1 or d < 1:
        raise ValueError(f"cosine must be above 0 and at most 1 and d at least 1, not {cosine} and {d}")
    return (1 / cosine**2 - 1) / d


def ball_radius_for_variance(variance: float, d: int) -> float:
    """Return the radius of the uniform d-ball whose variance per coordinate is `variance`.

    A coordinate of a uniform point of a d-ball of radius r has variance r^2 / (d + 2), so
    r = sqrt(variance (d + 2)): about sqrt(d) standard deviations. ValueError for a negative variance.
    """
    if not variance >= 0 or d < 1:
        raise ValueError(f"variance must be at least 0 and d at least 1, not {variance} and {d}")
    return math.sqrt(variance * (d + 2))


def chi_mean(d: float) -> float:
    """Return the mean norm of d independent standard normals: sqrt(2) Gamma((d + 1) / 2) / Gamma(d / 2)."""
    return math.sqrt(2) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))


def inverse_chi_mean(df: float) -> float:
    """Return E[1 / chi_df] = Gamma((df - 1) / 2) / (sqrt(2) Gamma(df / 2)); infinite for df <= 1."""
    if df <= 1:
        return math.inf
    return math.exp(math.lgamma((df - 1) / 2) - math.lgamma(df / 2)) / math.sqrt(2)
