"""COCO's photographs of Karpathy's splits, one by one: several at a time, each atomically, the missing ones only."""

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from capdec_core import paths
from capdec_core.downloads import karpathy
from capdec_core.downloads.parts import Part, first_present, target_folder
from capdec_core.downloads.transport import RefusedError, get, partial_of, writing
from capdec_core.errors import CapdecError

SERVER = "http://images.cocodataset.org"
CONNECTIONS = 6
"""At once; as many as a browser opens to one server."""

MOST_REFUSED = 20
FOLDERS = ("train2014", "val2014")


@dataclass(frozen=True, kw_only=True)
class Photographs(Part):
    """The photographs of some of Karpathy's splits of COCO, `count` of them, named by its file of captions."""

    splits: tuple[str, ...]
    count: int

    @property
    def target(self) -> Path:
        """COCO's folder; the photographs lie in train2014/ and val2014/."""
        return target_folder(self.corpus)

    def names(self) -> list[str] | None:
        """Return the photographs as "val2014/COCO_val2014_….jpg"; None without the file of captions."""
        told = first_present(self.corpus, "dataset_coco.json")
        if told is None:
            return None
        photographs = karpathy.summary(told).photographs
        return [name for split in self.splits for name in photographs.get(split, [])]

    def lacking(self, folder: Path) -> list[str] | None:
        """Return the photographs that are not below `folder`; None without the file of captions."""
        names = self.names()
        present = {f"{name}/{entry.name}" for name in FOLDERS for entry in _entries(folder / name)}
        return None if names is None else [name for name in names if name not in present]

    def found(self) -> Path | None:
        """Return the first of COCO's folders that has every photograph."""
        folders = (place / self.corpus for place in paths.REAL_DATA)
        return next((folder for folder in folders if self.lacking(folder) == []), None)

    def here(self) -> str:
        """Say yes, no, or how many of how many."""
        if self.found():
            return "yes"
        lacking = self.lacking(self.target)
        present = 0 if lacking is None else self.count - len(lacking)
        return f"{present:,} of {self.count:,}" if present else "no"

    def missing(self) -> dict[str, int]:
        """Return an estimate: the missing photographs times the mean size."""
        if self.found():
            return {}
        lacking = self.lacking(self.target)
        count = self.count if lacking is None else len(lacking)
        return {self.name: self.size * count // self.count}

    def fetch(self) -> None:
        """Fetch the missing photographs.

        Raises:
            CapdecError: of the first failure, or of all photographs that the server does not give, once the others
                are there.
        """
        lacking = self.lacking(self.target)
        if lacking is None:
            raise CapdecError(f"{self.name} needs the names in coco/captions, which are not here")
        for name in FOLDERS:
            with writing(self.target / name):
                (self.target / name).mkdir(parents=True, exist_ok=True)
        with tqdm(desc=self.name, total=self.count, initial=self.count - len(lacking), unit="photo") as bar:
            refused = _fetch_all(lacking, self.target, bar)
        if refused:
            raise CapdecError(
                f"{self.name}: {len(refused)} photographs were refused, the first: {refused[0]}"
            )

    def damage(self) -> list[str]:
        """Decode every photograph that is here."""
        folder = self.found() or self.target
        lacking = set(self.lacking(folder) or ())
        names = [name for name in self.names() or () if name not in lacking]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            bar = tqdm(
                pool.map(lambda name: _damage(folder / name), names), self.name, len(names), leave=False
            )
            return [line for line in bar if line]


def _entries(folder: Path) -> list[os.DirEntry]:
    return list(os.scandir(folder)) if folder.is_dir() else []


def _fetch_all(names: list[str], folder: Path, bar: tqdm) -> list[RefusedError]:
    """Fetch photographs, several at a time, and return the refusals, up to a limit; another failure ends it."""
    refused = []
    with _threads() as pool:
        for job in as_completed([pool.submit(_fetch, name, folder) for name in names]):
            try:
                job.result()
                bar.update()
            except RefusedError as error:
                refused.append(error)
                if len(refused) == MOST_REFUSED:
                    break
    return refused


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Give threads that begin nothing more once something went wrong."""
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _fetch(name: str, folder: Path) -> None:
    data = get(f"{SERVER}/{name}")
    if trouble := _trouble(io.BytesIO(data)):
        raise RefusedError(f"{SERVER}/{name} gives no whole JPEG photograph: {trouble}")
    path = folder / name
    with writing(path):
        partial_of(path).write_bytes(data)
        partial_of(path).replace(path)


def _damage(path: Path) -> str:
    trouble = _trouble(path)
    return f"{path} cannot be decoded: {trouble}" if trouble else ""


def _trouble(source: Path | io.BytesIO) -> str:
    """Say why a JPEG cannot be decoded; nothing where it can. An eighth of the size shows all that is cut off."""
    try:
        with Image.open(source, formats=("JPEG",)) as image:
            image.draft("RGB", (image.width // 8, image.height // 8))
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return str(error)
    return ""
