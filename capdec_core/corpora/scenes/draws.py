"""Keyed random draws: cheap to start, the same on every Python version."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """A stream of random choices that depends on its key alone.

    Built on `random.Random.random()` with a text seed, the two things that Python promises to keep
    from version to version; starting a stream costs some microseconds, a tenth of NumPy's.
    """

    __slots__ = ("random",)

    def __init__(self, key: str) -> None:
        self.random = Random(key).random

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        """Return one of `options`, all equally likely."""
        return options[int(self.random() * len(options))]

    def weighted(self, options: Sequence[tuple[T, float]]) -> T:
        """Return one of `options`, given as (value, weight) with positive weights."""
        point = self.random() * sum(weight for _, weight in options)
        for value, weight in options:
            point -= weight
            if point < 0:
                return value
        return options[-1][0]

    def integer(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included."""
        return low + int(self.random() * (high - low + 1))
