"""Study A's cosine-similarity-directed Gaussian noise, its share of kept candidates, and its repair."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from capdec_core.noise.acceptance import acceptance_tails
from capdec_core.noise.base import Loss, Perturbation
from capdec_core.noise.draws import (
    chi_square,
    direction_cosines,
    perpendicular_directions,
    standard_normal,
)
from capdec_core.noise.laws import variance_for_cosine


@dataclass(frozen=True)
class CosineDirected(Perturbation):
    """The similarity-weighted mean of those of n noisy candidates whose cosine with x exceeds `threshold`.

    n_i ~ N(0, I); x_i = x + beta n_i; keep cos(x, x_i) > threshold; w_i = cos_i / sum of the kept cosines;
    x' = normalise(x + sum of w_i (x_i - x)). `beta` is a standard deviation per coordinate, beside a row
    of norm 1: on raw rows of norm r the study's beta is r times this one. Where nothing is kept the
    formula is 0 / 0 and x stays as it is; `acceptance` and `expected_acceptance` say how often.

    The draws follow the law of these steps exactly, but the n vectors are not drawn. What decides the
    weights is z_i = <n_i, x>, standard normal, and R_i, the length of the rest of n_i, chi with d - 1 degrees
    of freedom. Given these, the rest is a sum of independent uniform directions orthogonal to x with known
    lengths; its own direction is uniform, and its length is drawn pair by pair. So a row costs a few numbers
    a candidate instead of d, and how much is drawn depends on n alone, never on the threshold.
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
        """Return the weighted means of the kept noise, shape (batch, d); zero rows where nothing is kept.

        ValueError where d is 1.
        """
        along, across, cosines = self._candidates(x, generator)
        weights = cosines * (cosines > self.threshold)
        total = weights.sum(dim=1, keepdim=True)
        shares = torch.where(total != 0, weights / total, 0)
        length = resultant_length((shares * across).abs(), x.shape[1] - 1, generator)
        sideways = length * perpendicular_directions(x, generator)
        return self.beta * ((shares * along).sum(dim=1, keepdim=True) * x + sideways)

    def acceptance(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the share of the n candidates that is kept for each row, shape (batch,).

        A generator in the state in which `displacement` found it gives the candidates that it kept.
        """
        _, _, cosines = self._candidates(x, generator)
        return (cosines > self.threshold).to(x.dtype).mean(dim=1)

    def _candidates(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return <n_i, x>, the length of the rest of n_i, and cos(x, x + beta n_i), each (batch, n)."""
        like = x.new_empty(len(x), self.n)
        along = standard_normal(like, generator)
        across = chi_square(like, x.shape[1] - 1, generator).sqrt()
        toward = 1 + self.beta * along
        return along, across, toward / torch.hypot(toward, self.beta * across)

    def expected_acceptance(self, d: int) -> float:
        """Return P(cos(x, x + beta n) > threshold) for a unit x in d >= 2 dimensions, exactly."""
        return acceptance_tails(self.beta, self.threshold, d)[0]

    def describe(self, d: int) -> dict[str, float | None]:
        """Return None everywhere: what is kept decides, and it has no closed form."""
        return {"variance": None, "std": None, "expected_norm": None, "expected_cosine": None}


def resultant_length(lengths: Tensor, d: int, generator: torch.Generator) -> Tensor:
    """Return the length (batch, 1) of a sum of independent uniform directions in d dimensions, drawn exactly.

    Args:
        lengths: (batch, n), what each direction is multiplied by; at least 0.
        d: dimensions, at least 1.
        generator: gives n - 1 cosines a row.

    A partial sum's direction is uniform and independent of its length, so the sums are joined in pairs:
    |a + b|^2 = (|a| - |b|)^2 + 2 |a| |b| (1 + c), with c the cosine of two uniform directions.
    """
    while lengths.shape[1] > 1:
        half = lengths.shape[1] // 2
        a, b, odd = lengths.split([half, half, lengths.shape[1] - 2 * half], dim=1)
        cosines = direction_cosines(a, d, generator)
        joined = ((a - b).square() + 2 * a * b * (1 + cosines)).sqrt()
        lengths = torch.cat([joined, odd], dim=1)
    return lengths


@dataclass(frozen=True)
class FixedCosine(Perturbation):
    """A row in a uniformly random direction at exactly this cosine with x: the directed noise, repaired.

    x' = cosine x + sqrt(1 - cosine^2) u, with u uniform on the unit sphere orthogonal to x. It is reached as
    normalise(x + tan u), tan = sqrt(1 / cosine^2 - 1) the tangent of the angle, so that variance and norm
    stand in one currency with the other perturbations: they are those of Gaussian noise at this cosine.
    """

    cosine: float

    def check(self) -> None:
        """Raise ValueError where the cosine is not above 0 and at most 1."""
        if not 0 < self.cosine <= 1:
            raise ValueError(f"cosine must be above 0 and at most 1, not {self.cosine}")

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return f"Fixed cosine {self.cosine:g}"

    def displacement(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return tan u, shape (batch, d), orthogonal to x; ValueError where d is 1."""
        return math.sqrt(1 / self.cosine**2 - 1) * perpendicular_directions(x, generator)

    def describe(self, d: int) -> dict[str, float | None]:
        """Return the exact values: variance (1 / cosine^2 - 1) / d, norm sqrt(1 / cosine^2 - 1), and the cosine."""
        variance = variance_for_cosine(self.cosine, d)
        return {
            "variance": variance,
            "std": math.sqrt(variance),
            "expected_norm": math.sqrt(d * variance),
            "expected_cosine": self.cosine,
        }
