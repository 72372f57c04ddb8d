"""The n-grams of a caption, n from 1 to 4, which BLEU, CIDEr and self-BLEU all count the same way."""

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from typing import NamedTuple

NGram = tuple[str, ...]

ORDERS = 4
"""The longest n-gram that is counted."""


class NGrams(NamedTuple):
    """A caption's number of words, and how often each of its n-grams occurs."""

    length: int
    counts: Mapping[NGram, int]


def count_ngrams(caption: str) -> NGrams:
    """Count a tokenised caption's n-grams as pycocoevalcap's `precook` does, in its order."""
    words = caption.split()
    shifted = [words[start:] for start in range(ORDERS)]
    found = chain.from_iterable(zip(*shifted[:n], strict=False) for n in range(1, ORDERS + 1))
    return NGrams(len(words), Counter(found))
