"""The reference's modules: two mappers, and the model that puts a mapped prefix before a caption."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from transformers import GPT2LMHeadModel
from transformers.modeling_outputs import CausalLMOutputWithCrossAttentions


class MLP(nn.Module):
    """Linear layers with tanh between them: (batch, sizes[0]) to (batch, sizes[-1])."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for entering, leaving in pairwise(sizes):
            layers += [nn.Linear(entering, leaving), nn.Tanh()]
        self.model = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, sizes[0]) to (batch, sizes[-1])."""
        return self.model(x)


class MultiHeadAttention(nn.Module):
    """Self-attention spelled out with einsum; no bias but in the last layer, no mask."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.to_queries = nn.Linear(width, width, bias=False)
        self.to_keys_values = nn.Linear(width, 2 * width, bias=False)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, width) to the same shape."""
        batch, length, width = x.shape
        queries = self.to_queries(x).reshape(batch, length, self.heads, -1)
        both = self.to_keys_values(x).reshape(batch, length, 2, self.heads, -1)
        keys, values = both[:, :, 0], both[:, :, 1]
        weights = torch.einsum("bnhd,bmhd->bnmh", queries, keys) * self.scale
        weights = weights.softmax(dim=2)
        mixed = torch.einsum("bnmh,bmhd->bnhd", weights, values).reshape(batch, length, width)
        return self.project(mixed)


class FeedForward(nn.Module):
    """Two linear layers with ReLU between; the two dropouts of the original have probability 0 and stay."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, width) to the same shape."""
        return self.dropout(self.fc2(self.dropout(torch.relu(self.fc1(x)))))


class TransformerLayer(nn.Module):
    """Pre-norm block of attention and feed-forward layer."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = MultiHeadAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width, int(width * mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, width) to the same shape."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TransformerMapper(nn.Module):
    """Vectors made from the embedding, then learned constants, through the blocks; the constants' places leave."""

    def __init__(
        self,
        embedding_dim: int,
        width: int,
        prefix_length: int,
        clip_length: int,
        layers: int,
        heads: int = 8,
        mlp_ratio: float = 2.0,
    ) -> None:
        super().__init__()
        self.clip_length = clip_length
        self.linear = nn.Linear(embedding_dim, clip_length * width)
        self.prefix_const = nn.Parameter(torch.randn(prefix_length, width))
        self.layers = nn.ModuleList(TransformerLayer(width, heads, mlp_ratio) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, embedding_dim) to (batch, prefix_length, width)."""
        read = self.linear(x).view(len(x), self.clip_length, -1)
        constants = self.prefix_const.unsqueeze(0).expand(len(x), *self.prefix_const.shape)
        mixed = torch.cat((read, constants), dim=1)
        for layer in self.layers:
            mixed = layer(mixed)
        return mixed[:, self.clip_length :]


class ClipCaptionModel(nn.Module):
    """A mapper before GPT-2; everything is trained."""

    def __init__(self, mapper: nn.Module, gpt: GPT2LMHeadModel, prefix_length: int) -> None:
        super().__init__()
        self.prefix_length = prefix_length
        self.clip_project = mapper
        self.gpt = gpt

    def forward(
        self, tokens: Tensor, prefix: Tensor, mask: Tensor | None = None
    ) -> CausalLMOutputWithCrossAttentions:
        """Return GPT-2's output, logits at every position, for `tokens` (batch, t) after `prefix` (batch, d).

        `mask` (batch, prefix_length + t) is 1 where a position is real.
        """
        words = self.gpt.transformer.wte(tokens)
        projected = self.clip_project(prefix).view(-1, self.prefix_length, words.shape[-1])
        return self.gpt(inputs_embeds=torch.cat((projected, words), dim=1), attention_mask=mask)


class ClipCaptionPrefix(ClipCaptionModel):
    """The same with GPT-2 left out of what is optimised: its gradients are computed, summed up and never used.

    As in the original, that is all that freezes it: `requires_grad` stays true, and `zero_grad` walks the
    parameters below, so GPT-2's gradients are never cleared either.
    """

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Yield the mapper's parameters alone."""
        return self.clip_project.parameters(recurse)

    def train(self, mode: bool = True) -> "ClipCaptionPrefix":
        """Set training mode; GPT-2 stays in evaluation mode."""
        super().train(mode)
        self.gpt.eval()
        return self
