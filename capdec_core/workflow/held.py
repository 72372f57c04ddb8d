"""A file that one process holds at a time; the system lets go of it when the process ends, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from capdec_core.errors import CapdecError


@contextmanager
def held(path: Path, refusal: str = "") -> Iterator[int]:
    """Hold the file at `path`, made where it is missing; what is given, its descriptor, holds it in a child too.

    Where another process holds it, wait; with a `refusal`, raise CapdecError with this message instead.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
        except BlockingIOError:
            raise CapdecError(refusal) from None
        yield stream.fileno()
