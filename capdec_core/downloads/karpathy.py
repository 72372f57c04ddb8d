"""Karpathy and Fei-Fei's files of captions and splits, all three in one zip archive, read as untrusted data."""

import functools
import json
import shutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from capdec_core.downloads.parts import first_present, target_folder
from capdec_core.downloads.transport import Remote, download, partial_size
from capdec_core.errors import CapdecError
from capdec_core.files import digest

ARCHIVE = Remote(
    "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",
    36_745_453,
    "sha256:4cfd70132527b80933105e5829dc9034eaab9573482e2e680abbab6130244817",
)
"""As TensorFlow Datasets records it (url_checksums/coco_captions.txt); its author publishes no checksum."""

_FOLDER, _NAME = "karpathy", "caption_datasets.zip"
_LARGEST = 500_000_000
_DAMAGES = (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError)


class Image(NamedTuple):
    """An image as a file tells it: `folder` is the photograph's ("" where the file names none)."""

    split: str
    folder: str
    name: str
    captions: list[str]


def images(path: Path) -> list[Image]:
    """Return the images of one of the files, in its order.

    Raises:
        CapdecError: the file is truncated or something else.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return [_image(row) for row in table["images"]]
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise CapdecError(
            f"{path} is truncated or no file of captions by Karpathy ({type(error).__name__}: {error})"
        ) from None


def _image(row: Mapping) -> Image:
    folder, name = row.get("filepath", ""), row["filename"]
    for word in filter(None, (folder, name)):
        if not word.strip(".") or PurePosixPath(word).name != word or "\\" in word:
            raise ValueError(f"{word!r} is not a plain name")
    return Image(row["split"], folder, name, [sentence["raw"] for sentence in row["sentences"]])


class Summary(NamedTuple):
    """What a file of captions holds, by split: photographs as "folder/name", and the number of captions."""

    photographs: dict[str, list[str]]
    captions: dict[str, int]

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return (images, captions) of each split."""
        return {split: (len(names), self.captions[split]) for split, names in self.photographs.items()}


def summary(path: Path) -> Summary:
    """Return what a file holds, read once as long as it does not change; CapdecError as of `images`."""
    facts = path.stat()
    return _summary(path, facts.st_size, facts.st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _summary(path: Path, _size: int, _time: int) -> Summary:
    photographs: dict[str, list[str]] = {}
    captions: Counter[str] = Counter()
    for image in images(path):
        photographs.setdefault(image.split, []).append(str(PurePosixPath(image.folder, image.name)))
        captions[image.split] += len(image.captions)
    return Summary(photographs, captions)


def id_hash(names: Iterable[str]) -> str:
    """Return the hash of a list of photographs, the same in any order."""
    return digest(sorted(names))


def archive_missing() -> dict[str, int]:
    """Return the bytes of the archive that are still to be fetched, by address."""
    target = target_folder(_FOLDER) / _NAME
    return {} if first_present(_FOLDER, _NAME) else {ARCHIVE.url: ARCHIVE.size - partial_size(target)}


def unpack(member: str, target: Path) -> None:
    """Write a member of the archive, which is fetched first where it is missing, to `target`.

    Raises:
        CapdecError: the archive cannot be had, is damaged or not safe, or has no such member.
    """
    path = first_present(_FOLDER, _NAME)
    if path is None:
        path = target_folder(_FOLDER) / _NAME
        download(ARCHIVE, path)
    try:
        with zipfile.ZipFile(path) as archive:
            info = _member(archive, member)
            with archive.open(info) as source, target.open("wb") as stream:
                shutil.copyfileobj(source, stream)
    except _DAMAGES as error:
        raise CapdecError(f"{path} is damaged: {error}. Delete it, and it is fetched anew.") from None


def _member(archive: zipfile.ZipFile, member: str) -> zipfile.ZipInfo:
    for name in archive.namelist():
        if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
            raise CapdecError(
                f"{archive.filename} has a member that points outside of it: {name!r}. "
                "Nothing was taken from it; delete it."
            )
    if member not in archive.namelist():
        raise CapdecError(f"{archive.filename} holds no {member}: it is another archive. Delete it.")
    info = archive.getinfo(member)
    if info.file_size > _LARGEST:
        raise CapdecError(f"{archive.filename}: {member} unpacks to {info.file_size:,} bytes. Delete it.")
    return info
