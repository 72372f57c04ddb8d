"""Which cells are trained in one program, and how many programs run at once: by device, size and memory.

Measured by `make bench` (part `grid`): on a CPU a process a core, each with one run, is faster than runs stacked
side by side, whose weights and activations leave the cache. A GPU waits for a small model's kernels to be started,
so there small runs share a program, as many as its memory holds.
"""

from collections.abc import Sequence

import psutil
import torch

from capdec_core.captioner import CaptionerConfig
from capdec_core.cell import CellConfig
from capdec_core.device import cores
from capdec_core.language_model import PretrainedConfig
from capdec_core.memory import parameter_counts, training_memory

SMALL = 20_000_000
"""Parameters up to which a model's kernels are too short to keep a GPU busy."""
PROCESS = 700 * 2**20
"""Bytes that a process takes before it trains: interpreter and libraries."""
USABLE = 0.8
"""Share of the free memory that is planned with."""


def programs(cells: Sequence[CellConfig], device: str, caption_tokens: int) -> list[list[CellConfig]]:
    """Return the cells in groups, each of which is trained in one program; their order stays.

    `caption_tokens` is the longest caption's number of tokens.
    """
    groups: dict[str, list[list[CellConfig]]] = {}
    for cell in cells:
        room = _at_once(cell, device, caption_tokens)
        found = groups.setdefault(_kind(cell), [])
        if not found or len(found[-1]) >= room:
            found.append([])
        found[-1].append(cell)
    return [group for found in groups.values() for group in found]


def _kind(cell: CellConfig) -> str:
    """Return what cells must have in common to be trained in one program."""
    return repr((_shape(cell), cell.pretraining, cell.training, cell.corpus, cell.encoder, cell.tokenizer))


def _at_once(cell: CellConfig, device: str, caption_tokens: int) -> int:
    """Return how many cells like this one a program takes."""
    config = _shape(cell)
    alone = isinstance(config.language_model, PretrainedConfig) or config.language_model.dropout
    shareable = not (alone or cell.training.get("checkpoint_every"))
    if not device.startswith("cuda") or not shareable or sum(parameter_counts(config)) > SMALL:
        return 1
    one = training_memory(config, cell.training["batch_size"], caption_tokens)
    return max(1, int(USABLE * torch.cuda.mem_get_info(device)[0] / one))


def processes(cells: Sequence[CellConfig], caption_tokens: int) -> int:
    """Return how many single-threaded processes train these cells at once on the CPU: cores, if memory allows."""
    sizes = (training_memory(_shape(cell), cell.training["batch_size"], caption_tokens) for cell in cells)
    largest = max(sizes, default=0)
    fitting = int(USABLE * psutil.virtual_memory().available / (PROCESS + largest))
    return max(1, min(cores(), fitting))


def _shape(cell: CellConfig) -> CaptionerConfig:
    """Return the shape of the cell's captioner."""
    return CaptionerConfig.from_dict(vars(cell))
