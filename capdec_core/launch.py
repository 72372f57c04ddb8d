"""One cell on several devices: a process on each, started and watched by accelerate.

The processes are forks of a fresh one: a process that has used a GPU cannot be forked, and accelerate forks.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from accelerate import Accelerator, notebook_launcher
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from capdec_core.cell import CellConfig
from capdec_core.errors import CapdecError
from capdec_core.store import CellStore

if TYPE_CHECKING:
    from capdec_core.material import Material

ANY_PORT = {"rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0"}
PATIENCE = 3
"""Seconds between a process's failure and its end."""


def run_together(cell: CellConfig, material: "Material", store: CellStore, devices: Sequence[str]) -> None:
    """Compute a cell into the store on several devices ("cuda:0", "cuda:1"), unless it is there.

    Each step's batch is split over the devices (`capdec_core.distributed`). A cell that was cut off goes on from its
    last checkpoint, on these devices or on others. Raises CapdecError as `launch` does.
    """
    from capdec_core.worker import run_part  # imports all that trains, which `launch` does not need

    if not store.has(cell):
        with store.writing(cell) as folder:
            launch(run_part, (cell, material, folder), devices)


def launch(function: Callable[..., None], arguments: tuple[Any, ...], devices: Sequence[str]) -> None:
    """Call function(*arguments, accelerator) in a process on each of the devices, and wait for all of them.

    Raises CapdecError where one of the processes fails: the others are stopped.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(_fork, function, arguments, devices).result()


def _fork(function: Callable[..., None], arguments: tuple[Any, ...], devices: Sequence[str]) -> None:
    """Do the work of `launch` in a process whose libraries have not touched a GPU."""
    cpu = devices[0] == "cpu"
    if not cpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible(devices, os.environ.get("CUDA_VISIBLE_DEVICES"))
    with TemporaryDirectory() as folder:
        told = Path(folder) / "first failure"
        try:
            notebook_launcher(_part, (function, arguments, cpu, told), len(devices), **ANY_PORT)
        except ChildFailedError as error:
            _, failure = error.get_first_failure()
            killed = failure.exitcode < 0 or not told.exists()
            raise CapdecError(
                f"one of the processes on {', '.join(devices)} failed, so all were stopped: "
                + (failure.message if killed else told.read_text())
            ) from None


def _part(function: Callable[..., None], arguments: tuple[Any, ...], cpu: bool, told: Path) -> None:
    """Call the function; of several processes that fail, the first one tells why, the others fail for its loss.

    Before it ends, a process that fails gives accelerate the time to see one that was killed and can tell nothing.
    """
    try:
        function(
            *arguments, Accelerator(cpu=cpu, mixed_precision="no")
        )  # training decides on precision itself
    except Exception as error:
        with suppress(FileExistsError), told.open("x") as file:
            file.write(f"{type(error).__name__}: {error}")
        time.sleep(PATIENCE)
        raise


def visible(devices: Sequence[str], already: str | None) -> str:
    """Return the CUDA_VISIBLE_DEVICES that shows these devices alone, numbered among those `already` shown."""
    numbers = [int(device.partition(":")[2]) for device in devices]
    names = already.split(",") if already else [str(number) for number in range(max(numbers) + 1)]
    return ",".join(names[number] for number in numbers)
