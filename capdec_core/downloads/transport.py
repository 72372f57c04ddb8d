"""Files over HTTP, politely: back-off where a server is busy, resume where an answer was cut off, a stand-in server.

Connections, redirects, proxies, certificates and the waiting that a server asks for are requests' and urllib3's work.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.util import Retry

from capdec_core import __version__
from capdec_core.errors import CapdecError

MIRROR = "CAPDEC_MIRROR"
AGENT = f"capdec-book/{__version__} (research; fetches each file once)"
TIMEOUT = (10, 60)
"""Seconds to wait for a connection, and for the next bytes."""

BUSY = (429, 500, 502, 503, 504)
ATTEMPTS = 6
BACKOFF, LONGEST_PAUSE, LONGEST_RETRY_AFTER = 1.0, 60, 600
"""Seconds: of the first pause (then doubled), the longest one, and the longest one that a server may ask for."""

SMALL = 50_000_000
BLOCK = 1 << 14
"""Bytes: the most of a small file, and what is written at once; a cut loses less than that."""

GO_ON = "What was fetched so far is kept; call again to go on from there."


@dataclass(frozen=True)
class Remote:
    """A file on a server: its address, its bytes, and the checksum that is on record for it ("sha256:…", "md5:…")."""

    url: str
    size: int
    checksum: str


class RefusedError(CapdecError):
    """The server answers, and does not give this one file."""


def address(url: str) -> str:
    """Return where a file is fetched: `url`, or `<CAPDEC_MIRROR>/<host>/<path>` where that variable is set.

    Raises:
        CapdecError: the variable is no address.
    """
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return url
    if urlsplit(mirror).scheme not in ("http", "https") or not urlsplit(mirror).netloc:
        raise CapdecError(f"{MIRROR} is {mirror!r}; it must be an address such as http://localhost:8000")
    return f"{mirror.rstrip('/')}/{url.split('://', 1)[1]}"


def partial_of(path: Path) -> Path:
    """Return the file beside `path` that its bytes are gathered in until it is whole."""
    return path.with_name(f".{path.name}.part")


def partial_size(path: Path) -> int:
    """Return how many bytes of `path` were fetched before, in its partial file."""
    partial = partial_of(path)
    return partial.stat().st_size if partial.is_file() else 0


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one message that `path` could not be written, because the disk is full for one."""
    try:
        yield
    except requests.RequestException:  # an OSError by birth, of the network
        raise
    except OSError as error:
        raise CapdecError(
            f"cannot write {path}: {error.strerror}. What was fetched so far is kept; make room, or set CAPDEC_DATA to "
            "another folder, and call again."
        ) from None


