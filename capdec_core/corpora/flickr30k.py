"""Flickr30k (Young et al. 2014), its captions alone, in the sentences and splits of Multi30k's task 2.

Flickr30k contains most of Flickr8k: of its 29,000 training images 6,993 are Flickr8k photographs, 871 of them among
Flickr8k's 1,000 test images. Every image that Flickr8k has too is left out, in all splits, so that a model trained on
these captions has read none of what Flickr8k's photographs are told by.
"""

import gzip
import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from capdec_core.corpora import Split
from capdec_core.corpora.places import locate
from capdec_core.corpora.told import Told, first_of_splits, image_told, split_told
from capdec_core.errors import CapdecError
from capdec_core.files import digest

WANTED = {"captions": ("captions.jsonl.gz",)}
SOURCE = (
    "`capdec data fetch flickr30k/captions` makes it of Karpathy's. By hand: it holds one image a line, as JSON with "
    "filename, split (train, val, test), in_flickr8k (true, false) and captions, made from task 2 of "
    "github.com/multi30k/dataset, for non-commercial research. "
    "Put it into a folder flickr30k/ in data/, or set CAPDEC_DATA to the folder above it."
)


class Flickr30k:
    """Captions of the Flickr30k images that Flickr8k does not have: 22,007 to train (110,035 captions), 772, 757.

    `sizes` says how many images of each split are used, the first ones. There are no photographs: every split is
    text only. Raises CapdecError for data that is missing, truncated or something else, for an unknown split or size.
    """

    name = "flickr30k"
    objects_mentioned = None

    def __init__(self, sizes: Mapping[str, int]) -> None:
        found = locate(self.name, WANTED, SOURCE)
        self._told = first_of_splits(self.name, read_captions(found["captions"]), sizes)
        self.fingerprint = digest([self.name, self._told])

    def split(self, name: str) -> Split:
        """Return a split; an unknown name raises CapdecError with the right ones."""
        return split_told(self.name, self._told, name, _no_photographs, text_only=True)


def _no_photographs(names: list[str]) -> np.ndarray:
    raise CapdecError(f"flickr30k is text only: there is no photograph {names[0]}")


def read_captions(path: Path) -> Told:
    """Return the captions by split, without the images that Flickr8k has.

    Raises:
        CapdecError: the file is truncated or something else.
    """
    told: Told = {"train": [], "val": [], "test": []}
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for image in map(json.loads, lines):
                if not image["in_flickr8k"]:
                    told[image["split"]].append(image_told(image["filename"], image["captions"]))
    except (OSError, EOFError, zlib.error, KeyError, TypeError, ValueError) as error:
        raise CapdecError(
            f"{path} is truncated or does not hold Flickr30k's captions ({type(error).__name__}: {error}). {SOURCE}"
        ) from None
    return told
