"""GPT-2 one position at a time, for several captions of one image that share their prefix.

The keys and values of an image's prefix and of every token tried so far are kept once, in one row of memory
that all its beams read, each through a mask of its own ancestors. Beams that fork or die change the mask
only: no cache is ever copied from beam to beam.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import GPT2LMHeadModel
from transformers.models.gpt2.modeling_gpt2 import GPT2Attention

_GROWTH = 16  # positions by which the cache grows, so that it is seldom copied


class BeamTree:
    """`beams` growing captions of each of n images, after prefixes (n, k, width)."""

    def __init__(self, model: GPT2LMHeadModel, prefix: Tensor, beams: int) -> None:
        self.model = model
        self.beams = beams
        self.depth = prefix.shape[1]  # positions each caption has behind it
        self.used = prefix.shape[1]  # cached positions
        out = model.transformer(inputs_embeds=prefix, use_cache=True)
        self.cache = [(layer.keys, layer.values) for layer in out.past_key_values.layers]
        self.prefix_hidden: Tensor = out.last_hidden_state
        """Last hidden states (n, k, width) of the prefix."""
        self.visible = torch.ones(len(prefix), beams, self.used, dtype=torch.bool, device=prefix.device)
        self.first_logits: Tensor = model.lm_head(out.last_hidden_state[:, -1:]).expand(-1, beams, -1)
        """Logits (n, beams, vocabulary) of the first token, equal in all beams."""

    def step(self, tokens: Tensor, parents: Tensor) -> Tensor:
        """Append `tokens` (n, beams) to the captions of beams `parents` (n, beams); return the next logits.

        Afterwards beam j is what was beam parents[:, j], with its token. Logits are (n, beams, vocabulary).
        """
        return self.model.lm_head(self.grow(tokens, parents))

    def grow(self, tokens: Tensor, parents: Tensor) -> Tensor:
        """Do as `step` does, but return the last hidden states (n, beams, width), which the logits are made of."""
        self._see(parents)
        body = self.model.transformer
        hidden = body.wte(tokens) + body.wpe.weight[self.depth]
        block: Any  # nn.ModuleList does not know its members' type
        for index, block in enumerate(body.h):
            hidden = hidden + self._attend(index, block.attn, block.ln_1(hidden))
            hidden = hidden + block.mlp(block.ln_2(hidden))
        self.depth += 1
        self.used += self.beams
        return body.ln_f(hidden)

    def keep(self, images: Tensor) -> None:
        """Drop all images but those at these indices (int64)."""
        self.visible = self.visible[images]
        self.cache = [(keys[images], values[images]) for keys, values in self.cache]

    def _see(self, parents: Tensor) -> None:
        """Let each beam see what its parent saw, and its own new token."""
        inherited = self.visible.gather(1, parents.unsqueeze(-1).expand_as(self.visible))
        own = torch.eye(self.beams, dtype=torch.bool, device=parents.device).expand(len(parents), -1, -1)
        self.visible = torch.cat([inherited, own], dim=2)

    def _attend(self, index: int, attention: GPT2Attention, x: Tensor) -> Tensor:
        parts = attention.c_attn(x).chunk(3, dim=-1)
        heads = attention.num_heads
        query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts)
        keys, values = self._remember(index, key, value)
        mixed = F.scaled_dot_product_attention(query, keys, values, attn_mask=self.visible.unsqueeze(1))
        return attention.c_proj(mixed.transpose(1, 2).flatten(-2))

    def _remember(self, index: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write a layer's new keys and values behind the old ones; return all (n, heads, positions, size)."""
        end = self.used + self.beams
        keys, values = self.cache[index]
        if keys.shape[2] < end:
            room = end + _GROWTH * self.beams - keys.shape[2]
            keys, values = F.pad(keys, (0, 0, 0, room)), F.pad(values, (0, 0, 0, room))
            self.cache[index] = keys, values
        keys[:, :, self.used : end], values[:, :, self.used : end] = key, value
        return keys[:, :, :end], values[:, :, :end]
