"""Exponents: how a cost grows with a size, fitted in log-log, and whether that is faster than its theory allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capdec_core.statistics.trend import slope_weights

RESAMPLES = 1000
LEVEL = 0.95
MARGIN = 0.1
"""An exponent counts as above its theory where its whole interval is higher by more than this.

Fixed beforehand. The same operation costs more a byte when its data outgrow a cache, and more an object when
memory is asked for anew, so that linear work seen over a factor of eight rises with exponents a little above 1.
"""


@dataclass(frozen=True)
class Theory:
    """The exponents between which a cost may grow, and why.

    `most` bounds it for any size, `least` holds where the part that grows outweighs the rest: 0 where that need
    not come, `most` where there is nothing in between.
    """

    most: float
    why: str
    least: float = 0.0

    @property
    def bound(self) -> "Theory":
        """The same upper end for a cost of which a part may stay as it is."""
        return Theory(self.most, self.why)

    def __str__(self) -> str:
        """Return "1", "1 to 2" or "at most 1"."""
        if self.least == self.most:
            return f"{self.most:g}"
        return f"{self.least:g} to {self.most:g}" if self.least else f"at most {self.most:g}"


LINEAR = Theory(1, "every item costs the same", least=1)


@dataclass(frozen=True)
class Fit:
    """A power law, cost = scale * size ** exponent, over some sizes; `low` and `high` bound the exponent.

    The interval resamples the repeats at each size: it says what another run would have given, not whether a
    power law fits.
    """

    exponent: float
    low: float
    high: float
    scale: float
    sizes: tuple[int, ...]

    def exceeds(self, theory: Theory) -> bool:
        """Whether the whole interval lies above the theory by more than `MARGIN`."""
        return self.low > theory.most + MARGIN

    def __str__(self) -> str:
        """Return "1.02 [0.98, 1.05]"."""
        return f"{self.exponent:.2f} [{self.low:.2f}, {self.high:.2f}]".replace("-", "−")


def upper_half(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes in the upper half of the range, from the middle of their logarithms up; two at least.

    ValueError unless there are two sizes, all positive, in rising order.
    """
    if len(sizes) < 2 or min(sizes) < 1 or sorted(set(sizes)) != list(sizes):
        raise ValueError(f"a fit needs two or more positive sizes in rising order, not {list(sizes)}")
    upper = [size for size in sizes if size * size >= sizes[0] * sizes[-1]]
    return tuple(upper if len(upper) > 1 else sizes[-2:])


def fit_exponent(costs: Mapping[int, Sequence[float]], generator: np.random.Generator) -> Fit:
    """Fit log cost on log size by least squares, over the upper half of the sizes.

    Args:
        costs: size to the positive costs of its repeats; the fit is through their medians.
        generator: draws the repeats anew for the interval, with replacement, `RESAMPLES` times.

    ValueError for a cost that is not positive, or sizes as `upper_half` refuses them.
    """
    sizes = upper_half(list(costs))
    repeats = [np.asarray(costs[size], dtype=np.float64) for size in sizes]
    if not all((cost > 0).all() for cost in repeats):
        raise ValueError("a cost without a logarithm: costs must be positive")
    places = np.log(sizes)
    weights = slope_weights(places.tolist(), len(sizes))
    drawn = np.stack([_medians(cost, generator) for cost in repeats], axis=1)
    medians = np.log([np.median(cost) for cost in repeats])
    low, high = np.quantile(np.log(drawn) @ weights, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    exponent = float(medians @ weights)
    return Fit(exponent, low, high, float(np.exp(medians.mean() - exponent * places.mean())), sizes)


def _medians(cost: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return medians of `cost` (repeats,) drawn with replacement, (resamples,)."""
    return np.median(cost[generator.integers(0, len(cost), (RESAMPLES, len(cost)))], axis=1)
