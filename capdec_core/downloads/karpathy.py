"""The archive of Karpathy and Fei-Fei's files of captions and splits; its members are taken out with care."""

import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from capdec_core.downloads.parts import first_present, target_folder
from capdec_core.downloads.transport import Remote, download, partial_size
from capdec_core.errors import CapdecError

ARCHIVE = Remote(
    "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",
    36_745_453,
    "sha256:4cfd70132527b80933105e5829dc9034eaab9573482e2e680abbab6130244817",
)
"""As TensorFlow Datasets records it (url_checksums/coco_captions.txt); its author publishes no checksum."""

_FOLDER, _NAME = "karpathy", "caption_datasets.zip"
_LARGEST = 500_000_000
_DAMAGES = (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError)


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
