"""Noise shaped like the gap: Gaussian, with a covariance learned from pairs or from the captions of one image."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from capdec_core.bridges.calibration import calibrated, times
from capdec_core.bridges.covariance import (
    cluster_deviations,
    covariance,
    factor_of,
    ledoit_wolf,
    pair_deviations,
)
from capdec_core.bridges.material import Material, Sight, State
from capdec_core.errors import CapdecError

Shape = Literal["full", "shrunk", "diagonal", "subspace", "complement"]
SHAPES: dict[Shape, str] = {
    "full": "Covariance-matched",
    "shrunk": "Covariance-matched, shrunk",
    "diagonal": "Per-dimension",
    "subspace": "Within the subspace",
    "complement": "Outside the subspace",
}
Source = Literal["pairs", "clusters"]
SOURCES: dict[Source, str] = {"pairs": "residuals of pairs", "clusters": "caption clusters"}


@dataclass(frozen=True)
class ShapedNoise:
    """Gaussian noise of mean 0 with a learned covariance.

    Attributes:
        shape: "full" the covariance as measured, "shrunk" by Ledoit and Wolf towards isotropy, "diagonal" its
            variances alone, "subspace" equal variance in the span of its `rank` first eigenvectors and none outside,
            "complement" equal variance outside that span and none within.
        source: "pairs", image minus text of matched pairs, which takes images; "clusters", the captions of one image
            about their mean, which takes text alone.
        cosine: the mean cosine of embeddings and their perturbed copies, to which the size is calibrated; None keeps
            the measured size.
        rank: dimensions of the subspace; None for the other shapes.
        multiple: what the covariance is multiplied by where its size is kept.
        floor: variance per coordinate that is added to every direction where its size is kept.
    """

    shape: Shape
    source: Source
    cosine: float | None
    rank: int | None = None
    multiple: float = 1.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"shape must be one of {', '.join(SHAPES)}, not {self.shape!r}")
        if self.source not in SOURCES:
            raise ValueError(f"source must be one of {', '.join(SOURCES)}, not {self.source!r}")
        if self.cosine is not None and not (_number(self.cosine) and 0 < self.cosine <= 1):
            raise ValueError(f"cosine must be above 0 and at most 1, or None, not {self.cosine!r}")
        self._check_rank()
        self._check_size()

    def _check_rank(self) -> None:
        within = self.shape in ("subspace", "complement")
        if within and (type(self.rank) is not int or self.rank < 1):
            raise ValueError(f"rank must be an integer of at least 1 for a {self.shape}, not {self.rank!r}")
        if not within and self.rank is not None:
            raise ValueError(f"{self.shape} noise has no rank")
        if within and self.cosine is None:
            raise ValueError(f"noise in a {self.shape} has no size of its own: give it a cosine")

    def _check_size(self) -> None:
        if not (_number(self.multiple) and self.multiple > 0 and _number(self.floor) and self.floor >= 0):
            raise ValueError(
                f"multiple must be above 0 and floor at least 0, not {self.multiple!r}, {self.floor!r}"
            )
        if self.cosine is not None and (self.multiple, self.floor) != (1, 0):
            raise ValueError("multiple and floor set a size, which the cosine would undo")

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        size = "as measured" if self.cosine is None else f"cosine {self.cosine:g}"
        rank = "" if self.rank is None else f" of rank {self.rank}"
        return f"{SHAPES[self.shape]}{rank}, from {SOURCES[self.source]}, {size}"

    @property
    def sight(self) -> Sight:
        """In training where its shape comes from pairs, never where it comes from captions."""
        return Sight.TRAINING if self.source == "pairs" else Sight.NEVER

    @property
    def needs_pairs(self) -> bool:
        """Whether its shape comes from pairs."""
        return self.source == "pairs"

    def fit(self, material: Material) -> State:
        """Learn `factor`, which makes noise of standard normals: (r, d), or (d,) for independent coordinates.

        Raises:
            CapdecError: the material has no pairs, no image with two captions, or fewer dimensions than the rank.
        """
        deviations = (pair_deviations if self.source == "pairs" else cluster_deviations)(material, self.label)
        factor = self._factor(deviations).to(material.texts.dtype)
        return {"factor": factor if self.cosine is None else calibrated(factor, material.texts, self.cosine)}

    def _factor(self, deviations: Tensor) -> Tensor:
        if self.shape == "diagonal":
            return (self.multiple * deviations.square().mean(dim=0) + self.floor).sqrt()
        if self.rank is not None:
            return self._directions(deviations, self.rank)
        matrix = ledoit_wolf(deviations)[0] if self.shape == "shrunk" else covariance(deviations)
        floor = self.floor * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
        return factor_of(self.multiple * matrix + floor)

    def _directions(self, deviations: Tensor, rank: int) -> Tensor:
        """Return orthonormal rows that span the first `rank` eigenvectors, or what is orthogonal to them."""
        if rank >= deviations.shape[1]:
            raise CapdecError(
                f"{self.label}: embeddings of {deviations.shape[1]} dimensions have no such rest"
            )
        vectors = torch.linalg.eigh(covariance(deviations))[1].T.flip(0)
        return vectors[:rank] if self.shape == "subspace" else vectors[rank:]

    def displacement(self, x: Tensor, state: State, generator: torch.Generator) -> Tensor:
        """Return the noise (batch, d) beside unit rows x; nothing is waited for."""
        factor = state["factor"]
        normal = torch.randn((len(x), factor.shape[0]), generator=generator, dtype=x.dtype, device=x.device)
        return times(normal, factor)

    def to_dict(self) -> dict[str, Any]:
        """Return {"kind": "ShapedNoise", field: value, ...}, which is JSON."""
        return {"kind": type(self).__name__} | asdict(self)


def _number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
