"""Archives of cells: zip files whose members are checked before anything of them is believed.

An archive comes from another machine, so nothing in it is trusted: a member's name must be that of a file of a
cell, it must be a plain file of bounded size, and what it holds must be of the file's form. Nothing is unpickled.
"""

import errno
import json
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from capdec_core.cell import StoredCell
from capdec_core.errors import CapdecError
from capdec_core.store import CAPTIONER

MEBIBYTE = 1 << 20
BOUNDS = {
    "cell.json": 1 * MEBIBYTE,
    CAPTIONER: 8192 * MEBIBYTE,
    "record.json": 64 * MEBIBYTE,
    "captions.json": 256 * MEBIBYTE,
    "scores.json": 1024 * MEBIBYTE,
}
"""The files of a cell, in the order in which they are packed, and the most bytes that each may have."""

MEMBER = re.compile(rf"([0-9a-f]{{16}})/({'|'.join(map(re.escape, BOUNDS))})")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every member: equal cells give equal bytes."""

DAMAGES = (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError)
"""What reading a damaged archive raises: an unknown version of the format is one of them."""

Members = dict[str, zipfile.ZipInfo]
"""A cell's files in an archive, by name."""


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; CapdecError where it is missing, no zip file, or turns out to be damaged while it is read."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise CapdecError(f"cannot read {path}: {error.strerror}") from None
    with stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                yield archive
        except DAMAGES as error:
            raise CapdecError(f"{path} is no whole archive of cells: {error}") from None
        except OSError as error:
            if error.errno != errno.EINVAL:  # a place in the file that cannot be
                raise
            raise CapdecError(f"{path} is no whole archive of cells: {error}") from None


def add(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    """Write a file into an archive under a name, always with the same time and rights."""
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, 3
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    info.file_size = path.stat().st_size  # tells whether 64-bit sizes are needed
    with archive.open(info, "w") as target, path.open("rb") as source:
        shutil.copyfileobj(source, target)


def cells_in(archive: zipfile.ZipFile) -> dict[str, Members]:
    """Return {cell id: its members}.

    Raises:
        CapdecError: a member that is no file of a cell (a path that leads elsewhere, a folder, a link), is there
            twice, is encrypted or is larger than a cell's file can be.
    """
    found: dict[str, Members] = {}
    for info in archive.infolist():
        match = MEMBER.fullmatch(info.orig_filename)  # `filename` ends at a zero byte
        if match is None or stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise _refused(archive, info, "which is no file of a cell")
        cell, name = match.groups()
        if name in found.setdefault(cell, {}):
            raise _refused(archive, info, "twice")
        if info.file_size > BOUNDS[name]:
            raise _refused(archive, info, f"of {info.file_size:,} bytes; a cell has at most {BOUNDS[name]:,}")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _refused(archive, info, "encrypted, or compressed in a way that is not read here")
        found[cell][name] = info
    return found


def _refused(archive: zipfile.ZipFile, info: zipfile.ZipInfo, why: str) -> CapdecError:
    return CapdecError(f"{archive.filename} holds {info.orig_filename!r} {why}; nothing was taken from it")


def read_table(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> dict[str, Any]:
    """Return a member that holds a JSON object; CapdecError where it holds something else."""
    return _table(archive.read(info), f"{archive.filename}: {info.filename}")


def extract(archive: zipfile.ZipFile, members: Members, folder: Path) -> None:
    """Write a cell's members into `folder`, never more bytes than the archive said they have."""
    for name, info in members.items():
        with archive.open(info) as source, (folder / name).open("wb") as target:
            shutil.copyfileobj(source, target)


def same(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> bool:
    """Tell whether a member and a file hold the same bytes."""
    if info.file_size != path.stat().st_size:
        return False
    with archive.open(info) as source, path.open("rb") as other:
        return all(block == other.read(len(block)) for block in iter(lambda: source.read(MEBIBYTE), b""))


def check_contents(folder: Path, cell: StoredCell) -> None:
    """Check that the files of `cell` in `folder`, as far as they are there, have their form.

    Captions and scores must be of the cell's evaluations; the captioner's header is read, no weight of it.
    CapdecError names the file that is something else.
    """
    asked = {evaluation.key for evaluation in cell.evaluations}
    for name in sorted(path.name for path in folder.iterdir()):
        path = folder / name
        where = f"{cell.id}/{name}"
        if name == CAPTIONER:
            _check_tensors(path, where)
            continue
        table = _table(path.read_bytes(), where)
        if name in ("captions.json", "scores.json") and set(table) != asked:
            raise CapdecError(
                f"{where} is of {', '.join(table) or 'nothing'}, not of {', '.join(sorted(asked))}"
            )
        if name == "captions.json":
            _check_captions(table, where)


def _check_captions(table: Mapping[str, Any], where: str) -> None:
    for found in table.values():
        groups = found.values() if isinstance(found, dict) else [None]
        if not all(
            isinstance(group, list) and all(isinstance(text, str) for text in group) for group in groups
        ):
            raise CapdecError(f"{where} holds something other than captions")


def _check_tensors(path: Path, where: str) -> None:
    try:
        with safe_open(path, framework="np") as tensors:
            tensors.keys()
    except SafetensorError as error:
        raise CapdecError(f"{where} is no safetensors file: {error}") from None


def _table(data: bytes, where: str) -> dict[str, Any]:
    try:
        table = json.loads(data.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CapdecError(f"{where} is not JSON: {error}") from None
    if not isinstance(table, dict):
        raise CapdecError(f"{where} holds no JSON object")
    return table


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
