"""How far the captions of one image lie apart: the neighbourhood that text alone knows of.

Nukrai et al. 2022 (CapDec, section 3) chose their noise so: the mean l-infinity norm of the differences between
the five captions of an image, taken as the standard deviation of a coordinate.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True)
class Clusters:
    """The spread of the captions of one image, all as distances between unit rows.

    Attributes:
        radius: mean l2 distance of a caption from the mean of its image's captions.
        distance: mean l2 distance of two captions of one image.
        largest: mean l-infinity distance of two captions of one image: CapDec's standard deviation per coordinate.
    """

    radius: float
    distance: float
    largest: float

    @property
    def variance(self) -> float:
        """CapDec's variance per coordinate by this rule, `largest` squared."""
        return self.largest**2


def clusters(y: np.ndarray, owners: np.ndarray) -> Clusters | None:
    """Measure unit captions (m, d) by the image that each belongs to, (m,); None where no image has two.

    Captions count alike in the radius, pairs of captions alike in the distances.
    """
    order = np.argsort(owners, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(owners[order])) + 1)
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        return None
    radii = [np.linalg.norm(y[group] - y[group].mean(axis=0), axis=1) for group in groups]
    pairs = np.array([pair for group in groups for pair in combinations(group, 2)])
    distances, largest = [], []
    for part in np.array_split(pairs, 1 + len(pairs) // 8192):
        difference = y[part[:, 0]] - y[part[:, 1]]
        distances.append(np.linalg.norm(difference, axis=1))
        largest.append(np.abs(difference).max(axis=1))
    return Clusters(
        radius=float(np.concatenate(radii).mean()),
        distance=float(np.concatenate(distances).mean()),
        largest=float(np.concatenate(largest).mean()),
    )
