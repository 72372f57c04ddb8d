"""What every perturbation shares: its fields checked, its rows normalised, its effect measured."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor], Tensor]
"""Maps embeddings (batch, d) to one loss a row (batch,); row i depends on embedding i alone."""

NORM_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Perturbation(ABC):
    """A random move of unit embeddings on the sphere: x' = normalise(x + displacement).

    Called as `noise(x, generator=generator)` with x a float tensor (batch, d) of unit rows and a
    `torch.Generator` on x's device; returns unit rows of the same shape, dtype and device. The same
    generator state gives the same bytes. A row whose displacement is exactly zero is returned unchanged.
    """

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _number(field.name, field.type, getattr(self, field.name)))
        self.check()

    def check(self) -> None:  # noqa: B027 - a perturbation without fields has nothing to check
        """Raise ValueError where a field's value has no meaning; fields are numbers of their type already."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What figures and tables call it: the family and its parameters, units said."""

    @abstractmethod
    def displacement(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return the vectors (batch, d) that are added to the unit rows x before they are normalised."""

    @abstractmethod
    def describe(self, d: int) -> dict[str, float | None]:
        """Return what is known in advance of this perturbation of unit rows in d dimensions.

        `variance` (per coordinate of the displacement), `std` (its square root), `expected_norm` (of the
        displacement) and `expected_cosine` (between x and x'). None stands where there is no closed form
        or where the value is infinite, so that the answer is JSON; `measure` gives the sample's values.
        """

    def __call__(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return the perturbed unit rows (batch, d); ValueError where x is not a matrix of unit rows."""
        require_unit_rows(x)
        return self.perturb(x, generator=generator, loss=loss)

    def perturb(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return the perturbed rows (batch, d) of an x whose rows are known to be unit; nothing is waited for."""
        return move(x, self.displacement(x, generator=generator, loss=loss))

    def to_dict(self) -> dict[str, Any]:
        """Return {"kind": class name, field: value, ...}, JSON that `perturbation_from_dict` reads back."""
        return {"kind": type(self).__name__} | {f.name: getattr(self, f.name) for f in fields(self)}


def _number(name: str, annotation: Any, value: Any) -> float | int | None:
    """Return `value` as the int or float its field asks for; ValueError names the field otherwise."""
    if value is None and type(None) in get_args(annotation):
        return None
    kind, wanted = (Integral, "an integer") if annotation is int else (Real, "a finite number")
    if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value):
        raise ValueError(f"{name} must be {wanted}, not {value!r}")
    return int(value) if annotation is int else float(value)  # type: ignore[call-overload]


def require_unit_rows(x: Tensor) -> None:
    """Raise ValueError unless x is a floating tensor (batch, d) of unit rows.

    Raw embeddings are the usual reason: noise of a given variance means something else at another norm.
    """
    if x.ndim != 2 or not x.is_floating_point():
        raise ValueError(
            f"embeddings must be a float matrix (batch, d), not {x.dtype} of shape {tuple(x.shape)}"
        )
    norms = x.norm(dim=-1)
    if not bool(((norms - 1).abs() <= NORM_TOLERANCE).all()):
        raise ValueError(
            f"rows must have norm 1, not {norms.min():.4g} to {norms.max():.4g}: normalise them first"
        )


def move(x: Tensor, displacement: Tensor) -> Tensor:
    """Return normalise(x + displacement) row by row; a row displaced by exactly zero stays as it is."""
    moved = F.normalize(x + displacement, dim=-1)
    return torch.where((displacement != 0).any(dim=-1, keepdim=True), moved, x)


def measured_cosine(x: Tensor, y: Tensor) -> Tensor:
    """Return the cosine (batch,) between the rows of x and of y, both (batch, d)."""
    return F.cosine_similarity(x, y, dim=-1)


def measure(
    noise: Perturbation, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None
) -> dict[str, float]:
    """Return the noise's means on the unit rows x (batch, d), in the book's one currency.

    `variance` (mean square of a coordinate of the displacement), `std` (its square root), `norm` (mean
    norm of the displacement) and `cosine` (mean cosine between x and x').
    """
    require_unit_rows(x)
    return effect(x, noise.displacement(x, generator=generator, loss=loss))


def effect(x: Tensor, displacement: Tensor) -> dict[str, float]:
    """Return what displacements (batch, d) of unit rows x (batch, d) come to, as `measure` says it."""
    variance = displacement.square().mean().item()
    return {
        "variance": variance,
        "std": math.sqrt(variance),
        "norm": displacement.norm(dim=-1).mean().item(),
        "cosine": measured_cosine(x, move(x, displacement)).mean().item(),
    }
