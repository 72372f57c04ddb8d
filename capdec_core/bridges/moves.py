"""Moves: what is done to embeddings before any noise, on either side of the gap. Each is one idea.

A move is told by its fields and, once fitted, by a `State`. `text` and `image` return rows of any norm; the bridge
puts them on the unit sphere. A side that a move leaves alone gets the very tensor back.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from capdec_core.bridges.material import Material, Sight, State, mean_row

Side = Literal["text", "image"]
SIDES: tuple[Side, ...] = ("text", "image")


@dataclass(frozen=True)
class Move(ABC):
    """A deterministic map of one modality, or of both, towards the other."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What figures and tables call it."""

    @property
    @abstractmethod
    def sight(self) -> Sight:
        """Where it depends on training images."""

    @property
    def needs_pairs(self) -> bool:
        """Whether it must know which text belongs to which image, not only images and texts by themselves."""
        return False

    @property
    @abstractmethod
    def moves_text(self) -> bool:
        """Whether the training side is moved at all; if not, the decoder can be trained without the move."""

    @abstractmethod
    def fit(self, material: Material) -> State:
        """Learn from training material, once; CapdecError where it lacks what the move needs."""

    def text(self, x: Tensor, state: State) -> Tensor:
        """Return the training side's rows (batch, d) for unit text embeddings x; nothing is waited for."""
        return x

    def image(self, y: Tensor, state: State) -> Tensor:
        """Return the inference side's rows (batch, d) for unit image embeddings y."""
        return y

    def to_dict(self) -> dict[str, Any]:
        """Return {"kind": class name, field: value, ...}, which is JSON."""
        return {"kind": type(self).__name__} | asdict(self)


@dataclass(frozen=True)
class MeanShift(Move):
    """One modality is shifted by the difference of the centroids, so that its own falls on the other's.

    `side` "text" shifts the captions in training, x + (image centroid - text centroid); "image" shifts the image at
    inference, back by the same vector. Liang et al. 2022 move embeddings along this gap; CapDec's code has it as
    `offset_to_add_in_training` and `offset_to_add_in_inference`; CLOSE calls it mean shift. It looks at images, but
    needs no pairs.
    """

    side: Side

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise ValueError(f"side must be one of {', '.join(SIDES)}, not {self.side!r}")

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return f"Mean shift of the {self.side}s"

    @property
    def sight(self) -> Sight:
        """In training where texts are shifted, at inference where images are."""
        return Sight.TRAINING if self.side == "text" else Sight.INFERENCE

    @property
    def moves_text(self) -> bool:
        """Whether it is the texts that are shifted."""
        return self.side == "text"

    def fit(self, material: Material) -> State:
        """Learn the gap: image centroid minus text centroid (d,)."""
        return {"gap": mean_row(material.need_images(self.label)) - mean_row(material.texts)}

    def text(self, x: Tensor, state: State) -> Tensor:
        """Return x + gap where texts are shifted."""
        return x + state["gap"] if self.side == "text" else x

    def image(self, y: Tensor, state: State) -> Tensor:
        """Return y - gap where images are shifted."""
        return y - state["gap"] if self.side == "image" else y


@dataclass(frozen=True)
class Collapse(Move):
    """Each modality loses its own centroid: the step "collapse" of C3 (Zhang et al. 2024, `remove_mean`).

    The decoder's training needs the texts' centroid only. The images' is needed when the first image is captioned:
    it takes training images, though no pairs.
    """

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return "Collapse"

    @property
    def sight(self) -> Sight:
        """At inference: the images' centroid."""
        return Sight.INFERENCE

    @property
    def moves_text(self) -> bool:
        """Texts lose their centroid."""
        return True

    def fit(self, material: Material) -> State:
        """Learn both centroids (d,)."""
        images = mean_row(material.need_images(self.label))
        return {"text_mean": mean_row(material.texts), "image_mean": images}

    def text(self, x: Tensor, state: State) -> Tensor:
        """Return x minus the texts' centroid."""
        return x - state["text_mean"]

    def image(self, y: Tensor, state: State) -> Tensor:
        """Return y minus the images' centroid."""
        return y - state["image_mean"]


@dataclass(frozen=True)
class LinearAdapter(Move):
    """Texts go through the affine map that predicts images from their captions best, in least squares.

    CLOSE's linear adapter (Gu et al. 2023, `LinearAdapter` with `renorm=True`): x W + b, fitted on matched pairs. Of
    the maps that fit equally well, where pairs are fewer than dimensions, the smallest is taken.
    """

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return "Linear adapter"

    @property
    def sight(self) -> Sight:
        """In training."""
        return Sight.TRAINING

    @property
    def needs_pairs(self) -> bool:
        """It is fitted on pairs."""
        return True

    @property
    def moves_text(self) -> bool:
        """Texts are mapped."""
        return True

    def fit(self, material: Material) -> State:
        """Learn `weight` (d, d) and `bias` (d,): least squares in float64, by the normal equations of centred rows."""
        texts, images = material.pairs(self.label)
        x, y = texts.double(), images.double()
        text_mean, image_mean = x.mean(dim=0), y.mean(dim=0)
        x, y = x - text_mean, y - image_mean
        weight = torch.linalg.pinv(x.T @ x, hermitian=True) @ (x.T @ y)
        bias = image_mean - text_mean @ weight
        return {"weight": weight.to(texts.dtype), "bias": bias.to(texts.dtype)}

    def text(self, x: Tensor, state: State) -> Tensor:
        """Return x W + b."""
        return torch.addmm(state["bias"], x, state["weight"])
