"""Two ways to do the same work, timed in turn: ratios, their spread, and the machine they were measured on."""

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from capdec_core import __version__
from capdec_core.cell import code_fingerprint
from capdec_core.device import cores

VERSIONED = ("torch", "transformers", "tokenizers", "numpy", "scipy", "pycocoevalcap")
CPU_FILE = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Side:
    """One way to do the work: its name, how much of the work (in units) one run does, and the run.

    `run` may return the seconds that it timed itself; None means that it is timed from outside.
    """

    name: str
    work: float
    run: Callable[[], float | None]

    def __post_init__(self) -> None:
        if self.work <= 0:
            raise ValueError(f"the work of {self.name!r} must be positive, not {self.work}")


def compare(
    name: str,
    ours: Side,
    reference: Side,
    *,
    unit: str,
    pairs: int,
    warm: int = 1,
    bar: float | None = None,
    at_most: bool = False,
    device: str = "cpu",
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Run reference, ours, reference, ours, ... and return both sides' times and the pairs' ratios.

    A pair's ratio is our `unit`s a second over the reference's: above 1, ours is faster. `warm` pairs come
    first and are not recorded. `bar` is the ratio that the median must reach; with `at_most` it is the most
    that ours may cost, seconds a unit over the reference's (the inverse of the ratio).

    Returns {"name", "unit", "ours" and "reference": {"name", "work", "seconds", "rate" (median, units a
    second)}, "ratios", "ratio": `spread` of them, "bar", "at_most", "met"}. Raises ValueError for `pairs` < 1.
    """
    if pairs < 1:
        raise ValueError(f"pairs must be at least 1, not {pairs}")
    sides = (reference, ours)
    for _ in range(warm):
        for side in sides:
            seconds(side, device, clock)
    times = np.array([[seconds(side, device, clock) for side in sides] for _ in range(pairs)])
    rates = np.array([side.work for side in sides]) / times
    ratio = spread(rates[:, 1] / rates[:, 0])
    return {
        "name": name,
        "unit": unit,
        "reference": _side(reference, times[:, 0], rates[:, 0]),
        "ours": _side(ours, times[:, 1], rates[:, 1]),
        "ratios": (rates[:, 1] / rates[:, 0]).tolist(),
        "ratio": ratio,
        "bar": bar,
        "at_most": at_most,
        "met": None if bar is None else _met(ratio["median"], bar, at_most),
    }


def seconds(side: Side, device: str, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how long one run of a side takes, work left on a GPU included; ValueError if it takes no time."""
    synchronise(device)
    began = clock()
    timed = side.run()
    synchronise(device)
    taken = clock() - began if timed is None else timed
    if taken <= 0:
        raise ValueError(f"{side.name!r} took {taken} seconds: there is nothing to compare")
    return taken


def spread(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Return median, quartiles (linear between order statistics), least and greatest of the values."""
    names = ("min", "q1", "median", "q3", "max")
    return dict(zip(names, np.percentile(values, (0, 25, 50, 75, 100)).tolist(), strict=True))


def _met(ratio: float, bar: float, at_most: bool) -> bool:
    return bool(1 / ratio <= bar) if at_most else bool(ratio >= bar)


def _side(side: Side, times: np.ndarray, rates: np.ndarray) -> dict[str, Any]:
    return {
        "name": side.name,
        "work": side.work,
        "seconds": times.tolist(),
        "rate": float(np.median(rates)),
    }


def synchronise(device: str) -> None:
    """Wait until a CUDA device has done what it was given; a CPU is never behind."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def machine(device: str) -> dict[str, Any]:
    """Return what a number depends on beside the code: processor, threads, GPU, versions, and the code's hash."""
    found = {
        "cpu": _cpu_name(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "cpu capability": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in VERSIONED},
        "code": f"capdec_core {__version__}, {code_fingerprint()}",
        "device": device,
    }
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name(device)
        found["cuda"] = torch.version.cuda
    return found


def _cpu_name() -> str:
    """Return the processor's name as Linux gives it, else what the interpreter knows."""
    if CPU_FILE.is_file():
        for line in CPU_FILE.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
