"""Corpora: images with captions behind one protocol."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from capdec_core.errors import CapdecError


@dataclass(frozen=True)
class Split:
    """One split of one corpus; the lists are parallel, one entry an image.

    `ids` are unique and stable; `captions` holds those of each image; `labels` are the object nouns that are
    present in each image (None where the corpus does not know them). `render` takes image indices and
    returns the images as uint8 (n, height, width, 3), where they have `own_sizes` as a list of (height, width, 3); it
    may be called from several threads at once. Where a split is `text_only`, captions without photographs, it raises
    CapdecError.
    """

    name: str
    ids: list[str]
    captions: list[list[str]]
    labels: list[list[str]] | None
    render: Callable[[Sequence[int]], Any]
    text_only: bool = False
    own_sizes: bool = False


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


CROSS = {"flickr30k-to-flickr8k": ("flickr30k", "flickr8k")}
"""Corpora that train on the captions of the first and have the images of the second."""
CORPORA = ("scenes", "flickr8k", "flickr30k", "coco", *CROSS)
_TEXT_ONLY = ("flickr30k",)


def trains_on_text(name: str) -> bool:
    """Tell whether a corpus's training split is captions without photographs; no data is read for it."""
    return CROSS.get(name, (name,))[0] in _TEXT_ONLY


def corpus_of_images(name: str) -> str:
    """Return the corpus whose images a corpus is evaluated on: itself, or the second of two."""
    return CROSS.get(name, (name,))[-1]


def load_corpus(name: str, seed: int, sizes: Mapping[str, int]) -> Corpus:
    """Return a corpus by name.

    Args:
        name: one of `CORPORA`, those of `CROSS` among them.
        seed: of the generated world; the others have no chance in them.
        sizes: images of each split that are used, of photographs the first ones.

    Raises:
        CapdecError: an unknown corpus, split or size; data that is missing or damaged.
    """
    if name not in CORPORA:
        raise CapdecError(f"no corpus {name!r}; the corpora are: {', '.join(CORPORA)}")
    if name == "scenes":
        from capdec_core.corpora.scenes import Scenes

        return Scenes(seed, sizes)
    if name == "coco":
        from capdec_core.corpora.coco import Coco

        return Coco(sizes)
    from capdec_core.corpora.cross import CrossCorpus
    from capdec_core.corpora.flickr8k import Flickr8k
    from capdec_core.corpora.flickr30k import Flickr30k

    if name == "flickr8k":
        return Flickr8k(sizes)
    if name == "flickr30k":
        return Flickr30k(sizes)
    training = {split: size for split, size in sizes.items() if split == "train"}
    evaluation = {split: size for split, size in sizes.items() if split != "train"}
    return CrossCorpus(Flickr30k(training), Flickr8k(evaluation))
