"""Tests between two systems on a corpus metric, such as BLEU, that is no mean over images."""

from collections.abc import Callable, Sequence

import numpy as np

from capdec_core.statistics.contrasts import TIE, Equivalence, two_one_sided
from capdec_core.statistics.intervals import estimate
from capdec_core.statistics.resampling import Statistic, blocks

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Maps one system's sufficient statistics (images, columns) and how often each image is drawn, counts
(resamples, images), to corpus scores (resamples,)."""


def paired_corpus_randomisation(
    a: Sequence[np.ndarray],
    b: Sequence[np.ndarray],
    score: Score,
    *,
    resamples: int,
    generator: np.random.Generator,
) -> float:
    """Return the two-sided p-value of approximate randomisation between two systems on the same images.

    `a` and `b` hold one table of sufficient statistics (images, columns) a seed, equally many. On random
    images the two systems change names, all seeds of one with those of the other, and the corpus score of
    either side is made anew from its sums; the difference is that of the seeds' mean scores. The question is
    that of `paired_randomisation`, and so is the + 1 (Phipson and Smyth 2010; for corpus metrics Riezler and
    Maxwell 2005). ValueError where seeds or images differ in number.
    """
    shapes = {np.shape(table) for table in (*a, *b)}
    if len(a) != len(b) or len(shapes) != 1:
        raise ValueError(
            f"names can be exchanged only between equally many seeds and equal tables, not between "
            f"{len(a)} and {len(b)} seeds of shapes {sorted(shapes)}"
        )
    both = [np.concatenate(pair) for pair in zip(a, b, strict=True)]
    images = len(a[0])
    stay = np.zeros((1, images))
    observed = abs(_differences(both, stay, score)[0]) - TIE
    extreme = 0
    for size in blocks(resamples, 2 * images):
        swapped = generator.integers(0, 2, (size, images)).astype(np.float64)
        extreme += int((np.abs(_differences(both, swapped, score)) >= observed).sum())
    return (1 + extreme) / (1 + resamples)


def _differences(both: Sequence[np.ndarray], swapped: np.ndarray, score: Score) -> np.ndarray:
    """Return the first side's mean score over seeds minus the second's, (resamples,), after the exchange."""
    first = np.concatenate([1 - swapped, swapped], axis=1)
    return np.mean([score(table, first) - score(table, 1 - first) for table in both], axis=0)


def paired_statistic_equivalence(
    a: Statistic,
    b: Statistic,
    *,
    images: int,
    margin: float,
    resamples: int,
    generator: np.random.Generator,
    alpha: float = 0.05,
) -> Equivalence:
    """Test whether two systems' corpus scores differ by less than `margin` (in the metric's units): bootstrap TOST.

    `a` and `b` as in `paired_statistic_difference`, the question and the margin as in `equivalence`.
    """
    difference, drawn = estimate([a, b], [1, -1], images, resamples, generator, 1 - 2 * alpha)
    return Equivalence(difference, margin, two_one_sided(drawn, margin))
