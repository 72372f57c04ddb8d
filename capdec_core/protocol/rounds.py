"""The protocols: whose score chooses the images, and which scores are then compared.

A protocol is a list of rounds over which scores are averaged. Choosing by a score and comparing the same
score favours whoever chose: part of a high score is luck. Where another score chooses, one whose luck is
independent, that part is gone. What stays is that the chosen images do suit the baseline.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from capdec_core.protocol.selection import Captioners, Round


def whole_test_set(captioners: Captioners) -> list[Round]:
    """Return the protocol that compares all captioners on all images."""
    everyone = np.ones(len(captioners.owner), dtype=bool)
    return [Round(np.zeros(captioners.images), captioners.images, captioners.scores, everyone)]


def as_published(captioners: Captioners, n: int, selecting: int = 0) -> list[Round]:
    """Return Study A's protocol: a captioner of system `selecting` (the baseline) chooses the n images.

    One round a seed of that system: the seed's own captions choose, and it is compared by the same captions
    with every other system.
    """
    return [
        Round(captioners.scores[row], n, captioners.scores, _alone(captioners, row))
        for row in captioners.rows(selecting)
    ]


def another_seed(captioners: Captioners, n: int, sampler: int = 0) -> list[Round]:
    """Return the protocol that uses the same sampler twice: one training of it chooses, another is compared.

    The two were trained alike from different seeds, so they share what suits the baseline and not the luck of
    single captions. `sampler` is the system that is trained as the baseline was: the baseline itself, 0, or another
    where the baseline was published and is there once. ValueError where it has one seed alone.
    """
    rows = captioners.rows(sampler)
    if len(rows) < 2:
        raise ValueError("another seed of the baseline must choose, and there is only one")
    every = np.arange(len(captioners.owner))
    return [Round(captioners.scores[row], n, captioners.scores, every != row) for row in rows]


def other_captions(captioners: Captioners, cosines: np.ndarray, n: int) -> list[Round]:
    """Return the protocol in which some of the baseline's captions of an image choose and the others are compared.

    Args:
        captioners: whose `scores` are the means of `cosines` over captions and references.
        cosines: (rows, images, captions, references).
        n: how many images are chosen.

    All ways to halve the captions are taken in turn, so on average each caption counts the same in both roles.
    The captions of one beam resemble each other: this removes less of the luck than another seed does.
    """
    rounds = []
    for row in captioners.rows(0):
        for choosing, compared in halves(cosines.shape[2]):
            scores = captioners.scores.copy()
            scores[row] = cosines[row][:, compared].mean(axis=(1, 2))
            selector = cosines[row][:, choosing].mean(axis=(1, 2))
            rounds.append(Round(selector, n, scores, _alone(captioners, row)))
    return rounds


def other_references(captioners: Captioners, cosines: np.ndarray, n: int) -> list[Round]:
    """Return the protocol in which some references of an image choose and all are compared by the others.

    Arguments as for `other_captions`. All ways to halve the references are taken in turn.
    """
    return [
        Round(cosines[row][..., choosing].mean(axis=(1, 2)), n, scores, _alone(captioners, row))
        for choosing, compared in halves(cosines.shape[3])
        for scores in [cosines[..., compared].mean(axis=(2, 3))]
        for row in captioners.rows(0)
    ]


def halves(count: int) -> Iterator[tuple[list[int], list[int]]]:
    """Yield all ways to part `count` things into two halves, in both orders; of an odd number one has one more.

    ValueError for fewer than two things.
    """
    if count < 2:
        raise ValueError(f"{count} caption or reference an image cannot be halved")
    for size in sorted({count // 2, count - count // 2}):
        for first in combinations(range(count), size):
            yield list(first), [i for i in range(count) if i not in first]


def _alone(captioners: Captioners, row: int) -> np.ndarray:
    """Return the rows that stand against each other when `row` stands for its system: it and all other systems'."""
    used = captioners.owner != captioners.owner[row]
    used[row] = True
    return used
