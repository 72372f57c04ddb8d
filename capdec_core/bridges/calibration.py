"""The size at which noise of a given shape turns embeddings by a given mean cosine.

For isotropic noise there is a closed form (`capdec_core.noise.variance_for_cosine`). Shaped noise has none: how far
it turns a row depends on the row. The size is found by bisection on the mean cosine over fixed draws. Each draw's
angle grows with its size, so the mean cosine falls with it and there is one answer.
"""

import torch
from torch import Tensor

from capdec_core.errors import CapdecError

TOLERANCE = 1e-5
"""The mean cosine over the fixed draws is met within this."""
DRAWS = 8192
"""Draws of noise, each with its opposite; on fresh draws the mean cosine differs by sampling error, below .002."""
SEED = 0


def calibrated(factor: Tensor, rows: Tensor, cosine: float) -> Tensor:
    """Return `factor` scaled so that its noise turns unit rows (n, d) by this mean cosine.

    `factor` (r, d): the noise is standard normal (batch, r) times it; or (d,): standard normal (batch, d) times it
    coordinate by coordinate. The same rows give the same bytes.

    Raises:
        CapdecError: the noise has no size at all, or no size of it turns rows so little.
    """
    if not float(factor.abs().max()) > 0:
        raise CapdecError("noise without variance cannot be calibrated: its training material does not vary")
    if cosine == 1:
        return torch.zeros_like(factor)
    shape = factor.double() / factor.double().norm()
    along, across = _draws(shape, rows.double())
    low, high = 1e-9, 1e9
    while True:
        size = (low * high) ** 0.5
        toward = 1 + size * along
        found = float((toward / torch.hypot(toward, size * across)).mean())
        if abs(found - cosine) <= TOLERANCE:
            return (size * shape).to(factor.dtype)
        if high / low < 1 + 1e-12:
            raise CapdecError(
                f"no size of this noise has a mean cosine of {cosine}: the nearest is {found:.4f}"
            )
        low, high = (size, high) if found > cosine else (low, size)


def _draws(factor: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far each draw goes along its row and across it, both (2 DRAWS,): every draw and its opposite."""
    which = torch.linspace(0, len(rows) - 1, DRAWS).round().long().to(rows.device)
    generator = torch.Generator().manual_seed(SEED)
    normal = torch.randn(DRAWS, factor.shape[0], generator=generator, dtype=torch.float64).to(rows.device)
    noise = times(normal, factor)
    along = (noise * rows[which]).sum(dim=1)
    across = (noise.square().sum(dim=1) - along.square()).clamp(min=0).sqrt()
    return torch.cat([along, -along]), torch.cat([across, across])


def times(normal: Tensor, factor: Tensor) -> Tensor:
    """Return noise (batch, d) from standard normals (batch, r) and a factor (r, d), or (d,) where r = d."""
    return normal * factor if factor.ndim == 1 else normal @ factor
