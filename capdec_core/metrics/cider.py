"""CIDEr (Vedantam et al. 2015; the CIDEr-D variant with sigma 6, which is what everyone reports).

The numbers are pycocoevalcap's, whose scorer weighs all references again for each system; here they are
weighed once, and a caption meets only the references' n-grams that it shares.

An n-gram's document frequency is the number of *images of the scored split* whose references contain it, so
scores on different splits, or on a part of one, are not comparable. Corpus CIDEr is the mean over images, and
resampling keeps it so: images are drawn with the scores that they have in the whole split, the document
frequencies being part of the metric and not of the sample.
With one image every document frequency is 1 of 1 and CIDEr is 0 whatever the caption.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from capdec_core.metrics.ngrams import ORDERS, NGram, NGrams

_SIGMA = 6.0


class _Weighted(NamedTuple):
    """A caption as TF-IDF weights: the weight of each n-gram, one norm for each n, its number of bigrams."""

    weights: dict[NGram, float]
    norms: list[float]
    length: int


class _Image(NamedTuple):
    """An image's references: who holds an n-gram and with which weight, and each one's norms and length."""

    holders: dict[NGram, list[tuple[int, float]]]
    norms: list[list[float]]
    lengths: list[int]


class ReferenceCider:
    """CIDEr against one set of references, counted and weighed once for any number of systems."""

    def __init__(self, references: Sequence[Sequence[NGrams]]) -> None:
        """Weigh the references' n-grams; `references` holds one non-empty list of captions an image."""
        frequency = Counter(ngram for captions in references for ngram in _union(captions))
        self._rarest = math.log(len(references)) if references else 0.0
        self._idf = {ngram: self._rarest - math.log(count) for ngram, count in frequency.items()}
        self._images = [_gather([self._weigh(caption) for caption in captions]) for captions in references]

    def of(self, image: int, caption: NGrams) -> float:
        """Return the CIDEr of a caption of this image."""
        holders, norms, lengths = self._images[image]
        weights, own_norms, length = self._weigh(caption)
        products = [[0.0] * ORDERS for _ in lengths]
        for ngram, weight in weights.items():
            for holder, theirs in holders.get(ngram, ()):
                products[holder][len(ngram) - 1] += min(weight, theirs) * theirs
        similarities = [
            math.exp(-((length - other) ** 2) / (2 * _SIGMA**2)) * _mean_cosine(row, own_norms, their_norms)
            for row, their_norms, other in zip(products, norms, lengths, strict=True)
        ]
        return 10.0 * (sum(similarities) / len(similarities))

    def _weigh(self, caption: NGrams) -> _Weighted:
        weights, squares = {}, [0.0] * ORDERS
        for ngram, count in caption.counts.items():
            weight = count * self._idf.get(ngram, self._rarest)
            weights[ngram] = weight
            squares[len(ngram) - 1] += weight * weight
        return _Weighted(weights, [math.sqrt(square) for square in squares], max(0, caption.length - 1))


def _union(captions: Sequence[NGrams]) -> set[NGram]:
    return {ngram for caption in captions for ngram in caption.counts}


def _gather(captions: Sequence[_Weighted]) -> _Image:
    holders: dict[NGram, list[tuple[int, float]]] = {}
    for index, caption in enumerate(captions):
        for ngram, weight in caption.weights.items():
            holders.setdefault(ngram, []).append((index, weight))
    return _Image(holders, [caption.norms for caption in captions], [caption.length for caption in captions])


def _mean_cosine(products: Sequence[float], norms: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the clipped cosine averaged over n; where a side has no weight, that n counts as 0."""
    pairs = zip(products, norms, theirs, strict=True)
    return sum(product / (own * other) for product, own, other in pairs if own * other) / ORDERS
