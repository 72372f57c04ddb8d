"""Training at paper scale: captions a second, the share of a GPU's peak, memory, and the hours of a whole training.

`python -m benchmarks paper --device cuda` needs no data and no weights: captions are of real lengths where COCO's are
at hand, tokens and weights are made up. The batch grows from the published one to the largest that the GPU holds.
"""

import gc
from typing import Any

import torch

from benchmarks.data import photo_data
from benchmarks.presets import Preset, paper_presets
from benchmarks.training import Work
from capdec_core.captioner import Captioner
from capdec_core.planning.operations import peak_flops, training_flops
from capdec_core.profiles import load_profile
from capdec_core.training import peak_memory

CAPTIONS, EPOCHS = 566_747, 10
"""Training captions of COCO in Karpathy's splits, and how often CapDec and ClipCap see each."""
MOST_CAPTIONS, LEAST_STEPS = 10_000, 2
MOST_STEPS = {"cuda": 100, "cpu": 10}
"""What the timed epoch has at most, so that the whole part takes minutes."""
GROWTH = 8
"""From the published batch to the one by whose memory the largest is foretold."""
SPARE = 0.95
"""Share of the memory that the largest batch is tried with first; each further try has this share of the last."""
COLUMNS = [
    "Batch",
    "Captions/s",
    "Tflop/s",
    "% of bf16 peak",
    "Peak memory, GiB",
    f"Hours for {EPOCHS} epochs of {CAPTIONS:,} captions",
]
NOTES = [
    "Each row is one epoch after another that is not timed, by `capdec_core.training.train`, with the published "
    "optimiser and noise and GPT-2's own dropout, 0.1.",
    "Operations are useful ones by formula (`capdec_core.planning.operations`); the peak is the data sheet's for dense "
    "bfloat16. Peak memory is what tensors took.",
    "Asked for: 10 epochs within a quarter of an hour on one H100. ClipCap reports 6 to 7 hours for its own training "
    "on a GTX 1080.",
]


def run(device: str, quick: bool) -> dict[str, Any]:
    """Time CapDec as published at growing batches; on a CPU, whose memory is not the limit, at the published one."""
    preset = paper_presets(quick)[0]
    published = preset.batch_size if quick else load_profile("coco").training.batch_size
    sizes = [published, GROWTH * published]
    gpu = device.startswith("cuda")
    most = LEAST_STEPS if quick else MOST_STEPS["cuda" if gpu else "cpu"]
    found = [timing(preset, size, device, most) for size in sizes[: 1 + gpu]]
    if gpu:
        found.append(largest(preset, device, {row["batch"]: row["memory"] for row in found}))
    return {"tables": [_table(preset.name, device, found)], "notes": NOTES}


def timing(preset: Preset, batch_size: int, device: str, most: int) -> dict[str, Any]:
    """Return what an epoch at one batch size did: captions and operations a second, peak memory (bytes)."""
    steps = max(LEAST_STEPS, min(most, MOST_CAPTIONS // batch_size))
    data = photo_data(batch_size * steps, preset.config.mapper.embedding_dim)
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    work = Work(Captioner(preset.config), data, batch_size, 1, device)
    seconds = work.ours()
    return {
        "batch": batch_size,
        "speed": work.captions / seconds,
        "operations": training_flops(preset.config, map(len, data.captions)) / seconds,
        "memory": peak_memory(device),
    }


def largest(preset: Preset, device: str, peaks: dict[int, int]) -> dict[str, Any]:
    """Return the timing of the largest batch that the GPU holds, foretold from the peak memory of smaller ones."""
    batch_size = foretold(peaks, int(SPARE * torch.cuda.get_device_properties(device).total_memory))
    while True:
        _let_go()
        try:
            return timing(preset, batch_size, device, MOST_STEPS["cuda"])
        except torch.cuda.OutOfMemoryError:
            batch_size = int(SPARE * batch_size)


def foretold(peaks: dict[int, int], memory: int) -> int:
    """Return the batch size at which `memory` (bytes) is full: peak memory grows on a line through two batch sizes."""
    (small, low), (big, high) = sorted(peaks.items())
    return max(big, int(small + (memory - low) * (big - small) / (high - low)))


def _let_go() -> None:
    """Give back the memory of what was trained before."""
    gc.collect()
    torch.cuda.empty_cache()


def _table(name: str, device: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else None
    peak = peak_flops(gpu) if gpu else None
    rows = [
        [
            row["batch"],
            row["speed"],
            row["operations"] / 1e12,
            None if peak is None else 100 * row["operations"] / peak,
            row["memory"] / 2**30,
            EPOCHS * CAPTIONS / row["speed"] / 3600,
        ]
        for row in found
    ]
    return {"title": f"{name}, on {gpu or 'a CPU'}", "columns": COLUMNS, "rows": rows}
