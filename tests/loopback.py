"""A server on the loopback address that gives files, remembers what it was asked, and fails as it is told."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Fault(NamedTuple):
    """How one answer goes wrong: another status, a cut after some bytes of the body, a stall there, no ranges."""

    status: int = 200
    retry_after: str = ""
    cut: int | None = None
    stall: bool = False
    ranges: bool = True
    length: bool = True


class Request(NamedTuple):
    """One request, as the server saw it."""

    path: str
    headers: dict[str, str]


class Loopback:
    """`files` by path; `faults` are used up one an answer, for a path; `asked` lists the requests.

    Each answer comes after `delay` seconds.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, deque[Fault]] = {}
        self.asked: list[Request] = []
        self.at_once = self.most_at_once = 0
        self.delay = 0.0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.address = ""

    def fail(self, path: str, *faults: Fault) -> None:
        """Let the next answers for a path go wrong."""
        self.faults.setdefault(path, deque()).extend(faults)

    def ranges(self, path: str) -> list[str]:
        """Return the Range headers of the requests for a path, "" where there was none."""
        return [request.headers.get("Range", "") for request in self.asked if request.path == path]

    def next_fault(self, path: str) -> Fault:
        """Return what is wrong with the next answer for a path."""
        waiting = self.faults.get(path)
        return waiting.popleft() if waiting else Fault()


@contextmanager
def serving() -> Iterator[Loopback]:
    """Give a server that answers until the end of the block."""
    site = Loopback()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with site.lock:
                site.asked.append(Request(self.path, dict(self.headers)))
                site.at_once += 1
                site.most_at_once = max(site.most_at_once, site.at_once)
                fault = site.next_fault(self.path)
            site.over.wait(site.delay)
            try:
                _answer(self, site, fault)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with site.lock:
                    site.at_once -= 1

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        site.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(handler: BaseHTTPRequestHandler, site: Loopback, fault: Fault) -> None:
    data = site.files.get(handler.path)
    status = fault.status if fault.status != 200 else 200 if data is not None else 404
    if status != 200 or data is None:
        handler.send_response(status)
        if fault.retry_after:
            handler.send_header("Retry-After", fault.retry_after)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    first = _first(handler.headers.get("Range", "")) if fault.ranges else 0
    handler.send_response(206 if first else 200)
    if first:
        handler.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
    if fault.length:
        handler.send_header("Content-Length", str(len(data) - first))
    else:
        handler.send_header("Connection", "close")
        handler.close_connection = True
    handler.end_headers()
    end = len(data) if fault.cut is None else min(first + fault.cut, len(data))
    handler.wfile.write(data[first:end])
    if fault.stall:
        site.over.wait(20)
    if fault.cut is not None:
        handler.close_connection = True


def _first(header: str) -> int:
    return int(header.removeprefix("bytes=").partition("-")[0] or 0) if header else 0
