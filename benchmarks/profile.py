"""Where the time goes: a training step's operations by kind and by phase, on both sides."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity

from benchmarks.presets import paper_presets, reference_model
from benchmarks.training import Work, paper_work
from benchmarks.world import load_world
from capdec_core.captioner import Captioner

KINDS: dict[str, tuple[str, ...]] = {
    "matrix products": ("::mm", "::addmm", "::bmm", "::baddbmm", "mkldnn_linear", "::linear"),
    "attention": ("scaled_dot_product", "_flash_attention", "_efficient_attention"),
    "softmax and cross entropy": ("softmax", "nll_loss", "cross_entropy"),
    "layer norm": ("layer_norm",),
    "dropout": ("dropout", "bernoulli"),
    "activation": ("gelu", "::tanh", "relu", "threshold", "::pow"),
    "indexing": ("embedding", "index", "gather", "scatter", "::where"),
    "memory": (
        "copy_",
        "::cat",
        "clone",
        "fill_",
        "zero",
        "empty",
        "slice_backward",
        "select_backward",
        "::to",
    ),
}
"""What an operation's name must hold, tried in this order; the rest is element-wise or bookkeeping."""

ELEMENTWISE = (
    "::add",
    "::mul",
    "::div",
    "::sub",
    "::sum",
    "::mean",
    "::neg",
    "::sqrt",
    "::addcmul",
    "::addcdiv",
)
OPTIMISER, BACKWARD, FORWARD = "optimiser", "backward", "forward and data"


def run(device: str, quick: bool) -> dict[str, Any]:
    """Profile a few batches on both sides at every size: of GPT-2 small on a CPU one."""
    world = load_world(quick, device)
    batch_size = world.budget.batch_size
    data = world.data(list(range(batch_size * (3 if quick else 40))))
    works = {f"Profile {world.profile}": Work(Captioner(world.config), data, batch_size, 0, device)}
    works |= {f"GPT-2 small, {preset.name}": paper_work(preset, device, 1) for preset in paper_presets(quick)}
    return {
        "tables": [table for name, work in works.items() for table in breakdown(name, work)],
        "notes": [
            "Time of an operation without the operations it calls: on a CPU its processor time, on a GPU its "
            "kernels'. The two sides train on the same captions, so our shares are also given in percent of the "
            "reference's whole time: the sum is what we take of it."
        ],
    }


def breakdown(name: str, work: Work) -> list[dict[str, Any]]:
    """Return tables of the time by kind of operation and by phase."""
    model = reference_model(work.captioner)
    reference = profiled(lambda: work.reference(model), work.device)
    ours = profiled(work.ours, work.device)
    return [
        _table(f"{name}: by kind of operation", reference[0], ours[0]),
        _table(f"{name}: by phase", reference[1], ours[1]),
    ]


def profiled(go: Callable[[], Any], device: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return microseconds by kind and by phase of what `go` does."""
    gpu = device.startswith("cuda")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with torch.profiler.profile(activities=activities) as profiler:
        go()
    return by_kind_and_phase(profiler.events() or [], gpu)


def by_kind_and_phase(
    events: Iterable[FunctionEvent], gpu: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """Return microseconds of all operations by `kind` and by phase (backward, optimiser, the rest)."""
    kinds: dict[str, float] = defaultdict(float)
    phases: dict[str, float] = defaultdict(float)
    for event in events:
        if event.device_type != DeviceType.CPU:
            continue  # kernels are counted with the operation that launched them
        taken = event.self_device_time_total if gpu else event.self_cpu_time_total
        found = phase(event)
        phases[found] += taken
        kinds[OPTIMISER if found == OPTIMISER else kind(event.name)] += taken
    return dict(kinds), dict(phases)


def kind(name: str) -> str:
    """Return what kind of operation this name is."""
    for found, parts in KINDS.items():
        if any(part in name for part in parts):
            return found
    return "element-wise" if any(part in name for part in ELEMENTWISE) else "other"


def phase(event: FunctionEvent) -> str:
    """Return whether an operation belongs to the optimiser's step, the backward pass, or neither."""
    above: FunctionEvent | None = event
    while above is not None:
        if above.name.startswith("Optimizer."):
            return OPTIMISER
        if above.name.startswith("autograd::engine"):
            return BACKWARD
        above = above.cpu_parent
    return FORWARD


def _table(title: str, reference: dict[str, float], ours: dict[str, float]) -> dict[str, Any]:
    total, own = sum(reference.values()), sum(ours.values())
    names = sorted({*reference, *ours}, key=lambda name: -reference.get(name, 0))
    rows: list[list[Any]] = [
        [
            name,
            100 * reference.get(name, 0) / total,
            100 * ours.get(name, 0) / total,
            100 * ours.get(name, 0) / own,
        ]
        for name in names
    ]
    columns = ["", "Reference, %", "Ours, % of the reference", "Ours, % of its own"]
    return {"title": title, "columns": columns, "rows": [*rows, ["all", 100.0, 100 * own / total, 100.0]]}
