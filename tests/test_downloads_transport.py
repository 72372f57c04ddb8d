"""Files over HTTP: what is cut off goes on, what is wrong is said, and no file has its name before it is whole."""

import hashlib
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Fault, Loopback, serving

from capdec_core.downloads import transport
from capdec_core.downloads.transport import RefusedError, Remote, download, get, partial_of
from capdec_core.errors import CapdecError

URL = "https://host.example/folder/file.zip"
PLACE = "/host.example/folder/file.zip"
DATA = bytes(range(256)) * 1200
REMOTE = Remote(URL, len(DATA), f"sha256:{hashlib.sha256(DATA).hexdigest()}")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """A server that stands in for all others and has the file; pauses take no time."""
    monkeypatch.setattr(transport, "BACKOFF", 0)
    monkeypatch.setattr(transport, "BLOCK", 1000)
    monkeypatch.setattr(transport, "_own", threading.local())
    with serving() as site:
        site.files[PLACE] = DATA
        monkeypatch.setenv("CAPDEC_MIRROR", site.address)
        yield site


def test_a_file_arrives_whole_and_the_project_names_itself(site: Loopback, tmp_path: Path) -> None:
    download(REMOTE, tmp_path / "new" / "file.zip")
    assert (tmp_path / "new" / "file.zip").read_bytes() == DATA
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file.zip"]
    (request,) = site.asked
    assert request.headers["User-Agent"].startswith("capdec-book/")
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Range" not in request.headers


