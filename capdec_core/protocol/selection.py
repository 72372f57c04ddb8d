"""Choosing the images on which a score is highest, in a test set or in each of its resamples."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Captioners:
    """Per-image scores of trained captioners, one row each; a system has a row for each training seed.

    Attributes:
        scores: (rows, images), in the metric's units, the same images in the same order for all.
        owner: (rows,), the number of the system that a row belongs to; system 0 is the baseline.

    Raises:
        ValueError: scores that are no finite matrix, or owners that are not 0, 1, 2 and so on, one a row.
    """

    scores: np.ndarray
    owner: np.ndarray

    def __post_init__(self) -> None:
        """Check shapes and numbering."""
        if self.scores.ndim != 2 or self.scores.size == 0 or not np.isfinite(self.scores).all():
            raise ValueError(f"scores must be a finite matrix (rows, images), not {self.scores.shape}")
        if self.owner.shape != self.scores.shape[:1]:
            raise ValueError(f"{len(self.scores)} rows need as many owners, not {self.owner.shape}")
        if not np.array_equal(np.unique(self.owner), np.arange(self.systems)):
            raise ValueError(f"owners must be 0, 1, 2 and so on without a gap, not {np.unique(self.owner)}")

    @property
    def systems(self) -> int:
        """How many systems there are."""
        return int(self.owner.max()) + 1

    @property
    def images(self) -> int:
        """How many images were scored."""
        return self.scores.shape[1]

    def rows(self, system: int) -> np.ndarray:
        """Return the rows of one system, one a seed."""
        return np.flatnonzero(self.owner == system)


@dataclass(frozen=True)
class Round:
    """One application of a protocol: a score chooses the images, then captioners are compared on them.

    Attributes:
        selector: (images,), the score that chooses.
        n: how many images it chooses, those where it is highest.
        scores: (rows, images), what captioners are compared by.
        used: (rows,) bool, the captioners that are compared in this round.
    """

    selector: np.ndarray
    n: int
    scores: np.ndarray
    used: np.ndarray

    def __post_init__(self) -> None:
        """Check the number of chosen images."""
        if not 1 <= self.n <= len(self.selector):
            raise ValueError(f"cannot choose {self.n} of {len(self.selector)} images")


def best_images(selector: np.ndarray, n: int) -> np.ndarray:
    """Return the n images on which `selector` (images,) is highest, best first; of equals the earlier one."""
    return np.argsort(-selector, kind="stable")[:n]


def chosen(selector: np.ndarray, counts: np.ndarray, n: int) -> np.ndarray:
    """Return how often each image stands among the n best of each resample, (resamples, images).

    `counts` (resamples, images) says how often a resample holds each image. An image that was drawn twice
    can be chosen twice. Rows sum to n, or to all that a smaller resample holds.
    """
    order = np.argsort(-selector, kind="stable")
    filled = np.minimum(np.cumsum(counts[:, order], axis=1), n)
    times = np.empty_like(filled)
    times[:, order] = np.diff(filled, axis=1, prepend=0)
    return times


def mean_on_chosen(one: Round, counts: np.ndarray) -> np.ndarray:
    """Return every row's mean score on the chosen images of each resample, (resamples, rows)."""
    times = chosen(one.selector, counts, one.n)
    return times @ one.scores.T / times.sum(axis=1, keepdims=True)
