"""Study A's cosine-similarity-directed Gaussian noise, exactly as written, and the share it keeps."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor

from capdec_core.noise.base import Loss, Perturbation

CHUNK_ELEMENTS = 1 << 22
"""At most this many numbers of a candidate tensor exist at once (16 MiB in float32)."""


@dataclass(frozen=True)
class CosineDirected(Perturbation):
    """The similarity-weighted mean of those of n noisy candidates whose cosine with x exceeds `threshold`.

    n_i ~ N(0, I); x_i = x + beta n_i; keep cos(x, x_i) > threshold; w_i = cos_i / sum of the kept cosines;
    x' = normalise(x + sum of w_i (x_i - x)). `beta` is a standard deviation per coordinate, beside a row
    of norm 1: on raw rows of norm r the study's beta is r times this one. Where nothing is kept the
    formula is 0 / 0 and x stays as it is; `acceptance` and `expected_acceptance` say how often.
    """

    n: int
    beta: float
    threshold: float

    def check(self) -> None:
        """Raise ValueError where n < 1, beta < 0 or the threshold is no cosine."""
        if self.n < 1:
            raise ValueError(f"n must be at least 1, not {self.n}")
        if self.beta < 0:
            raise ValueError(f"beta must be at least 0, not {self.beta}")
        if not -1 <= self.threshold <= 1:
            raise ValueError(f"threshold must be a cosine, -1 to 1, not {self.threshold}")

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return f"Cosine-directed, N {self.n}, beta {self.beta:g}, threshold {self.threshold:g}"

    def displacement(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return the weighted means of the kept noise, shape (batch, d); zero rows where nothing is kept."""
        total = torch.zeros_like(x)
        weight = torch.zeros_like(x[:, :1])
        for noise, cosines, kept in self._candidates(x, generator):
            weights = cosines * kept
            total += torch.einsum("bn,bnd->bd", weights, noise)
            weight += weights.sum(dim=1, keepdim=True)
        return torch.where(weight != 0, total / weight, 0)

    def acceptance(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the share of the n candidates that is kept for each row, shape (batch,)."""
        counts = [kept.sum(dim=1) for _, _, kept in self._candidates(x, generator)]
        return torch.stack(counts).sum(dim=0).to(x.dtype) / self.n

    def _candidates(self, x: Tensor, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the noise beta n_i (batch, k, d), its cosines and whether kept (batch, k), k at a time."""
        size = max(1, CHUNK_ELEMENTS // max(1, x.numel()))
        for start in range(0, self.n, size):
            shape = (x.shape[0], min(size, self.n - start), x.shape[1])
            noise = self.beta * torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)
            cosines = F.cosine_similarity(x[:, None], x[:, None] + noise, dim=-1)
            yield noise, cosines, cosines > self.threshold

    def expected_acceptance(self, d: int) -> float:
        """Return P(cos(x, x + beta n) > threshold) for a unit x in d >= 2 dimensions, exactly.

        The cotangent of the angle times sqrt(d - 1) is (1 / beta + z) / sqrt(chi2 / (d - 1)), z the noise
        along x and chi2 the rest of it: noncentral t with d - 1 degrees of freedom and centre 1 / beta.
        """
        if self.beta == 0:
            return float(self.threshold < 1)
        if abs(self.threshold) == 1:
            return float(self.threshold < 0)
        cotangent = self.threshold / math.sqrt(1 - self.threshold**2)
        return float(stats.nct.sf(cotangent * math.sqrt(d - 1), d - 1, 1 / self.beta))

    def describe(self, d: int) -> dict[str, float | None]:
        """Return None everywhere: what is kept decides, and it has no closed form."""
        return {"variance": None, "std": None, "expected_norm": None, "expected_cosine": None}
