"""COCO (Lin et al. 2014; captions Chen et al. 2015) in Karpathy and Fei-Fei's splits, restval in train.

113,287 photographs to train (566,747 captions), 5,000 each to validate and to test. A decoder that learns from text
needs no photograph of the first: where not all of them are there, the training split is text only. Photographs are
delivered as they are; encoders bring them to their own size.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import numpy as np

from capdec_core.corpora import Split
from capdec_core.corpora.photographs import Photographs
from capdec_core.corpora.places import locate
from capdec_core.corpora.told import Told, first_of_splits, image_told, split_told
from capdec_core.errors import CapdecError
from capdec_core.files import digest

FOLDERS = ("val2014", "train2014")
"""Where photographs lie, as a folder or a zip archive of it; those to validate and test with are all in the first."""
SPLITS = {"train": "train", "restval": "train", "val": "val", "test": "test"}
"""Karpathy's splits, each with the one that it is part of here: as in CapDec and ClipCap, restval is trained on."""
SOURCE = (
    "`capdec data fetch coco/captions coco/val coco/test` fetches captions and the photographs to validate and test "
    "with, `capdec data fetch coco/train` the 19 GB to train with. By hand: dataset_coco.json is in "
    "cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip, the photographs are "
    "images.cocodataset.org/zips/val2014.zip and train2014.zip. Put them into a folder coco/ in data/, or set "
    "CAPDEC_DATA to the folder above it."
)
_NAME = re.compile(r"COCO_(train2014|val2014)_\d{12}\.jpg")


class Coco:
    """Photographs and captions of COCO; `sizes` says how many images of each split are used, the first ones.

    The fingerprint is that of the captions and of the bytes of the photographs to validate and test with. Those to
    train with go by their names: they may be fetched later, and what was trained on text keeps its name.

    Raises CapdecError for data that is missing, truncated or something else, for an unknown split or size.
    """

    name = "coco"
    objects_mentioned = None

    def __init__(self, sizes: Mapping[str, int]) -> None:
        found = locate(self.name, {"captions": ("dataset_coco.json",)}, SOURCE)
        self._told = first_of_splits(self.name, read_captions(found["captions"]), sizes)
        self._evaluated = Album(self._names("val") + self._names("test"))
        self.fingerprint = digest([self.name, self._told, self._evaluated.checksum()])

    def _names(self, split: str) -> list[str]:
        return [name for name, _ in self._told.get(split, [])]

    @cached_property
    def _training(self) -> "Album | CapdecError":
        """The photographs to train with, or what is missing of them."""
        try:
            return Album(self._names("train"))
        except CapdecError as error:
            return error

    def split(self, name: str) -> Split:
        """Return a split; an unknown name raises CapdecError with the right ones."""
        album = self._training if name == "train" else self._evaluated
        if isinstance(album, Album):
            return split_told(self.name, self._told, name, album.photographs, own_sizes=True)
        reason = album

        def missing(_: list[str]) -> NoReturn:
            raise CapdecError(f"coco has only captions to train on here, and images are asked for: {reason}")

        return split_told(self.name, self._told, name, missing, text_only=True, own_sizes=True)


class Album:
    """Photographs by name in the folders that their names say; CapdecError where any is missing."""

    def __init__(self, names: Sequence[str]) -> None:
        by_folder = {folder: [name for name in names if folder_of(name) == folder] for folder in FOLDERS}
        self._parts = {folder: _part(folder, own) for folder, own in by_folder.items() if own}

    def photographs(self, names: Sequence[str]) -> list[np.ndarray]:
        """Return photographs as they are, each uint8 (height, width, 3)."""
        return [self._parts[folder_of(name)].whole([name])[0] for name in names]

    def checksum(self) -> list[str]:
        """Return a hash of each folder's photographs."""
        return [part.checksum() for part in self._parts.values()]


def _part(folder: str, names: Sequence[str]) -> Photographs:
    found = locate("coco", {"photographs": (folder, f"{folder}.zip")}, SOURCE)
    return Photographs(found["photographs"], folder, names, SOURCE)


def folder_of(name: str) -> str:
    """Return the folder of a photograph; ValueError for a name that is none of COCO's."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not the name of a COCO photograph")
    return match[1]


def read_captions(path: Path) -> Told:
    """Return the captions by split, from `dataset_coco.json`; what stands between words is one space.

    Raises:
        CapdecError: the file is truncated or something else.
    """
    told: Told = {"train": [], "val": [], "test": []}
    try:
        for image in json.loads(path.read_text(encoding="utf-8"))["images"]:
            folder_of(image["filename"])
            captions = [" ".join(sentence["raw"].split()) for sentence in image["sentences"]]
            told[SPLITS[image["split"]]].append(image_told(image["filename"], captions))
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise CapdecError(
            f"{path} is truncated or does not hold COCO's captions ({type(error).__name__}: {error}). {SOURCE}"
        ) from None
    names = [name for rows in told.values() for name, _ in rows]
    if len(set(names)) < len(names):
        raise CapdecError(f"{path} names a photograph twice. {SOURCE}")
    return told