def download(remote: Remote, path: Path) -> None:
    """Fetch a large file with a progress bar, going on where an earlier try was cut off.

    The bytes are gathered beside `path` and get its name when their number and checksum are right.

    Raises:
        CapdecError: no answer, a refusal, another size or checksum than on record, a disk that cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _gather(remote, path)
        _check(remote, partial_of(path))
        partial_of(path).replace(path)


def _gather(remote: Remote, path: Path) -> None:
    failures = 0
    with tqdm(desc=path.name, total=remote.size, unit="B", unit_scale=True) as bar:
        while (before := partial_size(path)) < remote.size:
            reason = "the connection was closed"
            try:
                _append(remote, partial_of(path), before, bar)
            except requests.RequestException as error:
                reason = _told(error)
            if partial_size(path) > before:
                failures = 0
            elif (failures := failures + 1) == ATTEMPTS:
                raise CapdecError(f"{address(remote.url)} was cut off: {reason}. {GO_ON}")
            if partial_size(path) < remote.size:
                _pause(failures)


def _append(remote: Remote, partial: Path, first: int, bar: tqdm) -> None:
    with _open(remote.url, first) as response:
        goes_on = response.status_code == requests.codes.partial_content
        if (total := _total(response)) != remote.size:
            raise CapdecError(
                f"{response.url} has {total or 'an unknown number of'} bytes, {remote.size} are on record: it is "
                "another file, and nothing of it was kept."
            )
        bar.update((first if goes_on else 0) - bar.n)
        with partial.open("ab" if goes_on else "wb") as stream:
            for block in response.iter_content(BLOCK):
                stream.write(block)
                bar.update(len(block))


def _total(response: requests.Response) -> int | None:
    """Return the number of bytes of the whole file, as the answer states it."""
    stated = response.headers.get("Content-Range", "").rpartition("/")[2]
    stated = stated or response.headers.get("Content-Length", "")
    return int(stated) if stated.isdecimal() else None


def _check(remote: Remote, partial: Path) -> None:
    algorithm, _, wanted = remote.checksum.partition(":")
    with partial.open("rb") as stream:
        found = hashlib.file_digest(stream, algorithm).hexdigest()
    if found != wanted or partial.stat().st_size != remote.size:
        partial.unlink()
        raise CapdecError(
            f"{address(remote.url)} has the {algorithm} {found}, on record is {wanted}: it was damaged on the way or "
            "is another file. It was thrown away; fetch it again."
        )


def get(url: str) -> bytes:
    """Return a small file, whole.

    Raises:
        RefusedError: the server does not give it.
        CapdecError: no answer, answers that are cut off again and again, or a file of unknown or unlikely size.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _open(url) as response:
                if not 0 < (_total(response) or 0) <= SMALL:
                    raise RefusedError(f"{response.url} states no length, or none of a photograph")
                return response.content
        except requests.RequestException as error:
            reason = _told(error)
        if attempt < ATTEMPTS:
            _pause(attempt)
    raise CapdecError(f"{address(url)} was cut off {ATTEMPTS} times: {reason}. {GO_ON}")


def _open(url: str, first: int = 0) -> requests.Response:
    """Ask for a file from its byte `first` on and return the answer, its content not yet read."""
    where = address(url)
    try:
        headers = {"Range": f"bytes={first}-"} if first else {}
        response = _session().get(where, headers=headers, stream=True, timeout=TIMEOUT)
    except requests.RequestException as error:
        host = urlsplit(where).netloc
        raise CapdecError(f"no answer from {host} ({_told(error)}): is there a network? {GO_ON}") from None
    if response.ok:
        return response
    response.close()
    answer = f"{where} answers {response.status_code} {response.reason}"
    if response.status_code in BUSY:
        raise CapdecError(f"{answer} again and again. {GO_ON}")
    raise RefusedError(answer)


_own = threading.local()


def _session() -> requests.Session:
    """Return this thread's session: requests promises nothing of one that threads share."""
    if not hasattr(_own, "session"):
        retry = Retry(
            total=ATTEMPTS - 1,
            status_forcelist=BUSY,
            backoff_factor=BACKOFF,
            backoff_max=LONGEST_PAUSE,
            backoff_jitter=BACKOFF,
            retry_after_max=LONGEST_RETRY_AFTER,
            raise_on_status=False,
        )
        session = requests.Session()
        session.headers.update({"User-Agent": AGENT, "Accept-Encoding": "identity"})
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        _own.session = session
    return _own.session


def _pause(failures: int) -> None:
    time.sleep(min(BACKOFF * 2 ** max(failures - 1, 0), LONGEST_PAUSE))


def _told(error: requests.RequestException) -> str:
    """Return what went wrong without the layers that it came through."""
    cause = error.args[0] if error.args else error
    return str(getattr(cause, "reason", None) or cause)


def answers(url: str) -> bool:
    """Tell within seconds whether a file's server, or the one that stands in for it, gives an answer."""
    worst = 500 if os.environ.get(MIRROR) else 400
    try:
        headers = {"User-Agent": AGENT, "Range": "bytes=0-0"}
        with requests.get(address(url), headers=headers, stream=True, timeout=5) as response:
            return response.status_code < worst
    except requests.RequestException:
        return False
