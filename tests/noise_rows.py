"""Unit rows, a seeded generator and a loss of each row, shared by the tests of the perturbations."""

import torch
import torch.nn.functional as F
from torch import Tensor


def seeded(seed: int = 0) -> torch.Generator:
    """A generator on the CPU with this seed."""
    return torch.Generator().manual_seed(seed)


def unit_rows(batch: int, d: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random unit rows (batch, d)."""
    return F.normalize(torch.randn(batch, d, generator=seeded(seed), dtype=dtype), dim=-1)


def quartic(x: Tensor) -> Tensor:
    """A smooth loss of each row by itself."""
    return (x * torch.linspace(-1, 2, x.shape[1], dtype=x.dtype)).sum(dim=-1) ** 2 + (x**4).sum(dim=-1)