def test_what_is_cut_off_goes_on_from_there(site: Loopback, tmp_path: Path) -> None:
    site.fail(PLACE, Fault(cut=1500), Fault(cut=70_000))
    download(REMOTE, tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == DATA
    assert site.ranges(PLACE) == ["", "bytes=1000-", "bytes=71000-"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(1, len(DATA)), max_size=6),
    ranges=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_any_cuts_give_the_same_bytes(
    cuts: list[int], ranges: list[bool], site: Loopback, tmp_path: Path
) -> None:
    site.faults.clear()
    site.fail(PLACE, *(Fault(cut=cut, ranges=r) for cut, r in zip(cuts, ranges, strict=False)))
    download(REMOTE, tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == DATA


def test_a_later_call_goes_on_where_the_last_one_gave_up(site: Loopback, tmp_path: Path) -> None:
    site.fail(PLACE, Fault(cut=5000), *[Fault(cut=0)] * transport.ATTEMPTS)
    with pytest.raises(CapdecError, match=rf"{re.escape(PLACE)} was cut off: .* is kept; call again"):
        download(REMOTE, tmp_path / "file.zip")
    assert not (tmp_path / "file.zip").exists()
    assert partial_of(tmp_path / "file.zip").read_bytes() == DATA[:5000]
    site.asked.clear()
    download(REMOTE, tmp_path / "file.zip")
    assert site.ranges(PLACE) == ["bytes=5000-"]
    assert (tmp_path / "file.zip").read_bytes() == DATA


def test_a_wrong_checksum_is_said_and_the_file_thrown_away(site: Loopback, tmp_path: Path) -> None:
    site.files[PLACE] = DATA[:-1] + b"!"
    with pytest.raises(CapdecError, match=r"has the sha256 [0-9a-f]{64}, on record is .* fetch it again"):
        download(REMOTE, tmp_path / "file.zip")
    assert list(tmp_path.iterdir()) == []
    site.files[PLACE] = DATA
    download(REMOTE, tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == DATA


def test_another_size_is_refused_before_it_is_fetched(site: Loopback, tmp_path: Path) -> None:
    site.files[PLACE] = DATA + b"more"
    with pytest.raises(CapdecError, match=rf"has {len(DATA) + 4} bytes, {len(DATA)} are on record"):
        download(REMOTE, tmp_path / "file.zip")
    site.files[PLACE] = DATA
    site.fail(PLACE, Fault(length=False))
    with pytest.raises(CapdecError, match="has an unknown number of bytes"):
        download(REMOTE, tmp_path / "file.zip")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_not_asked_for_twice(site: Loopback, tmp_path: Path, status: int) -> None:
    site.fail(PLACE, Fault(status))
    with pytest.raises(RefusedError, match=rf"file\.zip answers {status} "):
        download(REMOTE, tmp_path / "file.zip")
    assert len(site.asked) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", transport.BUSY)
def test_a_busy_server_is_asked_again_and_in_the_end_named(
    site: Loopback, tmp_path: Path, status: int
) -> None:
    site.fail(PLACE, *[Fault(status)] * (transport.ATTEMPTS - 1))
    download(REMOTE, tmp_path / "file.zip")
    assert len(site.asked) == transport.ATTEMPTS
    site.fail(PLACE, *[Fault(status)] * transport.ATTEMPTS)
    with pytest.raises(CapdecError, match=rf"answers {status} .* again and again"):
        get(URL)


def test_the_wait_that_a_server_asks_for_is_kept(site: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", waits.append)
    site.fail(PLACE, Fault(429, retry_after="7"), Fault(503, retry_after="100000"))
    assert get(URL) == DATA
    assert waits == [7, transport.LONGEST_RETRY_AFTER]


def test_pauses_grow(site: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(transport, "BACKOFF", 16)
    monkeypatch.setattr("capdec_core.downloads.transport.time.sleep", waits.append)
    site.fail(PLACE, *[Fault(cut=0)] * 5)
    download(REMOTE, tmp_path / "file.zip")
    assert waits == [16, 32, 60, 60, 60]


def test_a_small_file_that_is_cut_off_is_fetched_anew(site: Loopback) -> None:
    site.fail(PLACE, Fault(cut=10), Fault(cut=20))
    assert get(URL) == DATA
    site.fail(PLACE, *[Fault(cut=10)] * transport.ATTEMPTS)
    with pytest.raises(CapdecError, match=f"was cut off {transport.ATTEMPTS} times"):
        get(URL)


def test_a_small_file_of_unknown_or_unlikely_size_is_refused(
    site: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.fail(PLACE, Fault(length=False))
    with pytest.raises(RefusedError, match="states no length"):
        get(URL)
    monkeypatch.setattr(transport, "SMALL", len(DATA) - 1)
    with pytest.raises(RefusedError, match="or none of a photograph"):
        get(URL)


def test_without_a_network_the_host_is_named(
    site: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPDEC_MIRROR", "http://127.0.0.1:1")
    with pytest.raises(
        CapdecError, match=r"no answer from 127\.0\.0\.1:1 \(.*refused.*\): is there a network\?"
    ):
        download(REMOTE, tmp_path / "file.zip")
    assert list(tmp_path.iterdir()) == []
    assert not transport.answers(URL)


def test_answers(site: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    assert transport.answers(URL)
    assert transport.answers("https://host.example/nothing")  # the stand-in is there
    site.fail(PLACE, Fault(502))
    assert not transport.answers(URL)
    monkeypatch.delenv("CAPDEC_MIRROR")
    assert transport.answers(f"{site.address}{PLACE}")
    assert not transport.answers(f"{site.address}/nothing")


@pytest.mark.parametrize("mirror", ["ftp://host", "host", "http://", "/folder"])
def test_a_mirror_that_is_no_address(mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPDEC_MIRROR", mirror)
    with pytest.raises(CapdecError, match=f"CAPDEC_MIRROR is {mirror!r}; it must be an address"):
        transport.address(URL)


def test_a_mirror_may_have_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPDEC_MIRROR", "http://near.example:81/data/")
    assert transport.address(URL) == "http://near.example:81/data/host.example/folder/file.zip"
    monkeypatch.setenv("CAPDEC_MIRROR", "")
    assert transport.address(URL) == URL


def test_a_disk_that_fills_up_keeps_what_it_has(site: Loopback, tmp_path: Path) -> None:
    """The system itself refuses to write more: here by a limit of 100,000 bytes a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(CapdecError, match=r"cannot write .*file\.zip: File too large\. .* make room"):
            download(REMOTE, tmp_path / "file.zip")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "file.zip").exists()
    assert partial_of(tmp_path / "file.zip").read_bytes() == DATA[:100_000]
    download(REMOTE, tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == DATA
    assert site.ranges(PLACE)[-1] == "bytes=100000-"


def test_a_kill_leaves_nothing_under_the_final_name(site: Loopback, tmp_path: Path) -> None:
    site.fail(PLACE, Fault(cut=150_000, stall=True))
    program = (
        "import sys; from pathlib import Path; from capdec_core.downloads.transport import Remote, download;"
        "download(Remote(sys.argv[1], int(sys.argv[2]), sys.argv[3]), Path(sys.argv[4]))"
    )
    arguments = [URL, str(REMOTE.size), REMOTE.checksum, str(tmp_path / "file.zip")]
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stderr=subprocess.DEVNULL)
    for _ in range(2000):
        if transport.partial_size(tmp_path / "file.zip") > 100_000:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    assert not (tmp_path / "file.zip").exists()
    kept = partial_of(tmp_path / "file.zip").read_bytes()
    assert len(kept) > 100_000
    assert DATA.startswith(kept)
    download(REMOTE, tmp_path / "file.zip")
    assert site.ranges(PLACE) == ["", f"bytes={len(kept)}-"]
    assert (tmp_path / "file.zip").read_bytes() == DATA
    assert os.listdir(tmp_path) == ["file.zip"]
