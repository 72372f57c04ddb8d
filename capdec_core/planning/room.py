"""Whether a GPU's memory holds the costliest training of a grid."""

from collections.abc import Sequence

import torch

from capdec_core.cell import CellConfig
from capdec_core.memory import training_memory
from capdec_core.planning.work import costliest, shape_of

LONGEST = 55
"""Tokens that are taken for the longest caption's."""


def shortage(cells: Sequence[CellConfig], device: str) -> str:
    """Return in a clause what the costliest training lacks of a GPU's memory; nothing where it fits, or on a CPU."""
    if device == "cpu" or not cells:
        return ""
    cell = costliest(cells)
    needed = training_memory(shape_of(cell), cell.training["batch_size"], LONGEST)
    there = torch.cuda.mem_get_info(device)[1]
    if needed <= there:
        return ""
    gigabytes = f"{needed / 1e9:.1f} GB of a GPU's memory, and this one has {there / 1e9:.1f} GB"
    return f"its costliest training takes {gigabytes}"
