"""Downloads of the real data: what there is, whether it is here, and how it is fetched, resumed and checked.

Everything is put into the folder that CAPDEC_DATA names, or into `data/`. CAPDEC_MIRROR names a server that stands
in for all others: it serves `<CAPDEC_MIRROR>/<host>/<path>`.
"""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from capdec_core import paths
from capdec_core.downloads.captions import Captions
from capdec_core.downloads.parts import Part
from capdec_core.downloads.registry import PARTS
from capdec_core.downloads.transport import address, answers, writing
from capdec_core.errors import CapdecError

__all__ = ["PARTS", "Part", "bytes_missing", "chosen", "ensure", "existing", "reachable"]


def chosen(names: Sequence[str]) -> list[Part]:
    """Return parts by name; CapdecError for an unknown one."""
    for name in names:
        if name not in PARTS:
            raise CapdecError(f"no part {name!r}; the parts are: {', '.join(PARTS)}")
    return [PARTS[name] for name in names]


def ensure(parts: Sequence[str]) -> None:
    """Fetch what is missing of some parts and of those that they need; where all is here, no network is asked.

    Raises:
        CapdecError: an unknown part, too little disk (said before anything is fetched), no network, a server that
            refuses, another content than on record, a full disk. What was fetched stays, and the next call goes on.
    """
    todo = [part for part in _with_needs(parts) if part.found() is None]
    if not todo:
        return
    _check_space(todo)
    with _alone_with(paths.REAL_DATA[0]):
        for part in todo:
            if part.found() is None:
                part.fetch()


def bytes_missing(parts: Sequence[str]) -> int:
    """Return the bytes that are still to be fetched for some parts and those that they need; photographs' estimated."""
    return _bytes(_with_needs(parts))


def reachable(parts: Sequence[str] = tuple(PARTS)) -> bool:
    """Tell within seconds whether the servers of some parts, or the one that stands in for them, answer."""
    probes = {address(part.probe).split("/")[2]: part.probe for part in _with_needs(parts)}
    with ThreadPoolExecutor() as pool:
        return all(pool.map(answers, probes.values()))


def _with_needs(names: Sequence[str]) -> list[Part]:
    """Return parts with those that they need, each once and after what it needs."""
    found: dict[str, Part] = {}
    for part in chosen(names):
        found |= {need.name: need for need in chosen(part.needs)} | {part.name: part}
    return list(found.values())


def _bytes(parts: Sequence[Part]) -> int:
    sources: dict[str, int] = {}
    for part in parts:
        sources |= part.missing()
    return sum(sources.values())


def _check_space(todo: Sequence[Part]) -> None:
    needed = _bytes(todo) + sum(part.size for part in todo if isinstance(part, Captions))
    place = paths.REAL_DATA[0]
    free = shutil.disk_usage(existing(place)).free
    if needed > free:
        names = ", ".join(part.name for part in todo)
        raise CapdecError(
            f"{names} need {needed / 1e9:.1f} GB, and {place} has {free / 1e9:.1f} GB free. Nothing was fetched; "
            "make room, or set CAPDEC_DATA to a folder on a larger disk."
        )


def existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


@contextmanager
def _alone_with(folder: Path) -> Iterator[None]:
    """Hold the folder of the data, made where it is missing; wait for a process that fetches into it."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / ".fetching").open("ab")
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
