"""How likely a Gaussian step keeps a cosine above a threshold: both tails, exact to the smallest probability."""

import math
from functools import cache

import numpy as np
from scipy import special, stats

REACH = 38.0
"""Standard deviations that the integrals cover on each side: what lies beyond weighs less than 1e-300."""
PANELS = 400
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


@cache
def acceptance_tails(beta: float, threshold: float, d: int) -> tuple[float, float]:
    """Return P(cos(x, x + beta n) > threshold) and its complement, for a unit x and n ~ N(0, I) in d >= 2.

    `beta` >= 0 is a standard deviation per coordinate. With z = <n, x> and R the length of the rest of n,
    which is chi with d - 1 degrees of freedom, the cosine exceeds the threshold where
    1 / beta + z > R cot, cot = threshold / sqrt(1 - threshold^2): a tail of the noncentral t. Each of the two
    is the integral of positive terms alone, so neither is a difference from 1, and a tail of 1e-200 has as
    many good digits as the other side. Below 1e-300 the value is 0.
    """
    if beta == 0:
        return float(threshold < 1), float(threshold >= 1)
    if abs(threshold) == 1:
        return float(threshold < 0), float(threshold > 0)
    cotangent = threshold / math.sqrt(1 - threshold**2)
    if cotangent < -1:  # by symmetry, seen from the other side of the sphere
        below, above = _over_the_step_along(-cotangent, -1 / beta, d)
        return above, below
    if cotangent > 1:
        return _over_the_step_along(cotangent, 1 / beta, d)
    return _over_the_step_across(cotangent, 1 / beta, d)


def _over_the_step_across(cotangent: float, centre: float, d: int) -> tuple[float, float]:
    """Integrate over R, given which z must lie above R cot - centre; smooth while |cot| is at most 1."""
    r, weights = _rule(math.sqrt(d - 1), lowest=0.0)
    weights = weights * stats.chi.pdf(r, d - 1)
    room = centre - cotangent * r
    return float(weights @ special.ndtr(room)), float(weights @ special.ndtr(-room))


def _over_the_step_along(cotangent: float, centre: float, d: int) -> tuple[float, float]:
    """Integrate over s = centre + z, given which R^2 must lie below (s / cot)^2, and s above 0; for cot > 1."""
    s, weights = _rule(centre, lowest=0.0)
    weights = weights * stats.norm.pdf(s - centre)
    most = (s / cotangent) ** 2
    behind = float(special.ndtr(-centre))
    return float(weights @ special.chdtr(d - 1, most)), float(weights @ special.chdtrc(d - 1, most)) + behind


def _rule(middle: float, lowest: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of Gauss-Legendre panels over `REACH` around `middle`, cut at `lowest`."""
    ends = np.linspace(max(middle - REACH, lowest), max(middle + REACH, lowest), PANELS + 1)
    half = np.diff(ends)[:, None] / 2
    return ((ends[:-1, None] + half) + half * NODES).ravel(), (half * WEIGHTS).ravel()
