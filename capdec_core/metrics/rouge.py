"""ROUGE-L (Lin 2004; beta 1.2, best precision and best recall over the references), exactly pycocoevalcap's.

The longest common subsequence is found with bits (Hyyrö 2004, "Bit-parallel LCS-length computation
revisited"): one sum, one difference and two logical steps a word, where the textbook's table takes a cell for
each pair of words.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

_BETA = 1.2


class _Reference(NamedTuple):
    """A reference's length in words, and for each word a number whose bits say where it stands."""

    length: int
    places: Mapping[str, int]


class ReferenceRouge:
    """ROUGE-L against one set of references, prepared once for any number of systems."""

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        """Note the words' places; `references` is tokenised, one non-empty list an image."""
        self._references = [[_prepare(caption) for caption in captions] for captions in references]

    def of(self, image: int, caption: str) -> float:
        """Return the ROUGE-L of a tokenised caption of this image; the corpus score is the mean."""
        words = caption.split(" ")  # an empty caption is one empty word, as in pycocoevalcap
        references = self._references[image]
        common = [_longest_common_subsequence(words, reference) for reference in references]
        precision = max(common) / len(words)
        recall = max(shared / reference.length for shared, reference in zip(common, references, strict=True))
        if precision == 0 or recall == 0:
            return 0.0
        return ((1 + _BETA**2) * precision * recall) / (recall + _BETA**2 * precision)


def _prepare(caption: str) -> _Reference:
    words = caption.split(" ")
    places: dict[str, int] = {}
    for index, word in enumerate(words):
        places[word] = places.get(word, 0) | 1 << index
    return _Reference(len(words), places)


def _longest_common_subsequence(words: Sequence[str], reference: _Reference) -> int:
    """Return its length: the number of zeros left among the reference's bits."""
    every = (1 << reference.length) - 1
    left = every
    for word in words:
        if found := left & reference.places.get(word, 0):
            left = ((left + found) | (left - found)) & every
    return reference.length - left.bit_count()
