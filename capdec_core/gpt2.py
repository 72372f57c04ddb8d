"""GPT-2's blocks over a prefix and captions of unequal length: transformers' modules and weights, no wasted work.

Captions of a batch differ in length, and places behind a caption's end say nothing. Here they are not computed: all
layers that treat each place alone see the real places only, one below the other; attention alone sees them on a grid.
Nor does the last block compute places whose outputs nobody reads. transformers' own forward pass would do both, and
makes a mask, a cache and position checks at every call, one of which waits for the device.
"""

from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import GPT2LMHeadModel, PreTrainedModel
from transformers.models.gpt2.modeling_gpt2 import GPT2Attention, GPT2Block

from capdec_core.attention import attend

TILE = 32
"""Under autocast, places come in multiples of this: matrix units work in tiles, and a CPU's library makes a kernel for
each shape that it meets, which takes longer than the product."""


@dataclass(frozen=True)
class Grid:
    """Real places on a grid (rows, length), and how to come from one to the other.

    `places` (real,) numbers them row by row; None: every place of the grid counts as real.
    """

    rows: int
    length: int
    places: Tensor | None

    @classmethod
    def of(cls, real: Tensor, count: int | None) -> "Grid":
        """Return the grid on which `real` (rows, length; bool) is true `count` times; None: take all for real.

        The count is known beforehand, so the device is not waited for.
        """
        rows, length = real.shape
        return cls(rows, length, None if count is None else true_places(real.flatten(), count))

    def packed(self, grid: Tensor) -> Tensor:
        """Return the real places of (rows, length, ...) one below the other: (real, ...)."""
        flat = grid.flatten(0, 1)
        return flat if self.places is None else flat.index_select(0, self.places)

    def spread(self, packed: Tensor) -> Tensor:
        """Return (real, width) on the grid: (rows, length, width), zero elsewhere."""
        if self.places is not None:
            empty = packed.new_zeros(self.rows * self.length, packed.shape[-1])
            packed = empty.index_put((self.places,), packed)  # unlike index_copy, keeps no copy for backward
        return packed.unflatten(0, (self.rows, self.length))


def true_places(flags: Tensor, count: int) -> Tensor:
    """Return where `flags` (n,; bool) are true, in order, if they are so `count` times; nothing is waited for."""
    return torch.argsort(flags.logical_not().to(torch.uint8), stable=True)[:count]


@dataclass(frozen=True)
class Continuation:
    """Places of prefixes of k vectors with captions of `lengths` (batch,) behind them, padded to `width` tokens.

    `seen` is the grid (batch, k + width) of all inputs. `read` is the grid (batch, width + 1) of those whose
    outputs predict a token or end of text: the prefix's last place and the caption's. `readers` are their numbers
    among the packed inputs.
    """

    seen: Grid
    read: Grid
    readers: Tensor

    @classmethod
    def of(cls, lengths: Tensor, prefix: int, width: int, total: int | None) -> "Continuation":
        """`total` is the sum of the lengths, known on the host; None: padded places are computed like others.

        Under autocast up to `TILE` - 1 padded places are taken for real, so that the number of inputs is a multiple.
        """
        rows = len(lengths)
        if total is not None and torch.is_autocast_enabled(lengths.device.type):
            total += min(-(rows * prefix + total) % TILE, rows * width - total)
        place = torch.arange(prefix + width, device=lengths.device)
        real = place < (prefix + lengths).unsqueeze(1)
        seen = Grid.of(real, None if total is None else rows * prefix + total)
        read = Grid.of(real[:, prefix - 1 :], None if total is None else rows + total)
        wanted = seen.packed((place >= prefix - 1).expand(rows, -1))
        count = rows * (width + 1) if total is None else rows + total
        return cls(seen, read, true_places(wanted, count))


def is_plain(model: PreTrainedModel) -> TypeGuard[GPT2LMHeadModel]:
    """Tell whether a model is a GPT-2 as published, which is what this module computes."""
    if not isinstance(model, GPT2LMHeadModel):
        return False
    config = model.config
    varied = config.scale_attn_by_inverse_layer_idx or config.reorder_and_upcast_attn
    return config.scale_attn_weights and not (varied or config.add_cross_attention)


def hidden_states(model: GPT2LMHeadModel, inputs: Tensor, places: Continuation, *, offset: int = 0) -> Tensor:
    """Return the last hidden states (read, width) of the places that are read.

    `inputs` (batch, length, width) are prefix vectors and token embeddings; they stand at positions `offset` and
    after, which must exist. Attention is causal. The values are those of `GPT2Model.forward` at these places.
    """
    body = model.transformer
    at = body.wpe.weight[offset : offset + inputs.shape[1]]
    hidden = body.drop(places.seen.packed(inputs + at))
    *before, last = body.h
    for block in before:
        hidden = _passed(block, hidden, places.seen)
    return body.ln_f(_read(last, hidden, places))


def _passed(block: nn.Module, hidden: Tensor, grid: Grid) -> Tensor:
    assert isinstance(block, GPT2Block)  # nn.ModuleList does not know its members' type
    query, key, value = grid.spread(block.attn.c_attn(block.ln_1(hidden))).chunk(3, dim=-1)
    mixed = _attended(block.attn, query, key, value, None)
    hidden = hidden + _projected(block.attn, grid.packed(mixed))
    return hidden + block.mlp(block.ln_2(hidden))


def _read(block: nn.Module, hidden: Tensor, places: Continuation) -> Tensor:
    """Pass the last block at the places that are read; the others give keys and values only."""
    assert isinstance(block, GPT2Block)
    normed, width = block.ln_1(hidden), hidden.shape[-1]
    weights = block.attn.c_attn.weight.split([width, 2 * width], dim=1)
    biases = block.attn.c_attn.bias.split([width, 2 * width])
    query = places.read.spread(F.linear(normed.index_select(0, places.readers), weights[0].t(), biases[0]))
    key, value = places.seen.spread(F.linear(normed, weights[1].t(), biases[1])).chunk(2, dim=-1)
    first = places.seen.length - places.read.length
    shape = places.read.length, places.seen.length
    visible = torch.ones(shape, dtype=torch.bool, device=hidden.device).tril(first)
    mixed = _attended(block.attn, query, key, value, visible)
    hidden = hidden.index_select(0, places.readers) + _projected(block.attn, places.read.packed(mixed))
    return hidden + block.mlp(block.ln_2(hidden))


def _attended(
    attention: GPT2Attention, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None
) -> Tensor:
    """Attend, causally unless what is `visible` is given: (batch, queries, width)."""
    queries, keys, values = (
        part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for part in (query, key, value)
    )
    mixed = attend(
        queries,
        keys,
        values,
        attn_mask=visible,
        is_causal=visible is None,
        dropout_p=attention.attn_dropout.p if attention.training else 0.0,
    )
    return mixed.transpose(1, 2).flatten(-2)


def _projected(attention: GPT2Attention, mixed: Tensor) -> Tensor:
    return attention.resid_dropout(attention.c_proj(mixed))
