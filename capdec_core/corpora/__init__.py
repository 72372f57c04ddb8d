"""Corpora: images with captions behind one protocol."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Split:
    """One split of one corpus; the lists are parallel, one entry an image.

    `ids` are unique and stable; `captions` holds five a image; `labels` are the object nouns that are
    present in each image (None where the corpus does not know them). `render` takes image indices and
    returns the images as uint8 (n, height, width, 3).
    """

    name: str
    ids: list[str]
    captions: list[list[str]]
    labels: list[list[str]] | None
    render: Callable[[Sequence[int]], np.ndarray]


class Corpus(Protocol):
    """A source of images and captions in named splits.

    `fingerprint` is a hash of everything that determines the corpus's bytes.
    """

    name: str
    fingerprint: str

    def split(self, name: str) -> Split:
        """Return one split; an unknown name raises CapdecError, which lists the right ones."""
        ...
