"""A memory of caption embeddings, in which an image finds its place among texts. No image is learned from."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from capdec_core.bridges.material import Material, Sight, State
from capdec_core.bridges.moves import Move

SIMILARITIES = 1 << 22
"""At most this many similarities exist at once (16 MiB)."""


@dataclass(frozen=True)
class CaptionMemory(Move):
    """What both uses of a memory share: at most `size` training captions (all, where None), drawn by `seed`."""

    size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size is not None and (type(self.size) is not int or self.size < 1):
            raise ValueError(
                f"size must be an integer of at least 1, or None for all captions, not {self.size!r}"
            )
        if type(self.seed) is not int or self.seed < 0:
            raise ValueError(f"seed must be an integer of at least 0, not {self.seed!r}")

    @property
    def sight(self) -> Sight:
        """Never: the memory holds texts."""
        return Sight.NEVER

    @property
    def moves_text(self) -> bool:
        """The decoder is trained on texts as they are."""
        return False

    @property
    def _of(self) -> str:
        return "all captions" if self.size is None else f"{self.size:,} captions"

    def fit(self, material: Material) -> State:
        """Remember `memory` (size, d), and in `rows` (size,) which training captions these are, in rising order."""
        count = len(material.texts)
        rows = torch.arange(count)
        if self.size is not None and self.size < count:
            drawn = torch.randperm(count, generator=torch.Generator().manual_seed(self.seed))
            rows = drawn[: self.size].sort().values
        rows = rows.to(material.texts.device)
        return {"memory": material.texts[rows], "rows": rows}


@dataclass(frozen=True)
class MemoryProjection(CaptionMemory):
    """An image is replaced by a mean of remembered captions, weighted by the softmax of their similarity to it.

    DeCap's projection (Li et al. 2023, equation 3): softmax(y M' / temperature) M. `temperature` divides a cosine;
    DeCap's code multiplies by 100, a temperature of .01. Near 0 it is the nearest caption's embedding.
    """

    temperature: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.temperature, bool) or not isinstance(self.temperature, int | float):
            raise ValueError(f"temperature must be a number, not {self.temperature!r}")
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature must be above 0 and finite, not {self.temperature}")

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return f"Projection on {self._of}, temperature {self.temperature:g}"

    def image(self, y: Tensor, state: State) -> Tensor:
        """Return the weighted means (batch, d), a block of images at a time."""
        memory = state["memory"]
        parts = [(b @ memory.T / self.temperature).softmax(dim=1) @ memory for b in _blocks(y, memory)]
        return torch.cat(parts)


@dataclass(frozen=True)
class NearestCaption(CaptionMemory):
    """An image is replaced by the remembered caption nearest to it.

    Read out as that caption itself (`nearest`) this is retrieval, which trains nothing: the baseline CLIPRe of
    Su et al. 2022. Decoded from its embedding it is the nearest-neighbour decoding that Li et al. 2023 compare.
    """

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return f"Nearest of {self._of}"

    def nearest(self, y: Tensor, state: State) -> Tensor:
        """Return which training captions are nearest to the rows y (batch, d), as their row numbers (batch,)."""
        return state["rows"][_most_similar(y, state["memory"])]

    def image(self, y: Tensor, state: State) -> Tensor:
        """Return the nearest captions' embeddings (batch, d)."""
        return state["memory"][_most_similar(y, state["memory"])]


def _most_similar(y: Tensor, memory: Tensor) -> Tensor:
    return torch.cat([(block @ memory.T).argmax(dim=1) for block in _blocks(y, memory)])


def _blocks(y: Tensor, memory: Tensor) -> tuple[Tensor, ...]:
    return y.split(max(1, SIMILARITIES // len(memory)))
