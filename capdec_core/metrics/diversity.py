"""How varied a system's captions are, across images and within one image.

Across images one caption an image is read, because distinct-n falls as the number of words grows and systems
with one and with five captions an image would not be comparable.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain, pairwise

import numpy as np

from capdec_core.metrics.bleu import leave_one_out_bleu


def diversity(captions: Sequence[str]) -> dict[str, float]:
    """Describe a system's tokenised captions, one an image.

    distinct-1, distinct-2: distinct n-grams as a share of all (Li et al. 2016); vocabulary: distinct words;
    identical: share of captions that another image is also given; length: mean number of words.
    Shares are in [0, 1]; a share of nothing (no words at all) is 0.
    """
    words = [caption.split() for caption in captions]
    unigrams = list(chain.from_iterable(words))
    bigrams = [pair for sentence in words for pair in pairwise(sentence)]
    return {
        "distinct-1": _share(len(set(unigrams)), len(unigrams)),
        "distinct-2": _share(len(set(bigrams)), len(bigrams)),
        "vocabulary": float(len(set(unigrams))),
        "identical": share_identical(captions),
        "length": _share(len(unigrams), len(captions)),
    }


def share_identical(captions: Sequence[str]) -> float:
    """Return the share of captions that occur more than once: 0 all different, 1 every one is shared."""
    repeated = sum(count for count in Counter(captions).values() if count > 1)
    return _share(repeated, len(captions))


def self_bleu(candidates: Sequence[Sequence[str]]) -> float:
    """Return self-BLEU (Zhu et al. 2018) within images: lower is more varied.

    candidates: two or more tokenised captions an image. Each caption's sentence BLEU-4 against its image's
    other captions, averaged over captions and then over images. ValueError for an image with fewer than two.
    """
    if any(len(captions) < 2 for captions in candidates):
        raise ValueError("self-BLEU needs at least two captions an image")
    return float(np.mean([np.mean(leave_one_out_bleu(captions)) for captions in candidates]))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
