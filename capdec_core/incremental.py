"""A language model one position at a time, for several captions of one image that share their prefix.

The keys and values of an image's prefix and of every token tried so far are kept once, in one row of memory
that all its beams read, each through a mask of its own ancestors. Beams that fork or die change the mask
only: no cache is ever copied from beam to beam. GPT-2's memory is written in place; that of any other
architecture is transformers' own.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache, GPT2LMHeadModel, PreTrainedModel
from transformers.models.gpt2.modeling_gpt2 import GPT2Attention
from transformers.pytorch_utils import Conv1D

from capdec_core import gpt2
from capdec_core.packed_linear import PackedLinear, pays
from capdec_core.vocabulary_head import VocabularyHead

_GROWTH = 16  # positions by which GPT-2's memory grows, so that it is seldom copied


class _Memory(Protocol):
    """A model and what it remembers of n images: the keys and values of all positions read so far."""

    def begin(self, prefix: Tensor) -> Tensor:
        """Read prefixes (n, k, width); return their last hidden states, of the same shape."""
        ...

    def read(self, tokens: Tensor, depth: int, visible: Tensor) -> Tensor:
        """Read `tokens` (n, beams), all at position `depth`; return the last hidden states (n, beams, width).

        They are remembered behind what was read before, and `visible` (n, beams, remembered; bool) says which
        of all that each of them sees.
        """
        ...

    def keep(self, images: Tensor) -> None:
        """Drop all images but those at these indices (int64)."""
        ...


class BeamTree:
    """`beams` growing captions of each of n images, after prefixes (n, k, width)."""

    def __init__(self, model: PreTrainedModel, prefix: Tensor, beams: int) -> None:
        self.beams = beams
        self.depth = prefix.shape[1]  # positions each caption has behind it
        self._head = VocabularyHead(model.get_output_embeddings())
        self._memory: _Memory = _Gpt2Memory(model) if gpt2.is_plain(model) else _AnyMemory(model)
        self.prefix_hidden: Tensor = self._memory.begin(prefix)
        """Last hidden states (n, k, width) of the prefix."""
        self.visible = torch.ones(len(prefix), beams, self.depth, dtype=torch.bool, device=prefix.device)
        self.first_logits: Tensor = self.logits(self.prefix_hidden[:, -1:]).expand(-1, beams, -1)
        """Logits (n, beams, vocabulary) of the first token, equal in all beams; good until the next ones are made."""

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., vocabulary) that last hidden states (..., width) make, good until the next call."""
        return self._head(hidden)

    def step(self, tokens: Tensor, parents: Tensor) -> Tensor:
        """Append `tokens` (n, beams) to the captions of beams `parents` (n, beams); return the next logits.

        Afterwards beam j is what was beam parents[:, j], with its token. Logits are (n, beams, vocabulary), good
        until the next call.
        """
        return self.logits(self.grow(tokens, parents))

    def grow(self, tokens: Tensor, parents: Tensor) -> Tensor:
        """Do as `step` does, but return the last hidden states (n, beams, width), which the logits are made of."""
        self._see(parents)
        hidden = self._memory.read(tokens, self.depth, self.visible)
        self.depth += 1
        return hidden

    def keep(self, images: Tensor) -> None:
        """Drop all images but those at these indices (int64)."""
        self.visible = self.visible[images]
        self._memory.keep(images)

    def _see(self, parents: Tensor) -> None:
        """Let each beam see what its parent saw, and its own new token."""
        inherited = self.visible.gather(1, parents.unsqueeze(-1).expand_as(self.visible))
        own = torch.eye(self.beams, dtype=torch.bool, device=parents.device).expand(len(parents), -1, -1)
        self.visible = torch.cat([inherited, own], dim=2)


class _AnyMemory:
    """Any causal model's memory: its own forward pass and cache, with a mask that says what is seen."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._body: Any = model.base_model
        self._embeddings = model.get_input_embeddings()
        self._cache = DynamicCache(config=model.config)

    def begin(self, prefix: Tensor) -> Tensor:
        return self._body(inputs_embeds=prefix, past_key_values=self._cache, use_cache=True).last_hidden_state

    def read(self, tokens: Tensor, depth: int, visible: Tensor) -> Tensor:
        return self._body(
            inputs_embeds=self._embeddings(tokens),
            attention_mask=visible.unsqueeze(1),
            position_ids=torch.full_like(tokens, depth),
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state

    def keep(self, images: Tensor) -> None:
        self._cache.batch_select_indices(images)


class _Gpt2Memory:
    """GPT-2's memory, written in place, and its blocks at one position."""

    def __init__(self, model: GPT2LMHeadModel) -> None:
        self._body = model.transformer
        self._blocks = [_Gpt2Products.of(block) for block in model.transformer.h]
        self._cache: list[tuple[Tensor, Tensor]] = []

    def begin(self, prefix: Tensor) -> Tensor:
        out = self._body(inputs_embeds=prefix, use_cache=True)
        self._cache = [(layer.keys, layer.values) for layer in out.past_key_values.layers]
        return out.last_hidden_state

    def read(self, tokens: Tensor, depth: int, visible: Tensor) -> Tensor:
        body = self._body
        hidden = body.wte(tokens) + body.wpe.weight[depth]
        block: Any  # nn.ModuleList does not know its members' type
        for index, (block, products) in enumerate(zip(body.h, self._blocks, strict=True)):
            joint = products.joint(block.ln_1(hidden))
            hidden = hidden + products.mixed(self._attend(index, block.attn, joint, visible))
            hidden = hidden + products.outer(block.mlp.act(products.inner(block.ln_2(hidden))))
        return body.ln_f(hidden)

    def keep(self, images: Tensor) -> None:
        self._cache = [(keys[images], values[images]) for keys, values in self._cache]

    def _attend(self, index: int, attention: GPT2Attention, joint: Tensor, visible: Tensor) -> Tensor:
        heads = attention.num_heads
        query, key, value = (
            part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in joint.chunk(3, dim=-1)
        )
        keys, values = self._remember(index, key, value, visible.shape[2])
        mixed = F.scaled_dot_product_attention(query, keys, values, attn_mask=visible.unsqueeze(1))
        return mixed.transpose(1, 2).flatten(-2)

    def _remember(self, index: int, key: Tensor, value: Tensor, end: int) -> tuple[Tensor, Tensor]:
        """Write a layer's new keys and values before position `end`; return all (n, heads, end, size)."""
        keys, values = self._cache[index]
        new = key.shape[2]
        if keys.shape[2] < end:
            room = end + _GROWTH * new - keys.shape[2]
            keys, values = F.pad(keys, (0, 0, 0, room)), F.pad(values, (0, 0, 0, room))
            self._cache[index] = keys, values
        keys[:, :, end - new : end], values[:, :, end - new : end] = key, value
        return keys[:, :, :end], values[:, :, :end]


@dataclass(frozen=True)
class _Gpt2Products:
    """A block's products: to queries, keys and values, out of attention, into and out of the MLP."""

    joint: nn.Module
    mixed: nn.Module
    inner: nn.Module
    outer: nn.Module

    @classmethod
    def of(cls, block: Any) -> "_Gpt2Products":
        layers = (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj)
        return cls(*map(_product, layers))


def _product(layer: Conv1D) -> nn.Module:
    """Return what computes the layer, on packed weights where that pays."""
    return PackedLinear(layer.weight.t(), layer.bias).pack() if pays(layer.weight) else layer
