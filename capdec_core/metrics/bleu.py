"""BLEU-1 to BLEU-4 (Papineni et al. 2002, with the closest reference length), exactly pycocoevalcap's numbers.

Corpus BLEU is not a mean over images: it is a function of sums over images, and those sums are what a
bootstrap resamples.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from capdec_core.metrics.ngrams import ORDERS, NGram, NGrams, count_ngrams

STATISTICS = (
    *(f"correct {n}-grams" for n in range(1, 5)),
    *(f"guessed {n}-grams" for n in range(1, 5)),
    "candidate length",
    "closest reference length",
)
"""The columns of the statistics that `bleu_from_statistics` reads."""

_SMALL, _TINY = 1e-9, 1e-15  # BleuScorer.compute_score: an empty numerator gives (nearly) 0, never 0/0


@dataclass(frozen=True)
class BleuScores:
    """BLEU of one system.

    corpus: BLEU-1 to BLEU-4. sentence: BLEU-4 of each image's caption. statistics: int64 (images, 10), with
    the columns of `STATISTICS`.
    """

    corpus: list[float]
    sentence: list[float]
    statistics: np.ndarray


class ReferenceBleu:
    """BLEU against one set of references, whose n-grams are counted once for any number of systems."""

    def __init__(self, references: Sequence[Sequence[NGrams]]) -> None:
        """Take the references' n-grams, one non-empty list of captions an image."""
        self._lengths = [[caption.length for caption in captions] for captions in references]
        self._most = [_highest(captions) for captions in references]

    def row(self, image: int, caption: NGrams) -> list[int]:
        """Return the statistics (10,) of a caption of this image, with the columns of `STATISTICS`."""
        most, correct = self._most[image], [0] * ORDERS
        for ngram, count in caption.counts.items():
            if ngram in most:
                correct[len(ngram) - 1] += min(count, most[ngram])
        return [*correct, *_lengths_row(caption.length, self._lengths[image])]


def _highest(captions: Sequence[NGrams]) -> dict[NGram, int]:
    most: dict[NGram, int] = {}
    for caption in captions:
        for ngram, count in caption.counts.items():
            if count > most.get(ngram, 0):
                most[ngram] = count
    return most


def _lengths_row(length: int, references: Sequence[int]) -> list[int]:
    """Return the statistics that depend on lengths alone: guessed n-grams, and the two lengths."""
    closest = min((abs(reference - length), reference) for reference in references)[1]
    return [*(max(0, length - n) for n in range(ORDERS)), length, closest]


def bleu_of_rows(rows: Sequence[Sequence[int]]) -> BleuScores:
    """Return the BLEU of a system whose captions have these rows of statistics, one an image."""
    statistics = np.array(rows, dtype=np.int64).reshape(-1, len(STATISTICS))
    sentence = [_corpus_bleu(row)[3] for row in rows]
    return BleuScores(_corpus_bleu(statistics.sum(axis=0).tolist()), sentence, statistics)


def leave_one_out_bleu(captions: Sequence[str]) -> list[float]:
    """Return each tokenised caption's sentence BLEU-4 against all the others: `BleuScorer`'s, each counted once.

    ValueError for fewer than two captions.
    """
    if len(captions) < 2:
        raise ValueError("BLEU against the others needs at least two captions")
    counted = [count_ngrams(caption) for caption in captions]
    lengths = [caption.length for caption in counted]
    most = _two_highest([caption.counts for caption in counted])
    scores = []
    for index, (length, counts) in enumerate(counted):
        correct = [0] * ORDERS
        for ngram, count in counts.items():
            holder, highest, second = most[ngram]
            correct[len(ngram) - 1] += min(count, second if holder == index else highest)
        others = lengths[:index] + lengths[index + 1 :]
        scores.append(_corpus_bleu([*correct, *_lengths_row(length, others)])[3])
    return scores


def _two_highest(counts: Sequence[Mapping[NGram, int]]) -> dict[NGram, tuple[int, int, int]]:
    """Return for each n-gram who has it most often, how often, and how often it is had at most by another."""
    most: dict[NGram, tuple[int, int, int]] = {}
    for index, found in enumerate(counts):
        for ngram, count in found.items():
            holder, highest, second = most.get(ngram, (-1, 0, 0))
            if count > highest:
                most[ngram] = (index, count, highest)
            else:
                most[ngram] = (holder, highest, max(second, count))
    return most


def bleu_from_statistics(statistics: np.ndarray, counts: ArrayLike | None = None) -> np.ndarray:
    """Return corpus BLEU-1 to BLEU-4, exactly as pycocoevalcap would on the same images.

    statistics: (images, 10), columns as in `STATISTICS`.
    counts: how often each image is drawn, (images,) or (resamples, images); None is each image once.
    Returns (4,), or (resamples, 4). Raises ValueError for shapes that do not fit.
    """
    statistics = np.asarray(statistics, dtype=np.float64)
    if statistics.ndim != 2 or statistics.shape[1] != len(STATISTICS):
        raise ValueError(f"BLEU statistics have shape (images, {len(STATISTICS)}), not {statistics.shape}")
    weights = np.ones(len(statistics)) if counts is None else np.asarray(counts, dtype=np.float64)
    if weights.ndim not in (1, 2) or weights.shape[-1] != len(statistics):
        raise ValueError(f"counts of shape {weights.shape} do not fit {len(statistics)} images")
    sums = weights @ statistics  # whole numbers below 2^53: exact in float64
    bleu = np.array([_corpus_bleu(row) for row in np.atleast_2d(sums).tolist()]).reshape(-1, 4)
    return bleu[0] if weights.ndim == 1 else bleu


def _corpus_bleu(sums: Sequence[float]) -> list[float]:
    """`BleuScorer.compute_score` on summed statistics, in the same order of operations.

    Python's floats, not numpy's vectorised power, which may differ in the last bit.
    """
    correct, guessed, length, reference_length = sums[:4], sums[4:8], sums[8], sums[9]
    product, bleus = 1.0, []
    for n in range(ORDERS):
        product *= (correct[n] + _TINY) / (guessed[n] + _SMALL)
        bleus.append(product ** (1.0 / (n + 1)))
    ratio = (length + _TINY) / (reference_length + _SMALL)
    if ratio < 1:
        bleus = [bleu * math.exp(1 - 1 / ratio) for bleu in bleus]
    return bleus
