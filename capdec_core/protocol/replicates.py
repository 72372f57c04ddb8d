"""Scores under a protocol with their bootstrap: in every resample the images are chosen anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from capdec_core.protocol.selection import Round, mean_on_chosen
from capdec_core.statistics import Estimate
from capdec_core.statistics.resampling import blocks, image_counts, seed_shift


@dataclass(frozen=True)
class Drawn:
    """Numbers, one a system (or a pair), as measured and in each bootstrap resample of images and seeds.

    Attributes:
        values: (systems,).
        replicates: (resamples, systems).
    """

    values: np.ndarray
    replicates: np.ndarray

    def __sub__(self, other: "Drawn") -> "Drawn":
        """Return the difference of two protocols that were drawn together, resample by resample."""
        return Drawn(self.values - other.values, self.replicates - other.replicates)

    def estimate(self, system: int, *, images: int, seeds: int, level: float = 0.95) -> Estimate:
        """Return one system's number with its percentile interval; `images` and `seeds` as the sample had them."""
        drawn = self.replicates[:, system]
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]).tolist()
        return Estimate(float(self.values[system]), low, high, level, float(drawn.std()), images, seeds)

    def p_value(self, system: int) -> float:
        """Return the two-sided p-value of 0 for one system: its number over its standard error, taken as normal.

        A share of replicates could not be smaller than one over their number, which no correction for a family
        of many comparisons survives. 1 where the number is 0.
        """
        value, error = abs(self.values[system]), self.replicates[:, system].std()
        if value == 0:
            return 1.0
        return float(2 * stats.norm.sf(value / error)) if error > 0 else 0.0


def mean_scores(rounds: Sequence[Round], counts: np.ndarray) -> np.ndarray:
    """Return each row's mean over the rounds that use it, (resamples, rows), from counts (resamples, images).

    ValueError where a row is used in no round.
    """
    uses = np.sum([one.used for one in rounds], axis=0)
    if not uses.all():
        raise ValueError(f"row {int(np.argmin(uses))} is compared in no round")
    return sum(mean_on_chosen(one, counts) * one.used for one in rounds) / uses


def draw(
    protocols: Mapping[str, Sequence[Round]],
    owner: np.ndarray,
    *,
    resamples: int,
    generator: np.random.Generator,
) -> dict[str, Drawn]:
    """Return every system's score under each protocol, with replicates over images and training seeds.

    The question they answer: what would the protocol say with other images of the same kind, among which it
    chooses anew, and with captioners trained again? All protocols see the same draws, so their differences can
    be taken resample by resample. Seeds are drawn as in `capdec_core.statistics`: a seed's shift of its
    system's score is added, and a system with one seed has none.

    Args:
        protocols: rounds by name, all over the same rows and images.
        owner: (rows,), the system of each row.
        resamples: how many.
        generator: draws images first, then seeds.
    """
    images = len(next(iter(protocols.values()))[0].selector)
    average = _averages(owner)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in protocols}
    for size in blocks(resamples, images):
        counts = image_counts(size, images, generator)
        for name, rounds in protocols.items():
            drawn[name].append(mean_scores(rounds, counts) @ average)
    state = int(generator.integers(2**63))
    found = {}
    for name, rounds in protocols.items():
        rows = mean_scores(rounds, np.ones((1, images)))[0]
        shifts = _seed_shifts(rows, owner, resamples, np.random.default_rng(state))
        found[name] = Drawn(rows @ average, np.concatenate(drawn[name]) + shifts)
    return found


def advantages(scores: Drawn) -> Drawn:
    """Return the baseline's score minus each other system's, in their order (systems - 1)."""
    values, replicates = scores.values, scores.replicates
    return Drawn(values[0] - values[1:], replicates[:, :1] - replicates[:, 1:])


def _averages(owner: np.ndarray) -> np.ndarray:
    """Return the matrix (rows, systems) that averages rows over each system's seeds."""
    member = owner[:, None] == np.arange(owner.max() + 1)
    return member / member.sum(axis=0)


def _seed_shifts(
    rows: np.ndarray, owner: np.ndarray, resamples: int, generator: np.random.Generator
) -> np.ndarray:
    systems = range(int(owner.max()) + 1)
    return np.stack([seed_shift(rows[owner == system], resamples, generator) for system in systems], axis=1)
