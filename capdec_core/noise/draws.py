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


def perpendicular_directions(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return unit rows, each uniform among the directions orthogonal to its unit row of x (batch, d).

    ValueError where d is 1 and there is none. The second projection removes what rounding left of x.
    """
    if x.shape[1] < 2:
        raise ValueError(f"rows of shape {tuple(x.shape)} have no orthogonal direction: d must be at least 2")
    drawn = F.normalize(_without(standard_normal(x, generator), x), dim=-1)
    return F.normalize(_without(drawn, x), dim=-1)


def _without(y: Tensor, x: Tensor) -> Tensor:
    return y - (x * y).sum(dim=-1, keepdim=True) * x


def direction_cosines(like: Tensor, d: int, generator: torch.Generator) -> Tensor:
    """Return independent cosines, each between two uniform directions of d >= 1 dimensions.

    The first coordinate of a uniform direction, g / sqrt(g^2 + chi2(d - 1)); in one dimension it is 1 or -1.
    Shape, dtype and device are those of `like`.
    """
    first = standard_normal(like, generator)
    if d == 1:
        return first.sign()
    return first / (first.square() + chi_square(like, d - 1, generator)).sqrt()


def chi_square(like: Tensor, df: float, generator: torch.Generator) -> Tensor:
    """Return independent chi-square variables with any df > 0, of the shape, dtype and device of `like`.

    The gamma sampler under `torch.distributions.Gamma`, called directly because only it takes a generator.
    """
    return 2 * torch._standard_gamma(torch.full_like(like, df / 2), generator=generator)
