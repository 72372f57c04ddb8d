"""CIDEr (Vedantam et al. 2015; the CIDEr-D variant with sigma 6, which is what everyone reports).

The n-grams and their document frequencies are pycocoevalcap's; the similarity is computed here, because its
scorer weighs all references again for each system. The numbers are the same.

An n-gram's document frequency is the number of *images of the scored split* whose references contain it, so
scores on different splits, or on a part of one, are not comparable. Corpus CIDEr is the mean over images.
With one image every document frequency is 1 of 1 and CIDEr is 0 whatever the caption.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pycocoevalcap.cider.cider_scorer import CiderScorer, cook_test

_ORDERS = range(1, 5)
_SIGMA = 6.0

NGram = tuple[str, ...]


class _Weighted(NamedTuple):
    """A caption as TF-IDF weights: one mapping and one norm for each n, and its number of bigrams."""

    weights: list[dict[NGram, float]]
    norms: list[float]
    length: int


class ReferenceCider:
    """CIDEr against one set of references, counted and weighted once for any number of systems."""

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        """Weigh the references' n-grams; `references` is tokenised, one non-empty list an image."""
        scorer = CiderScorer()
        for captions in references:
            scorer += (None, list(captions))
        scorer.compute_doc_freq()
        self._rarest = float(np.log(float(len(references)))) if references else 0.0
        self._idf = {
            ngram: self._rarest - float(np.log(max(1.0, count)))
            for ngram, count in scorer.document_frequency.items()
        }
        self._references = [[self._weigh(counts) for counts in cooked] for cooked in scorer.crefs]

    def score(self, candidates: Sequence[str]) -> list[float]:
        """Return each image's CIDEr for one tokenised caption an image, in the references' order."""
        weighted = (self._weigh(cook_test(caption)) for caption in candidates)
        return [
            10.0 * _mean([_similarity(caption, reference) for reference in references])
            for caption, references in zip(weighted, self._references, strict=True)
        ]

    def _weigh(self, counts: Mapping[NGram, int]) -> _Weighted:
        weights: list[dict[NGram, float]] = [{} for _ in _ORDERS]
        for ngram, count in counts.items():
            weights[len(ngram) - 1][ngram] = count * self._idf.get(ngram, self._rarest)
        norms = [math.sqrt(sum(weight * weight for weight in of_order.values())) for of_order in weights]
        return _Weighted(weights, norms, sum(count for ngram, count in counts.items() if len(ngram) == 2))


def _similarity(caption: _Weighted, reference: _Weighted) -> float:
    """Clipped cosine, averaged over n, times a Gaussian penalty on the difference in length (of bigrams)."""
    penalty = math.exp(-((caption.length - reference.length) ** 2) / (2 * _SIGMA**2))
    return penalty * _mean([_clipped_cosine(caption, reference, order) for order in range(len(_ORDERS))])


def _clipped_cosine(caption: _Weighted, reference: _Weighted, order: int) -> float:
    norm = caption.norms[order] * reference.norms[order]
    if norm == 0:
        return 0.0
    theirs = reference.weights[order]
    products = (
        min(weight, theirs[ngram]) * theirs[ngram]
        for ngram, weight in caption.weights[order].items()
        if ngram in theirs
    )
    return sum(products) / norm


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
