"""A curve: one piece of work at growing sizes, its time and the memory that it takes beyond its input."""

import ctypes
import gc
import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import torch

from benchmarks.growth_fit import Theory
from benchmarks.measure import synchronise
from capdec_core.errors import CapdecError
from capdec_core.programs import cores
from capdec_core.training import resident_peak

Work = Callable[[], object]
Prepare = Callable[[int, str], Work]
Samples = dict[int, list[float]]
"""Size to what its repeats cost."""

REPEATS, LEAST_REPEATS, CURVE_SECONDS = 7, 3, 4.0
"""A curve's sizes are timed in turn so often, or until this much time is spent but never less often than the second."""
SHORTEST, SLOW = 0.005, 0.5
"""Work that takes fewer seconds than the first is done several times a repeat; from the second on, nothing is gained
by a run that only warms up."""
MEMORY_REPEATS = 2
MIB = 2**20
RESOLUTION = 1.0
"""MiB: what is smaller drowns in what allocators round up to, and counts as this much."""
PRELOADED = ("open_clip", "benchmarks.growth")
CLEAR = Path("/proc/self/clear_refs")
FORGET_PEAK = "5"  # written to `CLEAR`: the kernel starts its record of the most resident memory anew


@dataclass(frozen=True)
class Curve:
    """One piece of the project's work, to be done at several sizes.

    Attributes:
        group: what grows, as figures colour it.
        name: what is done.
        size: what a size counts, with its unit.
        sizes: in rising order, in equal ratios.
        prepare: makes the work of one size on a device; not measured. Importable by name.
        time, memory: what theory says of either.
        on_device: whether the work's tensors are on the device, and its memory too.
        elsewhere: whether much of the work is another program's, whose memory cannot be told from here.
    """

    group: str
    name: str
    size: str
    sizes: tuple[int, ...]
    prepare: Prepare
    time: Theory
    memory: Theory
    on_device: bool = False
    elsewhere: bool = False

    @property
    def key(self) -> str:
        """A name that no other curve has: "Beam search: images"."""
        return f"{self.name}: {self.size}"


def growing(
    group: str,
    name: str,
    size: str,
    sizes: tuple[int, ...],
    prepare: Prepare,
    theory: Theory,
    memory: Theory | None = None,
    **where: bool,
) -> Curve:
    """Return a curve; without a theory of its own, memory is bounded as time is, and may stay as it is."""
    return Curve(group, name, size, sizes, prepare, theory, memory or theory.bound, **where)


def doubled(first: int, count: int) -> tuple[int, ...]:
    """Return `count` sizes from `first` on, each twice the one before."""
    return tuple(first * 2**power for power in range(count))


def timed(curve: Curve, device: str, repeats: int = REPEATS) -> Samples:
    """Return seconds a run, the sizes taken in turn so that a slower minute slows all of them."""
    gc.collect()
    began = time.perf_counter()
    works = {size: curve.prepare(size, device) for size in curve.sizes}
    first = {size: _seconds(work, 1, device) for size, work in works.items()}
    found: Samples = {size: [seconds] if seconds >= SLOW else [] for size, seconds in first.items()}
    while (least := min(map(len, found.values()))) < repeats:
        if least >= LEAST_REPEATS and time.perf_counter() - began > CURVE_SECONDS:
            break
        for size, work in works.items():
            found[size].append(_seconds(work, math.ceil(SHORTEST / first[size]), device))
    return found


def _seconds(work: Work, calls: int, device: str) -> float:
    synchronise(device)
    began = time.perf_counter()
    for _ in range(calls):
        work()
    synchronise(device)
    return (time.perf_counter() - began) / calls


def peaks(curves: Sequence[Curve], device: str, repeats: int = MEMORY_REPEATS) -> dict[str, Samples]:
    """Return, by curve, the MiB that one run takes beyond what was prepared, at its peak; at least `RESOLUTION`.

    On a CPU each is the resident memory of a fresh process (not of a Java that it starts): what tracers of
    Python, NumPy or PyTorch miss of each other is in it. Tensors on CUDA are counted by PyTorch's allocator.
    """
    found: dict[str, Samples] = {curve.key: {size: [] for size in curve.sizes} for curve in curves}
    wanted = [(curve, size) for curve in curves for size in curve.sizes for _ in range(repeats)]
    on_host = []
    for curve, size in wanted:
        if curve.on_device and device != "cpu":
            found[curve.key][size].append(_cuda_peak(curve, size, device))
        else:
            on_host.append((curve, size))
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(PRELOADED))
    with ThreadPoolExecutor(cores()) as beside:
        for (curve, size), peak in zip(on_host, beside.map(_in_process, on_host), strict=True):
            found[curve.key][size].append(peak)
    return found


def _cuda_peak(curve: Curve, size: int, device: str) -> float:
    curve.prepare(curve.sizes[0], device)()
    work = curve.prepare(size, device)
    gc.collect()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    return max((torch.cuda.max_memory_allocated(device) - before) / MIB, RESOLUTION)


def _in_process(wanted: tuple[Curve, int]) -> float:
    curve, size = wanted
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_tell_peak, args=(sender, curve, size))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        raise CapdecError(f"{curve.key}, {size}: its process ended without an answer") from None
    finally:
        process.join()


def _tell_peak(sender: Connection, curve: Curve, size: int) -> None:
    torch.set_num_threads(1)
    sender.send(peak_of(curve, size))


def peak_of(curve: Curve, size: int) -> float:
    """Return the most resident MiB of this process during one run, beyond those before it; at least `RESOLUTION`.

    The smallest size is run before, so that what is loaded on first use does not count. What Python holds free
    for objects, some MiB, is used first and is not seen: sizes must be such that they take more.
    """
    curve.prepare(curve.sizes[0], "cpu")()
    work = curve.prepare(size, "cpu")
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # free memory that the process still holds would hide what the run takes
    CLEAR.write_text(FORGET_PEAK)
    before = psutil.Process().memory_info().rss
    work()
    return max((resident_peak() - before) / 2**20, RESOLUTION)
