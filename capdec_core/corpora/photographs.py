"""Photographs by name, in a zip archive or in a folder: read where they lie, never extracted."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from capdec_core import paths
from capdec_core.errors import CapdecError
from capdec_core.files import digest, read_json, write_json
from capdec_core.pictures import square, upright_rgb

SIDE = 224
_MOST_BYTES = 50_000_000
_UNREADABLE = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What zipfile raises for a member that is damaged, encrypted or packed in an unknown way."""


class Photographs:
    """The photographs of a corpus.

    Args:
        path: a zip archive that holds `<folder>/<name>`, or the extracted folder itself.
        folder: name of the folder in the archive.
        names: the photographs that are needed, plain file names.
        source: how to get them, a sentence.

    Raises:
        CapdecError: the archive is truncated, no zip or not safe, or it lacks photographs.
    """

    def __init__(self, path: Path, folder: str, names: Sequence[str], source: str) -> None:
        self.path, self.folder, self.names, self.source = path, folder, names, source
        present = {entry.name for entry in path.iterdir()} if path.is_dir() else set(self._members)
        missing = [name for name in names if name not in present]
        if missing:
            raise CapdecError(
                f"{path} lacks {len(missing)} of {len(names)} photographs, the first is {missing[0]}: "
                f"it is truncated or another archive. {source}"
            )

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError) as error:
            raise CapdecError(f"{self.path} is truncated or no zip archive: {error}. {self.source}") from None

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        """Return the archive's members in the folder, by name; an archive that reaches outside is refused."""
        for member in self._archive.infolist():
            parts = PurePosixPath(member.filename).parts
            if ".." in parts or member.filename.startswith("/") or "\\" in member.filename:
                raise CapdecError(f"{self.path} has a member that points outside of it: {member.filename!r}")
        start = f"{self.folder}/"
        return {
            member.filename.removeprefix(start): member
            for member in self._archive.infolist()
            if member.filename.startswith(start) and not member.is_dir()
        }

    def checksum(self) -> str:
        """Return a hash of the photographs' bytes, the same for an archive and for its extracted folder.

        It is made of their CRC-32: an archive lists them; those of a folder are kept in the cache by size and time.
        """
        if self.path.is_dir():
            return digest(self._sums_of_folder())
        return digest({name: self._members[name].CRC for name in self.names})

    def _sums_of_folder(self) -> dict[str, int]:
        kept = paths.CACHE / "checksums" / f"{digest(str(self.path.resolve()))[:16]}.json"
        known = read_json(kept) if kept.is_file() else {}
        sums = {}
        for name in self.names:
            facts = (self.path / name).stat()
            state = [facts.st_size, facts.st_mtime_ns]
            entry = known.get(name, [])
            sums[name] = entry if entry[:2] == state else [*state, zlib.crc32(self._read(name))]
        if any(known.get(name) != entry for name, entry in sums.items()):
            write_json(kept, known | sums)
        return {name: entry[2] for name, entry in sums.items()}

    def _read(self, name: str) -> bytes:
        try:
            if self.path.is_dir():
                return (self.path / name).read_bytes()
            if self._members[name].file_size > _MOST_BYTES:
                raise OSError(f"it unpacks to {self._members[name].file_size} bytes")
            return self._archive.read(self._members[name])
        except _UNREADABLE as error:
            raise CapdecError(f"{self.path}: photograph {name} cannot be read: {error}") from None

    def images(self, names: Sequence[str]) -> np.ndarray:
        """Return photographs as uint8 (n, SIDE, SIDE, 3), whole: the aspect ratio is given up, nothing is cut off."""
        rows = np.empty((len(names), SIDE, SIDE, 3), np.uint8)
        for row, name in enumerate(names):
            rows[row] = square(self._decoded(name), SIDE)
        return rows

    def whole(self, names: Sequence[str]) -> list[np.ndarray]:
        """Return photographs as they are, each uint8 (height, width, 3)."""
        return [np.asarray(self._decoded(name)) for name in names]

    def _decoded(self, name: str) -> Image.Image:
        data = io.BytesIO(self._read(name))
        try:
            return upright_rgb(data, formats=("JPEG",))
        except CapdecError as error:
            raise CapdecError(f"{self.path}: {name} is not a JPEG photograph: {error}") from None
