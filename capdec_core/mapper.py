"""Mappers: from one joint embedding to the prefix that a language model reads.

MLP and transformer are ClipCap's (Mokady, Hertz, Bermano 2021, section 3; CapDec keeps the transformer). By
default their layer shapes and biases equal the reference code's, so parameter counts agree to the last one.
The linear mapper is the simplest that fits beside them.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from capdec_core.attention import attend

MapperKind = Literal["mlp", "linear", "transformer"]


@dataclass(frozen=True)
class MapperConfig:
    """Shape of a mapper.

    `embedding_dim` is the joint encoder's d, `width` the language model's, `prefix_length` the number k of
    prefix vectors. `clip_length`, `heads`, `layers`, `mlp_ratio` and `inner_width` concern the transformer
    only and default to the reference's values: `clip_length` vectors are made from the embedding beside k
    learned constants, and `layers` blocks of `heads` heads mix them, with a hidden layer of `mlp_ratio` times
    their width. `inner_width` is the width of these vectors and blocks; None is the language model's, and any
    other is brought to it by a linear layer at the end. `hidden` concerns the MLP only: None is the
    reference's hidden layer of width k / 2, which makes the MLP's size grow with the square of k; a number
    holds it fixed.

    Raises ValueError for an unknown kind, a size below 1, heads that do not divide the transformer's width,
    or a `hidden` or `inner_width` that the kind does not have.
    """

    kind: MapperKind
    embedding_dim: int
    width: int
    prefix_length: int
    clip_length: int = 10
    heads: int = 8
    layers: int = 8
    mlp_ratio: float = 2.0
    hidden: int | None = None
    inner_width: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(MapperKind):
            raise ValueError(
                f"mapper kind must be one of {', '.join(get_args(MapperKind))}, not {self.kind!r}"
            )
        for name in ("embedding_dim", "width", "prefix_length", "clip_length", "heads", "layers"):
            _require_size(name, getattr(self, name))
        if self.mlp_ratio <= 0:
            raise ValueError(f"mapper mlp_ratio must be positive, not {self.mlp_ratio}")
        for name, owner in (("hidden", "mlp"), ("inner_width", "transformer")):
            if (size := getattr(self, name)) is not None:
                _require_size(name, size)
                if self.kind != owner:
                    raise ValueError(f"only the {owner} mapper has {name}, not the {self.kind} mapper")
        if self.kind == "transformer" and self.block_width % self.heads:
            raise ValueError(
                f"mapper heads must divide its width: {self.heads} heads, width {self.block_width}"
            )

    @property
    def block_width(self) -> int:
        """The width of the transformer's blocks."""
        return self.inner_width or self.width


def _require_size(name: str, size: int) -> None:
    if size < 1:
        raise ValueError(f"mapper {name} must be at least 1, not {size}")


class LinearMapper(nn.Module):
    """One linear layer: d -> width k."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.prefix_length = config.prefix_length
        self.output = nn.Linear(config.embedding_dim, config.width * config.prefix_length)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Map (batch, embedding_dim) to (batch, prefix_length, width)."""
        return self.output(embeddings).unflatten(-1, (self.prefix_length, -1))


class MLPMapper(nn.Module):
    """Two linear layers with tanh between: d -> hidden (width k / 2, unless it is given) -> width k."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.prefix_length = config.prefix_length
        out = config.width * config.prefix_length
        hidden = config.hidden or out // 2
        self.hidden = nn.Linear(config.embedding_dim, hidden)
        self.output = nn.Linear(hidden, out)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Map (batch, embedding_dim) to (batch, prefix_length, width)."""
        flat = self.output(torch.tanh(self.hidden(embeddings)))
        return flat.unflatten(-1, (self.prefix_length, -1))


class Attention(nn.Module):
    """Multi-head self-attention without a mask; as in the reference, only the last layer has a bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_queries = nn.Linear(width, width, bias=False)
        self.to_keys_values = nn.Linear(width, 2 * width, bias=False)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        """Map (batch, length, width) to (batch, length - first, width): the places from number `first` on."""
        keys, values = self.to_keys_values(x).chunk(2, dim=-1)
        split = [
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.to_queries(x[:, first:]), keys, values)
        ]
        mixed = attend(*split)
        return self.project(mixed.transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """Pre-norm transformer block: attention, then a ReLU layer of `mlp_ratio` times the width."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        width = config.block_width
        inner = int(width * config.mlp_ratio)
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, config.heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width))

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        """Map (batch, length, width) to (batch, length - first, width): the places from number `first` on."""
        x = x[:, first:] + self.attention(self.norm1(x), first)
        return x + self.mlp(self.norm2(x))


class TransformerMapper(nn.Module):
    """Mixes vectors made from the embedding with k learned constants, whose places become the prefix."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.clip_length, width = config.clip_length, config.block_width
        self.linear = nn.Linear(config.embedding_dim, config.clip_length * width)
        self.constants = nn.Parameter(torch.randn(config.prefix_length, width))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.project = nn.Identity() if width == config.width else nn.Linear(width, config.width)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Map (batch, embedding_dim) to (batch, prefix_length, width)."""
        read = self.linear(embeddings).unflatten(-1, (self.clip_length, -1))
        constants = self.constants.expand(len(embeddings), -1, -1)
        mixed = torch.cat([read, constants], dim=1)
        for block in self.blocks[:-1]:
            mixed = block(mixed)
        return self.project(self.blocks[-1](mixed, first=self.clip_length))


Mapper = LinearMapper | MLPMapper | TransformerMapper

_MAPPERS: dict[MapperKind, type[Mapper]] = {
    "linear": LinearMapper,
    "mlp": MLPMapper,
    "transformer": TransformerMapper,
}


def build_mapper(config: MapperConfig) -> Mapper:
    """Return a mapper with PyTorch's default initial weights (drawn from the global generator).

    It maps (batch, embedding_dim) to (batch, prefix_length, width).
    """
    return _MAPPERS[config.kind](config)
