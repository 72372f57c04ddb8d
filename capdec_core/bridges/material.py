"""What a bridge is fitted on, and who may look at the images in it."""

from dataclasses import dataclass, replace
from enum import StrEnum

import torch
import torch.nn.functional as F
from torch import Tensor

from capdec_core.errors import CapdecError
from capdec_core.noise.base import require_unit_rows

State = dict[str, Tensor]
"""What a part of a bridge has learned: float32 tensors by name (whole numbers as int64)."""


class Sight(StrEnum):
    """Where a bridge depends on training images; an embedding that is captioned is no training image."""

    NEVER = "never"
    """Fitted on text alone."""
    INFERENCE = "at inference"
    """What the decoder reads in training knows of no image; what is done to an image before it is read does."""
    TRAINING = "in training"
    """What the decoder reads in training was made with images."""


def most(sights: list[Sight]) -> Sight:
    """Return the sight of a whole whose parts have these: the one that sees most."""
    order = list(Sight)
    return max(sights, key=order.index, default=Sight.NEVER)


@dataclass(frozen=True)
class Material:
    """Training material, on one device.

    Attributes:
        texts: unit rows (m, d) of the training captions.
        images: unit rows (n, d), or None.
        clusters: (m,) int64, which image each text tells of: the row of `images`, if there are images; or None.
    """

    texts: Tensor
    images: Tensor | None = None
    clusters: Tensor | None = None

    def __post_init__(self) -> None:
        require_unit_rows(self.texts)
        if self.images is not None:
            require_unit_rows(self.images)
            if self.images.shape[1] != self.texts.shape[1]:
                raise ValueError(
                    f"texts {tuple(self.texts.shape)} and images {tuple(self.images.shape)} differ in d"
                )
        if self.clusters is not None:
            self._check_clusters(self.clusters)

    def _check_clusters(self, clusters: Tensor) -> None:
        if clusters.shape != (len(self.texts),) or clusters.dtype != torch.int64:
            raise ValueError(f"clusters must be int64 (texts,), not {clusters.dtype} {tuple(clusters.shape)}")
        highest = len(self.images) if self.images is not None else None
        if clusters.min() < 0 or (highest is not None and clusters.max() >= highest):
            raise ValueError(f"clusters must be rows of the images, 0 to {highest}, or numbers from 0")

    def seen_by(self, sight: Sight) -> "Material":
        """Return the material as a part of this sight may see it: without images where it never sees any."""
        return replace(self, images=None) if sight is Sight.NEVER else self

    def need_images(self, who: str) -> Tensor:
        """Return the images (n, d); CapdecError where there are none."""
        if self.images is None:
            raise CapdecError(f"{who} is fitted on images too, but the training material is text only")
        return self.images

    def need_clusters(self, who: str) -> Tensor:
        """Return which image each text tells of (m,); CapdecError where that is not known."""
        if self.clusters is None:
            raise CapdecError(
                f"{who} needs to know which captions tell of one image, but the material does not say"
            )
        return self.clusters

    def pairs(self, who: str) -> tuple[Tensor, Tensor]:
        """Return each text with its image, both (m, d); CapdecError where the material has no pairs."""
        return self.texts, self.need_images(who)[self.need_clusters(who)]


def mean_row(rows: Tensor) -> Tensor:
    """Return the mean (d,) of rows (n, d), summed in float64."""
    return rows.mean(dim=0, dtype=torch.float64).to(rows.dtype)


def unit(rows: Tensor) -> Tensor:
    """Return rows (n, d) scaled to norm 1."""
    return F.normalize(rows, dim=-1)
