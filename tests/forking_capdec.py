"""`capdec` without its imports: a process that has imported everything forks for each call; for tests that start many.

`serve` is that process, `ask` a call from another one, which ends as `capdec` ended there. In the folder `faults` of
the results, a file with a cell's name breaks the cell's training in its middle: "kill" kills the process, once,
"fail" raises an error for as long as the file lies there.
"""

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

BREAKS_AT = 3
"""Training steps before a fault."""


def ask(address: str, arguments: list[str]) -> int:
    """Call `capdec` with these arguments here: this folder, this environment, these streams; return its exit code."""
    with socket.socket(socket.AF_UNIX) as calling:
        calling.connect(address)
        socket.send_fds(calling, [b" "], [0, 1, 2])
        order = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
        calling.sendall(json.dumps(order).encode() + b"\n")
        return int(calling.makefile().read())


def serve(address: str) -> None:
    """Answer calls until killed."""
    from capdec_core.workflow import program  # noqa: F401 - all that the commands of a workflow's jobs import

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        while True:
            called, _ = listening.accept()
            if not os.fork():
                _answer(called)
            called.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _answer(called: socket.socket) -> None:
    _, streams, _, _ = socket.recv_fds(called, 1, 3)
    order = json.loads(called.makefile().readline())
    worker = os.fork()
    if not worker:
        _work(order, streams)
    code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    called.sendall(str(code if code >= 0 else 128 - code).encode())
    os._exit(0)


def _work(order: dict[str, Any], streams: list[int]) -> None:
    code: Any = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        code = _capdec(order["arguments"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _capdec(arguments: list[str]) -> int:
    from capdec_core import cli, paths, worker

    importlib.reload(paths)  # the results of this call's environment
    worker.train = _breaking(worker.train, paths.RESULTS / "faults")  # type: ignore[assignment]
    sys.argv = ["capdec", *arguments]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _breaking(train: Any, faults: Path) -> Any:
    """Return `train`, which breaks where the folder says so; the cell is told by its checkpoint's folder."""

    def broken(*arguments: Any, **options: Any) -> Any:
        (checkpoint,) = (argument for argument in arguments if isinstance(argument, Path))
        fault = faults / checkpoint.parent.name.split(".")[1]

        def reach(step: int, _: Any) -> None:
            if step == BREAKS_AT and fault.is_file():
                if fault.read_text() == "fail":
                    raise RuntimeError("broken in the middle")
                fault.unlink()
                os.kill(os.getpid(), signal.SIGKILL)

        return train(*arguments, **options, progress=reach)

    return broken


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    sys.exit(ask(sys.argv[2], sys.argv[3:]))
