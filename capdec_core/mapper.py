"""Mappers: from one joint embedding to the prefix that a language model reads.

Both designs are ClipCap's (Mokady, Hertz, Bermano 2021, section 3; CapDec keeps the transformer). Layer
shapes and biases equal the reference code's, so parameter counts agree to the last one.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MapperKind = Literal["mlp", "transformer"]


@dataclass(frozen=True)
class MapperConfig:
    """Shape of a mapper.

    `embedding_dim` is the joint encoder's d, `width` the language model's, `prefix_length` the number k of
    prefix vectors. The other fields concern the transformer only and default to the reference's values:
    `clip_length` vectors are made from the embedding beside k learned constants, and `layers` blocks of
    `heads` heads mix them, with a hidden layer of `mlp_ratio` times the width.

    Raises ValueError for an unknown kind, a size below 1, or heads that do not divide the width.
    """

    kind: MapperKind
    embedding_dim: int
    width: int
    prefix_length: int
    clip_length: int = 10
    heads: int = 8
    layers: int = 8
    mlp_ratio: float = 2.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(MapperKind):
            raise ValueError(
                f"mapper kind must be one of {', '.join(get_args(MapperKind))}, not {self.kind!r}"
            )
        for name in ("embedding_dim", "width", "prefix_length", "clip_length", "heads", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"mapper {name} must be at least 1, not {getattr(self, name)}")
        if self.mlp_ratio <= 0:
            raise ValueError(f"mapper mlp_ratio must be positive, not {self.mlp_ratio}")
        if self.kind == "transformer" and self.width % self.heads:
            raise ValueError(f"mapper heads must divide its width: {self.heads} heads, width {self.width}")


class MLPMapper(nn.Module):
    """Two linear layers with tanh between: d -> width k / 2 -> width k."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.prefix_length = config.prefix_length
        out = config.width * config.prefix_length
        self.hidden = nn.Linear(config.embedding_dim, out // 2)
        self.output = nn.Linear(out // 2, out)

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

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, width) to the same shape."""
        keys, values = self.to_keys_values(x).chunk(2, dim=-1)
        split = [
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.to_queries(x), keys, values)
        ]
        mixed = F.scaled_dot_product_attention(*split)
        return self.project(mixed.transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """Pre-norm transformer block: attention, then a ReLU layer of `mlp_ratio` times the width."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        inner = int(config.width * config.mlp_ratio)
        self.norm1 = nn.LayerNorm(config.width)
        self.attention = Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width)
        self.mlp = nn.Sequential(nn.Linear(config.width, inner), nn.ReLU(), nn.Linear(inner, config.width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, width) to the same shape."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TransformerMapper(nn.Module):
    """Mixes vectors made from the embedding with k learned constants, whose places become the prefix."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.clip_length = config.clip_length
        self.linear = nn.Linear(config.embedding_dim, config.clip_length * config.width)
        self.constants = nn.Parameter(torch.randn(config.prefix_length, config.width))
        self.blocks = nn.Sequential(*(Block(config) for _ in range(config.layers)))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Map (batch, embedding_dim) to (batch, prefix_length, width)."""
        read = self.linear(embeddings).unflatten(-1, (self.clip_length, -1))
        constants = self.constants.expand(len(embeddings), -1, -1)
        return self.blocks(torch.cat([read, constants], dim=1))[:, self.clip_length :]


def build_mapper(config: MapperConfig) -> MLPMapper | TransformerMapper:
    """Return a mapper with PyTorch's default initial weights (drawn from the global generator).

    It maps (batch, embedding_dim) to (batch, prefix_length, width).
    """
    return MLPMapper(config) if config.kind == "mlp" else TransformerMapper(config)
