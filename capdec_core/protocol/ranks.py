"""Rankings of systems under two protocols: how far they agree, and which pairs change places."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from capdec_core.protocol.replicates import Drawn, mean_scores
from capdec_core.protocol.selection import Round
from capdec_core.statistics.resampling import blocks


@dataclass(frozen=True)
class Turn:
    """A pair of systems in which the first is ahead under one protocol and behind under the other.

    Attributes:
        ahead: the system that the first protocol puts ahead.
        behind: the one that it puts behind.
        often: share of resamples in which the two protocols disagree on the pair.
    """

    ahead: int
    behind: int
    often: float


def ranks(scores: np.ndarray) -> np.ndarray:
    """Return ranks (..., systems) of scores (..., systems): 1 is the highest, equals share the better rank."""
    return 1 + (scores[..., None, :] > scores[..., :, None]).sum(axis=-1)


def kendall_tau(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Kendall's tau a of scores (..., systems), along the last axis: 1 same order, -1 reversed.

    Pairs in agreement minus pairs in disagreement, over all pairs; a tied pair counts as neither
    (Kendall 1938). ValueError for fewer than two systems.
    """
    if a.shape[-1] < 2:
        raise ValueError("a ranking needs two systems")
    return (_orders(a) * _orders(b)).mean(axis=-1)


def turned_pairs(first: Drawn, second: Drawn) -> list[Turn]:
    """Return the pairs of systems that two protocols rank in opposite order, the surest first.

    Resamples are looked at pair by pair: those of all pairs together would grow with the square of the systems.
    """
    opposed = _orders(first.values) * _orders(second.values) < 0
    pairs = np.stack(np.triu_indices(len(first.values), 1), axis=1)[opposed]
    turns = []
    for pair in pairs.tolist():
        ahead, behind = sorted(pair, key=lambda system: -first.values[system])
        disagree = _orders(first.replicates[:, pair]) * _orders(second.replicates[:, pair]) < 0
        turns.append(Turn(ahead, behind, float(disagree.mean())))
    return sorted(turns, key=lambda turn: -turn.often)


def agreement_of_halves(
    rounds: Sequence[Round], owner: np.ndarray, *, halves: int, generator: np.random.Generator
) -> np.ndarray:
    """Return Kendall's tau between a protocol's rankings on two halves of the test set, (halves,).

    The test set is parted at random `halves` times, and the protocol is applied to each part by itself, as two
    studies would that have the same systems and different images.
    """
    images = len(rounds[0].selector)
    taus = []
    for size in blocks(halves, images):
        places = generator.random((size, images)).argsort(axis=1)
        first = (places < images // 2).astype(np.float64)
        taus.append(
            kendall_tau(*(_by_system(mean_scores(rounds, half), owner) for half in (first, 1 - first)))
        )
    return np.concatenate(taus)


def _by_system(scores: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return each system's mean over its rows, (halves, systems), from scores (halves, rows)."""
    return np.stack([scores[:, owner == s].mean(axis=1) for s in range(owner.max() + 1)], axis=1)


def _orders(scores: np.ndarray) -> np.ndarray:
    """Return the sign of each pair's difference, (..., pairs)."""
    left, right = np.triu_indices(scores.shape[-1], 1)
    return np.sign(scores[..., left] - scores[..., right])
