"""How fast a machine trains and decodes: by a short timing of a profile's own captioners."""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional as F

from capdec_core.batches import PackedCaptions
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.cell import CellConfig
from capdec_core.decoding import beam_candidates
from capdec_core.errors import CapdecError
from capdec_core.noise import Gaussian
from capdec_core.planning.operations import decoding_flops, training_flops
from capdec_core.planning.work import CAPTION, LONGEST, Work, common, costliest, shape_of
from capdec_core.training import train
from capdec_core.worker import machine

WARM, BLOCKS, MOST = 2, 5, 60
"""Steps before the timing; blocks of steps that are timed, and the most steps of them all."""
ENOUGH = 0.8
"""Seconds that the timed steps of a captioner should take."""
CAUTION = 4e10
"""Operations of a step, or a decoding, that a CPU is given at most: about a second of one core."""
IMAGES = 128
"""Images that a GPU decodes at once."""
VARIANCE = 0.016


@dataclass(frozen=True)
class Speed:
    """What a machine does, one training at a time.

    Attributes:
        machine: its name, or what is assumed in words.
        points: operations of an optimiser step and its seconds, both rising; in between and beyond, steps take what
            lies on the straight lines through the points.
        decoding: operations a second in decoding.
        steps: how many steps were timed; 0 where the speed is an assumption.
        captions: captions a second in training the profile's most common captioner: least, median and most of the
            blocks that were timed.
    """

    machine: str
    points: list[list[float]]
    decoding: float
    steps: int = 0
    captions: list[float] | None = None

    def seconds(self, work: Work) -> float:
        """Return how long some work takes."""
        each = self.step(work.training / work.steps) if work.steps else 0.0
        return work.steps * each + work.decoding / self.decoding

    def step(self, operations: float) -> float:
        """Return the seconds of an optimiser step of so many operations."""
        (x0, y0), (x1, y1) = self.points[-2:]
        if operations > x1:
            return y1 + (operations - x1) * (y1 - y0) / (x1 - x0)
        operations_of, seconds_of = np.array(self.points).T
        return float(np.interp(operations, operations_of, seconds_of))


@dataclass(frozen=True)
class Timing:
    """Seconds a step of each block, and the operations and captions of a step."""

    blocks: list[float]
    operations: float
    captions: int
    steps: int

    @property
    def median(self) -> float:
        """Median seconds a step."""
        return statistics.median(self.blocks)


def measure(cells: Sequence[CellConfig], device: str) -> Speed:
    """Time a few training steps of the cells' most common captioner and of the costliest, and a decoding.

    Captions are random tokens, weights random numbers. On a CPU one thread works, as in a cell's process, and a step
    is made smaller where the cells' own would take long.
    """
    first, last = common(cells), costliest(cells)
    with _one_thread(device):
        own = other = _timed(first, device)
        with suppress(CapdecError):  # the common one fits, so there is a timing
            other = _timed(last, device)
        decoding = _decoding_speed(shape_of(first), first.decoding, device)
    captions = [own.captions / seconds for seconds in (max(own.blocks), own.median, min(own.blocks))]
    return Speed(machine(device)["device"], points(own, other), decoding, own.steps + other.steps, captions)


def _timed(cell: CellConfig, device: str) -> Timing:
    """Time a cell's steps; CapdecError where they do not fit a GPU's memory."""
    try:
        return time_steps(shape_of(cell), cell.training["batch_size"], device)
    except torch.cuda.OutOfMemoryError:
        raise CapdecError(
            f"{machine(device)['device']} has too little memory for a training of batches of "
            f"{cell.training['batch_size']}: take another scale (PROFILE=…) or another device (DEVICE=…)"
        ) from None


def points(own: Timing, other: Timing) -> list[list[float]]:
    """Return the points of a `Speed` that go through two timings, if a costlier step took longer, or through the first.

    They begin at no operations, with the seconds that the line through both has there: what a step takes beside its
    operations. Where that would be less than nothing they begin at 0.
    """
    first = [own.operations, own.median]
    if other.operations <= own.operations or other.median <= own.median:
        return [[0.0, 0.0], first]
    slope = (other.median - own.median) / (other.operations - own.operations)
    return [[0.0, max(0.0, own.median - slope * own.operations)], first, [other.operations, other.median]]


def time_steps(shape: CaptionerConfig, batch_size: int, device: str) -> Timing:
    """Time training steps of a captioner with random weights on random captions, in blocks."""
    operations = training_flops(shape, [CAPTION])
    if device == "cpu":
        batch_size = max(1, min(batch_size, int(CAUTION / operations)))
    blocks, count = _seconds_of_steps(shape, batch_size, device, 1), 1
    if sum(blocks) < ENOUGH:
        count = min(MOST // BLOCKS, max(1, int(ENOUGH / sum(blocks))))
        blocks = _seconds_of_steps(shape, batch_size, device, count)
    return Timing(blocks, batch_size * operations, batch_size, BLOCKS * count)


def _seconds_of_steps(shape: CaptionerConfig, batch_size: int, device: str, count: int) -> list[float]:
    """Return the seconds a step of each block of `count` steps, after steps that warm up."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(CAPTION - 4, CAPTION + 5, (4 * batch_size,), generator=generator)
    captions = [[7] * length for length in lengths.tolist()]
    rows = _rows(len(captions), shape.mapper.embedding_dim)
    marks: list[float] = []

    def mark(done: int, _: int) -> None:
        if done >= WARM and (done - WARM) % count == 0:
            marks.append(_now(device))

    budget = Budget(WARM + BLOCKS * count, batch_size, 1e-5)
    captioner = Captioner(shape)
    train(
        captioner, rows, PackedCaptions.pack(captions), Gaussian(VARIANCE), budget, 0, device, progress=mark
    )
    return [(after - before) / count for before, after in pairwise(marks)]


def _decoding_speed(shape: CaptionerConfig, decoding: dict, device: str) -> float:
    """Return operations a second of beam search with random weights, which rarely ends a caption early."""
    tokens = min(LONGEST, decoding["max_tokens"])
    each = decoding_flops(shape, decoding["beams"], tokens)
    images = max(1, min(IMAGES, int(CAUTION / each))) if device == "cpu" else IMAGES
    captioner, rows = Captioner(shape).to(device), _rows(images, shape.mapper.embedding_dim)
    settings = {"eos_id": shape.language_model.eos_id, "beams": decoding["beams"], "max_tokens": tokens}
    beam_candidates(captioner, rows[:2], **settings)
    started = _now(device)
    beam_candidates(captioner, rows, **settings)
    return images * each / (_now(device) - started)


def _rows(count: int, dim: int) -> torch.Tensor:
    return F.normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(0)), dim=1)


@contextmanager
def _one_thread(device: str) -> Iterator[None]:
    """Compute on one thread where the device is the CPU; leave nothing in a GPU's memory."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if device == "cpu" else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if device != "cpu":
            torch.cuda.empty_cache()


def _now(device: str) -> float:
    """Return a clock's seconds: of a GPU once it has finished; of the CPU those that this process computed.

    What else a CPU does at the moment is none of a plan's business.
    """
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()
