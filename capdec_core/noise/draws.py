"""Random draws that torch's own generator makes reproducible, shaped and typed like the embeddings."""

import torch
import torch.nn.functional as F
from torch import Tensor


def standard_normal(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return independent standard normals of x's shape, dtype and device."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def uniform_directions(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return unit rows of x's shape, dtype and device, uniform on the sphere."""
    return F.normalize(standard_normal(x, generator), dim=-1)


def chi_square(like: Tensor, df: float, generator: torch.Generator) -> Tensor:
    """Return independent chi-square variables with any df > 0, of the shape, dtype and device of `like`.

    The gamma sampler under `torch.distributions.Gamma`, called directly because only it takes a generator.
    """
    return 2 * torch._standard_gamma(torch.full_like(like, df / 2), generator=generator)
