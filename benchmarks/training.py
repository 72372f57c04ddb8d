"""Training: captions a second, this project's loop against the reference recipe."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

import torch

from benchmarks.data import TrainingData, photo_data
from benchmarks.measure import Side, compare, synchronise
from benchmarks.presets import Preset, paper_presets, reference_model
from benchmarks.reference import ClipCaptionModel
from benchmarks.reference import train as train_reference
from benchmarks.world import World, load_world
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.device import cores
from capdec_core.noise import Gaussian
from capdec_core.training import train

VARIANCE = 0.016
LEARNING_RATE = 2e-5
GPU_BAR = 8.0
WORLD_BAR = 2.0


@dataclass(frozen=True)
class Work:
    """Training to be timed: every caption of `data` once, in batches, after `warm` epochs that are not timed."""

    captioner: Captioner
    data: TrainingData
    batch_size: int
    warm: int
    device: str

    @property
    def captions(self) -> int:
        """Captions in the timed epoch: those that fill batches."""
        return len(self.data.captions) // self.batch_size * self.batch_size

    @property
    def steps(self) -> int:
        """Steps of one epoch."""
        return len(self.data.captions) // self.batch_size

    def ours(self) -> float:
        """Train this project's captioner; return the timed epoch's seconds."""
        total = (self.warm + 1) * self.steps
        budget = Budget(total, self.batch_size, LEARNING_RATE)
        rows, packed, noise = self.data.embeddings, self.data.packed, Gaussian(VARIANCE)
        return self._timed(
            lambda progress: train(
                self.captioner, rows, packed, noise, budget, 0, self.device, progress=progress
            )
        )

    def reference(self, model: ClipCaptionModel) -> float:
        """Train the reference's model; return the timed epoch's seconds."""
        dataset = self.data.dataset(model.prefix_length, self.captioner.config.language_model.eos_id)
        return self._timed(
            lambda progress: train_reference(
                dataset,
                model,
                epochs=self.warm + 1,
                batch_size=self.batch_size,
                learning_rate=LEARNING_RATE,
                warmup_steps=0,
                variance=VARIANCE,
                device=self.device,
                progress=progress,
            )
        )

    def _timed(self, go: Callable[[Callable[..., None]], Any]) -> float:
        """Call `go` with a progress callback that takes the time before and after the timed epoch."""
        first, last = self.warm * self.steps, (self.warm + 1) * self.steps
        marks = [time.perf_counter()] if first == 0 else []

        def progress(done: int, *_: int) -> None:
            if done in (first, last):
                synchronise(self.device)
                marks.append(time.perf_counter())

        go(progress)
        return marks[1] - marks[0]


def against_reference(
    work: Work, name: str, *, pairs: int, warm: int = 0, bar: float | None
) -> dict[str, Any]:
    """Return `measure.compare` of one kind of training, ours and the reference's, from equal weights."""
    model = reference_model(work.captioner)
    return compare(
        name,
        Side("ours", work.captions, work.ours),
        Side("reference recipe", work.captions, lambda: work.reference(model)),
        unit="captions",
        pairs=pairs,
        warm=warm,
        bar=bar,
        device=work.device,
    )


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute on this many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run(device: str, quick: bool) -> dict[str, Any]:
    """Compare training at every size."""
    world = load_world(quick, device)
    comparisons = [world_comparison(world, device, count, quick) for count in thread_counts(device)]
    comparisons += [cores_comparison(world, quick)] if device == "cpu" else []
    presets = paper_presets(quick)
    comparisons += [paper_comparison(preset, device, pairs=1 if quick else 3) for preset in presets]
    return {"comparisons": comparisons, "tables": [lengths_table(world, presets, device)], "notes": NOTES}


def thread_counts(device: str) -> list[int]:
    """Return the numbers of threads at which the default profile's model is timed: a GPU needs no second."""
    return [1] if device.startswith("cuda") else [1, 2]


def world_comparison(world: World, device: str, count: int, quick: bool) -> dict[str, Any]:
    """Compare training of the profile's model on `count` threads: an epoch of fifty batches, after another."""
    work = _world_work(world, device, quick)
    bar = GPU_BAR if device.startswith("cuda") else WORLD_BAR
    plural = "s" if count > 1 else ""
    with threads(count):
        return against_reference(
            work,
            f"Profile {world.profile}, {count} thread{plural}",
            pairs=2 if quick else 11,
            warm=1,
            bar=bar,
        )


