"""COCO's photographs of Karpathy's splits, one by one: several at a time, each atomically, the missing ones only."""

import functools
import io
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from capdec_core.corpora import coco
from capdec_core.corpora.photographs import Photographs as Stored
from capdec_core.downloads.parts import Part, first_present, target_folder
from capdec_core.downloads.transport import RefusedError, get, partial_of, writing
from capdec_core.errors import CapdecError

SERVER = "http://images.cocodataset.org"
CONNECTIONS = 6
"""At once; as many as a browser opens to one server."""

MOST_REFUSED = 20


@dataclass(frozen=True, kw_only=True)
class Photographs(Part):
    """The photographs of one split of COCO, `count` of them, which its file of captions names."""

    split: str
    count: int

    @property
    def target(self) -> Path:
        """COCO's folder; the photographs are put into train2014/ and val2014/ there."""
        return target_folder(self.corpus)

    def found(self) -> Path | None:
        """Return the folder of what the corpus reads, where it has every photograph."""
        stores = _stores()
        return stores[0].parent if stores and self._lacking() == [] else None

    def here(self) -> str:
        """Say yes, no, or how many of how many."""
        if self.found():
            return "yes"
        names, lacking = self._names() or (), self._lacking() or ()
        return f"{len(names) - len(lacking):,} of {len(names):,}" if len(lacking) < len(names) else "no"

    def missing(self) -> dict[str, int]:
        """Return an estimate: the missing photographs times the mean size."""
        names = self._to_fetch()
        count = self.count if names is None else len(names)
        return {self.name: self.size * count // self.count} if count else {}

    def fetch(self) -> None:
        """Fetch the missing photographs.

        Raises:
            CapdecError: of the first failure, or of all photographs that the server does not give, once the others
                are there.
        """
        names = self._to_fetch()
        if names is None:
            raise CapdecError(f"{self.name} needs the names in coco/captions, which are not here")
        with tqdm(desc=self.name, total=len(names), unit="photo") as bar:
            refused = _fetch_all(names, self.target, bar)
        if refused:
            raise CapdecError(
                f"{self.name}: {len(refused)} photographs were refused, the first: {refused[0]}"
            )

    def damage(self) -> list[str]:
        """Decode every photograph that is here."""
        readers = {store.stem: Stored(store, store.stem, (), "") for store in _stores()}
        lacking = set(self._lacking() or ())
        names = [name for name in self._names() or () if name not in lacking]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            lines = pool.map(lambda name: _damage(readers[coco.folder_of(name)], name), names)
            return [line for line in tqdm(lines, self.name, len(names), leave=False) if line]

    def _names(self) -> list[str] | None:
        """Return the photographs' names; None without the file of captions."""
        captions = first_present(self.corpus, "dataset_coco.json")
        return None if captions is None else _names_told(captions)[self.split]

    def _lacking(self) -> list[str] | None:
        """Return the photographs that the corpus does not find; None without the file of captions."""
        names, present = self._names(), _present(_stores())
        return None if names is None else [name for name in names if name not in present]

    def _to_fetch(self) -> list[str] | None:
        """Return the photographs that the target's folders lack, of those folders that are not whole elsewhere."""
        lacking = self._lacking()
        if not lacking:
            return lacking
        folders = {coco.folder_of(name) for name in lacking}
        present = _present([self.target / folder for folder in folders])
        names = [name for name in self._names() or () if coco.folder_of(name) in folders]
        return [name for name in names if name not in present]


def _names_told(captions: Path) -> dict[str, list[str]]:
    """Return the photographs' names by split, read once as long as the file of captions does not change."""
    facts = captions.stat()
    return _read_names(captions, facts.st_size, facts.st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _read_names(captions: Path, _size: int, _time: int) -> dict[str, list[str]]:
    return {split: [name for name, _ in rows] for split, rows in coco.read_captions(captions).items()}


def _stores() -> list[Path]:
    """Return the folders, or archives of them, that the corpus reads photographs from."""
    found = (first_present("coco", folder, f"{folder}.zip") for folder in coco.FOLDERS)
    return [store for store in found if store]


def _present(stores: Sequence[Path]) -> set[str]:
    """Return the names of the files in some folders, or archives of them."""
    return {name for store in stores for name in _names_in(store)}


def _names_in(store: Path) -> Iterable[str]:
    if store.suffix != ".zip":
        return [entry.name for entry in store.iterdir()] if store.is_dir() else []
    try:
        with zipfile.ZipFile(store) as archive:
            return [Path(name).name for name in archive.namelist() if name.startswith(f"{store.stem}/")]
    except (OSError, zipfile.BadZipFile) as error:
        raise CapdecError(f"{store} is truncated or no zip archive: {error}") from None


def _fetch_all(names: Sequence[str], folder: Path, bar: tqdm) -> list[RefusedError]:
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


def _fetch(name: str, target: Path) -> None:
    folder = coco.folder_of(name)
    data = get(f"{SERVER}/{folder}/{name}")
    if trouble := _trouble(data):
        raise RefusedError(f"{SERVER}/{folder}/{name} gives no whole JPEG photograph: {trouble}")
    path = target / folder / name
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial_of(path).write_bytes(data)
        partial_of(path).replace(path)


def _trouble(data: bytes) -> str:
    """Say why a JPEG cannot be decoded; nothing where it can. An eighth of the size shows all that is cut off."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.draft("RGB", (image.width // 8, image.height // 8))
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return str(error)
    return ""


def _damage(reader: Stored, name: str) -> str:
    try:
        reader.whole([name])
    except CapdecError as error:
        return str(error)
    return ""
