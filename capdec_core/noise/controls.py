"""Controls: no noise, somebody else's embedding, and a step of fixed norm in a random direction."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from capdec_core.noise.base import Loss, Perturbation
from capdec_core.noise.draws import uniform_directions
from capdec_core.noise.laws import cosine_for_variance


@dataclass(frozen=True)
class NoNoise(Perturbation):
    """The decoder reads the text embedding as it is: what the modality gap costs without noise."""

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return "No noise"

    def displacement(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return zeros (batch, d); nothing is drawn."""
        return torch.zeros_like(x)

    def describe(self, d: int) -> dict[str, float | None]:
        """Return zeros and a cosine of 1."""
        return {"variance": 0.0, "std": 0.0, "expected_norm": 0.0, "expected_cosine": 1.0}


@dataclass(frozen=True)
class Shuffled(Perturbation):
    """Each row is given another row's embedding: the embedding says nothing about its caption.

    The rows go round one random cycle, so in a batch of two or more none keeps its own (a derangement);
    a batch of one has nobody to exchange with and stays. Two captions of one image, or two equal
    captions, may still receive each other's embedding where they share a batch.
    """

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return "Shuffled embeddings"

    def displacement(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return (another row) - x, shape (batch, d)."""
        order = torch.randperm(len(x), generator=generator, device=x.device)
        source = torch.empty_like(order)
        source[order] = order.roll(1)
        return x[source] - x

    def describe(self, d: int) -> dict[str, float | None]:
        """Return None everywhere: all of it depends on the embeddings that are shuffled."""
        return {"variance": None, "std": None, "expected_norm": None, "expected_cosine": None}


@dataclass(frozen=True)
class RandomDirection(Perturbation):
    """x' = normalise(x + epsilon u), u uniform on the unit sphere: the gradient noise's control.

    `epsilon` is the exact norm of the displacement (not a variance: that is epsilon^2 / d).
    """

    epsilon: float

    def check(self) -> None:
        """Raise ValueError where epsilon is negative."""
        if self.epsilon < 0:
            raise ValueError(f"epsilon must be at least 0, not {self.epsilon}")

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return f"Random direction, norm {self.epsilon:g}"

    def displacement(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return epsilon u, shape (batch, d), each row of norm epsilon."""
        return self.epsilon * uniform_directions(x, generator)

    def describe(self, d: int) -> dict[str, float | None]:
        """Return the exact variance and norm, and the cosine 1 / sqrt(1 + epsilon^2) (error O(1/d))."""
        variance = self.epsilon**2 / d
        return {
            "variance": variance,
            "std": math.sqrt(variance),
            "expected_norm": self.epsilon,
            "expected_cosine": cosine_for_variance(variance, d),
        }