def cores_comparison(world: World, quick: bool) -> dict[str, Any]:
    """Compare what the cores do together: the reference's one training on all, ours a training each, as in the book.

    Every run has processes of its own: beside others that idle, or after them, threads of one process that wait for
    one another were seen to take up to twice as long.
    """
    work, count = _world_work(world, "cpu", quick), cores()
    return compare(
        f"Profile {world.profile}, {count} cores: a training a core, against one on all",
        Side("ours", count * work.captions, lambda: _in_processes(count, 1, Work.ours, work)),
        Side("reference recipe", work.captions, lambda: _in_processes(1, count, _reference, work)),
        unit="captions",
        pairs=1 if quick else 11,
        warm=0,
        bar=WORLD_BAR,
    )


def _reference(work: Work) -> float:
    return work.reference(reference_model(work.captioner))


def _in_processes(count: int, each: int, train_once: Callable[[Work], float], work: Work) -> float:
    """Train in `count` fresh processes of `each` threads, which start together; return the slowest's timed seconds."""
    context = multiprocessing.get_context("spawn")
    settings = context.Barrier(count), each
    with ProcessPoolExecutor(count, mp_context=context, initializer=_meet, initargs=settings) as pool:
        return max(pool.map(train_once, [work] * count))


def _meet(barrier: Barrier, count: int) -> None:
    """Compute on `count` threads once every process is there."""
    torch.set_num_threads(count)
    barrier.wait()


def _world_work(world: World, device: str, quick: bool) -> Work:
    """Return an epoch of the profile's captioner, after another that is not timed."""
    return Work(Captioner(world.config), _world_data(world, quick), world.budget.batch_size, 1, device)


def _world_data(world: World, quick: bool) -> TrainingData:
    drawn = torch.randperm(len(world.captions), generator=torch.Generator().manual_seed(0))
    return world.data(drawn[: world.budget.batch_size * (5 if quick else 50)].tolist())


def paper_work(preset: Preset, device: str, batches: int = 1) -> Work:
    """Return what is timed of a paper's captioner: on a CPU `batches` cold, on a GPU 25 after 25."""
    gpu = device.startswith("cuda")
    data = photo_data(preset.batch_size * (25 if gpu else batches), preset.config.mapper.embedding_dim)
    return Work(Captioner(preset.config), data, preset.batch_size, 1 if gpu else 0, device)


def paper_comparison(preset: Preset, device: str, pairs: int) -> dict[str, Any]:
    """Compare training of a paper's captioner: batches that stand for an epoch's lengths, on both sides."""
    work = paper_work(preset, device)
    bar = GPU_BAR if device.startswith("cuda") else preset.bar
    return against_reference(work, f"GPT-2 small, {preset.name}", pairs=pairs, bar=bar)


def lengths_table(world: World, presets: list[Preset], device: str) -> dict[str, Any]:
    """Return a table of how long the captions are that each side reads."""
    works = {f"GPT-2 small, {preset.name}": paper_work(preset, device).data for preset in presets[:1]}
    datas = {f"Profile {world.profile}": _world_data(world, quick=False), **works}
    rows = [
        [name, data.source, data.corpus_mean, data.mean_length, data.maximum] for name, data in datas.items()
    ]
    columns = [
        "Captioner",
        "Captions",
        "Mean tokens, corpus",
        "Mean tokens, timed",
        "Reference pads to (with end)",
    ]
    return {"title": "Lengths of captions", "columns": columns, "rows": rows}


NOTES = [
    "Both sides start from the same weights and train on the same captions and embeddings with the same batch size, "
    f"learning rate ({LEARNING_RATE:g}) and noise (Gaussian, variance {VARIANCE:g} per coordinate); GPT-2 small has "
    "random weights and its own dropout, 0.1. One run visits every caption once. The reference pads each to the whole "
    "corpus's longest.",
    "A training a core is how the book runs on a CPU. There every run, of either side, has fresh processes: beside "
    "others, the reference's threads were seen to take up to twice as long.",
    "GPT-2 small on a CPU: a batch whose captions are evenly spaced in COCO's order by length; both sides make "
    "their optimiser's state anew in each run.",
]
