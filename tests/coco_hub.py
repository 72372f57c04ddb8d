"""A model hub and COCO's image server in one, on the loopback address: what it serves is a folder's files."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RESOLVE = "/resolve/"


class Handler(SimpleHTTPRequestHandler):
    """Adds to files of the hub what its clients look for: a hash, and the revision that they are of."""

    def end_headers(self) -> None:
        file = Path(self.translate_path(self.path))
        if RESOLVE in self.path and file.is_file():
            self.send_header("ETag", f'"{hashlib.sha256(file.read_bytes()).hexdigest()}"')
            self.send_header("X-Repo-Commit", self.path.partition(RESOLVE)[2].split("/")[0])
        elif RESOLVE in self.path:
            self.send_header("X-Error-Code", "EntryNotFound")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hub(folder: Path) -> Iterator[str]:
    """Serve a folder until the end of the block; give the address."""
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *arguments: Handler(*arguments, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def publish(folder: Path, hub_id: str, revision: str, files: Path) -> None:
    """Put a model's files into a served folder as the hub has them at a revision, with the listing of what there is."""
    listed = []
    for file in sorted(path for path in files.iterdir() if path.is_file()):
        data = file.read_bytes()
        write(folder / hub_id / "resolve" / revision / file.name, data)
        listed.append(
            {"type": "file", "path": file.name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        )
    write(folder / "api" / "models" / hub_id / "tree" / revision, json.dumps(listed).encode())


def put(folder: Path, host: str, files: Mapping[str, bytes]) -> None:
    """Put files into a served folder as a host's, where it stands in for other servers (CAPDEC_MIRROR)."""
    for name, data in files.items():
        write(folder / host / name, data)


def write(path: Path, data: bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
