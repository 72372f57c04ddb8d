"""Corpora: images with captions behind one protocol."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from capdec_core.errors import CapdecError


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

    `fingerprint` is a hash of everything that determines the corpus's bytes. `objects_mentioned` names the
    object nouns that a caption speaks of (None where the corpus has no object labels).
    """

    name: str
    fingerprint: str

    @property
    def objects_mentioned(self) -> Callable[[str], set[str]] | None:
        """The function from a caption to the object nouns that it speaks of."""
        ...

    def split(self, name: str) -> Split:
        """Return one split; an unknown name raises CapdecError, which lists the right ones."""
        ...


def load_corpus(name: str, seed: int, sizes: Mapping[str, int]) -> Corpus:
    """Return a corpus by name; an unknown name raises CapdecError, which lists the right ones."""
    if name != "scenes":
        raise CapdecError(f"no corpus {name!r}; the corpora are: scenes")
    from capdec_core.corpora.scenes import Scenes

    return Scenes(seed, sizes)
