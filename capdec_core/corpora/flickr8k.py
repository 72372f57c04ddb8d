"""Flickr8k (Hodosh et al. 2013): 8,000 photographs, five captions each, in Karpathy and Fei-Fei's splits.

The splits are the official ones: 6,000 photographs to train, 1,000 each to validate and to test. Captions are the raw
sentences, from Karpathy's file or from the official text folder, which say the same in the same order.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from capdec_core.corpora import Split
from capdec_core.corpora.photographs import SIDE, Photographs
from capdec_core.corpora.places import locate
from capdec_core.corpora.told import Told, first_of_splits, image_told, split_told
from capdec_core.errors import CapdecError
from capdec_core.files import digest

FOLDER = "Flicker8k_Dataset"
WANTED = {
    "photographs": ("Flickr8k_Dataset.zip", FOLDER),
    "captions": ("dataset_flickr8k.json", "Flickr8k_text"),
}
SOURCE = (
    "`capdec data fetch flickr8k/captions flickr8k/photographs` fetches them. By hand: "
    "Flickr8k_Dataset.zip and Flickr8k_text.zip are at github.com/jbrownlee/Datasets/releases (Flickr8k), for "
    "research and education only; dataset_flickr8k.json is in "
    "cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip. "
    "Put them into a folder flickr8k/ in data/, or set CAPDEC_DATA to the folder above it."
)
_OFFICIAL = {"train": "train", "val": "dev", "test": "test"}


class Flickr8k:
    """Photographs and captions of Flickr8k; `sizes` says how many images of each split are used, the first ones.

    Photographs are delivered whole at 224 x 224 pixels, whatever their size in the archive.
    Raises CapdecError for data that is missing, truncated or something else, for an unknown split or size.
    """

    name = "flickr8k"
    objects_mentioned = None

    def __init__(self, sizes: Mapping[str, int]) -> None:
        found = locate(self.name, WANTED, SOURCE)
        self._told = first_of_splits(self.name, read_captions(found["captions"]), sizes)
        names = [name for rows in self._told.values() for name, _ in rows]
        self._photographs = Photographs(found["photographs"], FOLDER, names, SOURCE)
        self.fingerprint = digest([self.name, SIDE, self._told, self._photographs.checksum()])

    def split(self, name: str) -> Split:
        """Return a split; an unknown name raises CapdecError with the right ones."""
        return split_told(self.name, self._told, name, self._photographs.images)


def read_captions(path: Path) -> Told:
    """Return the captions by split, from `dataset_flickr8k.json` or from the folder `Flickr8k_text`.

    Raises:
        CapdecError: the file is truncated or something else.
    """
    try:
        told = _official(path) if path.is_dir() else _karpathy(path)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CapdecError(
            f"{path} is truncated or does not hold Flickr8k's captions ({type(error).__name__}: {error}). {SOURCE}"
        ) from None
    names = [name for rows in told.values() for name, _ in rows]
    if len(set(names)) < len(names):
        raise CapdecError(f"{path} names a photograph twice. {SOURCE}")
    return told


def _karpathy(path: Path) -> Told:
    told: Told = {split: [] for split in _OFFICIAL}
    for image in json.loads(path.read_text(encoding="utf-8"))["images"]:
        captions = [sentence["raw"] for sentence in image["sentences"]]
        told[image["split"]].append(image_told(image["filename"], captions))
    return told


def _official(folder: Path) -> Told:
    captions: dict[str, list[str]] = {}
    for line in _lines(folder / "Flickr8k.token.txt"):
        key, caption = line.split("\t")
        captions.setdefault(key.partition("#")[0], []).append(caption)
    lists = {split: _lines(folder / f"Flickr_8k.{name}Images.txt") for split, name in _OFFICIAL.items()}
    return {split: [image_told(name, captions[name]) for name in names] for split, names in lists.items()}


def _lines(path: Path) -> list[str]:
    *lines, rest = path.read_text(encoding="utf-8").split("\n")
    if rest:
        raise ValueError(f"the last line of {path.name} is cut off")
    return lines
