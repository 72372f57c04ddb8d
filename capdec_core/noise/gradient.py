"""Study A's normalised gradient noise: one step of fixed norm along the caption loss's own gradient."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from capdec_core.noise.base import Loss, Perturbation


@dataclass(frozen=True)
class NormalisedGradient(Perturbation):
    """x' = normalise(x + sign epsilon g / ||g||), g the gradient of each row's own loss with respect to it.

    `sign` 1 makes the caption harder to read (adversarial, as the study wrote it), -1 easier. `epsilon`
    is the displacement's norm. For epsilon <= 1 the cosine is at least sqrt(1 - epsilon^2): .995 at .1.
    A row whose gradient is zero stays. Nothing is drawn; parameters receive no gradient from this.
    """

    epsilon: float
    sign: int = 1

    def check(self) -> None:
        """Raise ValueError where epsilon is negative or sign is neither 1 nor -1."""
        if self.epsilon < 0:
            raise ValueError(f"epsilon must be at least 0, not {self.epsilon}")
        if self.sign not in (1, -1):
            raise ValueError(f"sign must be 1 or -1, not {self.sign}")

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return f"Gradient, norm {self.epsilon:g}, {'up' if self.sign == 1 else 'down'} the loss"

    def displacement(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return sign epsilon g / ||g||, shape (batch, d); ValueError without a loss closure."""
        if loss is None:
            raise ValueError(
                "NormalisedGradient needs loss=..., a function from embeddings to one loss a row"
            )
        gradient = row_gradients(loss, x)
        largest = gradient.abs().amax(dim=-1, keepdim=True)
        comparable = gradient / torch.where(largest > 0, largest, 1)
        return self.sign * self.epsilon * F.normalize(comparable, dim=-1)

    def describe(self, d: int) -> dict[str, float | None]:
        """Return the exact norm and variance (epsilon^2 / d); the cosine depends on the loss: None."""
        variance = self.epsilon**2 / d
        return {
            "variance": variance,
            "std": math.sqrt(variance),
            "expected_norm": self.epsilon,
            "expected_cosine": None,
        }


def row_gradients(loss: Loss, x: Tensor) -> Tensor:
    """Return the gradient (batch, d) of each row's loss with respect to that row.

    The rows are independent, so the gradient of the summed losses is all of them at once. ValueError
    where `loss` does not return one value a row.
    """
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        losses = loss(leaf)
        if losses.shape != (len(x),):
            raise ValueError(f"loss must return one value a row, ({len(x)},), not {tuple(losses.shape)}")
        return torch.autograd.grad(losses.sum(), leaf)[0]
