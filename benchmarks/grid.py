"""Many small runs: a process a core with one run at a time, against runs stacked side by side in one program.

`capdec_core.programs` picks by what this part measures. Beside it: the memory that `capdec_core.memory` predicts
against what a training was seen to take.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks.measure import Side, compare
from capdec_core.batches import PackedCaptions
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.device import cores
from capdec_core.language_model import LanguageModelConfig
from capdec_core.mapper import MapperConfig
from capdec_core.memory import training_memory
from capdec_core.noise import Gaussian
from capdec_core.profiles import load_profile
from capdec_core.side_by_side import Run, train_side_by_side
from capdec_core.training import resident_peak, train

DIM, VOCABULARY, LONGEST = 512, 440, 15
BATCH = load_profile("scenes").training.batch_size
SIZES = {
    "default profile's model": (64, 1, True),
    "its language model frozen": (64, 1, False),
    "width 256, 4 layers": (256, 4, True),
}
"""Width, layers of the language model, and whether it is tuned."""

WAYS = {"alone": "one run at a time", "stacked": "runs stacked"}


def run(device: str, quick: bool) -> dict[str, Any]:
    """Compare the two ways at several sizes; see the protocol in `benchmarks.__main__`."""
    runs, steps, pairs = (2, 2, 1) if quick else (8, 40, 5)
    sizes = dict(list(SIZES.items())[: 1 if quick else None])
    if device == "cpu":
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=cores(), mp_context=context) as pool:
            found = [_compared(size, max(1, runs // cores()), steps, pairs, device, pool) for size in sizes]
    else:
        found = [_compared(size, runs, steps, pairs, device, None) for size in sizes]
    return {
        "comparisons": found,
        "tables": [_memory_table(sizes, quick)] if device == "cpu" else [],
        "notes": [
            f"{runs} runs of {steps} steps of {BATCH} captions each way; Gaussian noise, transformer mapper, prefix 4. "
            "On a CPU both ways use every core: processes with one thread each, which train their runs one by one "
            "or stacked. On a GPU one process trains them one by one or stacked.",
        ],
    }


def _compared(
    size: str, runs: int, steps: int, pairs: int, device: str, pool: ProcessPoolExecutor | None
) -> dict[str, Any]:
    """Compare the way that the runner picks on this device with the other; each process has `runs` runs."""
    count = 1 if pool is None else cores()

    def side(way: str) -> Side:
        def work() -> None:
            if pool is None:
                _work(way, size, runs, steps, device)
            else:
                for done in [pool.submit(_work, way, size, runs, steps, device) for _ in range(count)]:
                    done.result()

        return Side(WAYS[way], count * runs * steps * BATCH, work)

    picked, other = ("stacked", "alone") if pool is None else ("alone", "stacked")
    name = f"grid of small runs: {size}"
    return compare(name, side(picked), side(other), unit="captions", pairs=pairs, device=device)


def _work(way: str, size: str, runs: int, steps: int, device: str) -> None:
    """Train `runs` captioners of one size for `steps` steps, alone one after another or stacked."""
    if device == "cpu":
        torch.set_num_threads(1)
    captions, rows = _data()
    budget = Budget(steps, BATCH, 1e-3)
    captioners = [Captioner(shape(*SIZES[size]), seed=0) for _ in range(runs)]
    if way == "stacked":
        train_side_by_side([Run(c, rows, Gaussian(0.016), 0) for c in captioners], captions, budget, device)
        return
    for captioner in captioners:
        train(captioner, rows, captions, Gaussian(0.016), budget, 0, device)


def shape(width: int, layers: int, tuned: bool) -> CaptionerConfig:
    """Return a captioner's shape: a transformer mapper of one layer, prefix 4, as in the default profile."""
    mapper = MapperConfig("transformer", DIM, width, prefix_length=4, clip_length=2, heads=4, layers=1)
    return CaptionerConfig(mapper, LanguageModelConfig(VOCABULARY, width, layers, 4, 72, tuned))


def _data() -> tuple[PackedCaptions, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(7, LONGEST + 1, (4000,), generator=generator).tolist()
    captions = [torch.randint(0, VOCABULARY - 1, (n,), generator=generator).tolist() for n in lengths]
    return PackedCaptions.pack(captions), F.normalize(torch.randn(4000, DIM, generator=generator), dim=1)


def _memory_table(sizes: dict[str, tuple[int, int, bool]], quick: bool) -> dict[str, Any]:
    """Return predicted and measured memory: growth of a fresh process's peak while it trains a few steps."""
    shapes = {name: (*size, BATCH) for name, size in sizes.items()}
    if not quick:
        shapes |= {
            "width 768, 12 layers, batch 40": (768, 12, True, 40),
            "width 512, 6 layers, batch 256": (512, 6, True, 256),
        }
    rows = []
    for name, (width, layers, tuned, batch) in shapes.items():
        predicted = training_memory(shape(width, layers, tuned), batch, LONGEST)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
            measured = pool.submit(_growth, width, layers, tuned, batch).result()
        rows.append([name, predicted / 2**20, measured / 2**20, measured / predicted])
    return {
        "title": "Memory of a training, predicted and measured",
        "columns": ["model", "predicted (MiB)", "measured (MiB)", "measured / predicted"],
        "rows": rows,
        "note": "Measured: growth of a fresh process's peak in three steps; what libraries take drowns the smallest.",
    }


def _growth(width: int, layers: int, tuned: bool, batch: int) -> int:
    torch.set_num_threads(1)
    captions, rows = _data()
    train(Captioner(shape(64, 1, True)), rows, captions, Gaussian(0.016), Budget(1, 4, 1e-3), 0)
    before = resident_peak()
    train(Captioner(shape(width, layers, tuned)), rows, captions, Gaussian(0.016), Budget(3, batch, 1e-3), 0)
    return resident_peak() - before
