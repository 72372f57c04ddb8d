"""The prefix language model: its shape, and its loss after a prefix, the same for GPT-2 and any other causal model.

A model is transformers' own; what is asked of it is here (`continuation_loss`, `language_model_loss`) and in
`capdec_core.incremental` (decoding). GPT-2 is computed by `capdec_core.gpt2`, without padding, every other
architecture by its own forward pass (`capdec_core.causal`). `capdec_core.pretrained` finds models by name.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from capdec_core import causal, gpt2
from capdec_core.gpt2 import Continuation

IGNORED = -100  # marks a padded target; no token has this id


@dataclass(frozen=True)
class LanguageModelConfig:
    """Shape of a language model that the corpus's own text trains: a GPT-2 of this size.

    `positions` bounds prefix and caption together, end of text included. `tuned` False freezes every
    weight. End of text is the last id, `vocab_size - 1`, as in GPT-2's own vocabulary. `dropout` is GPT-2's
    (embeddings, attention, residuals): .1 at paper scale; 0, the default, for the small models here, which
    see too few steps to overfit. `unknown_id` stands for rare words: it is read and never predicted.

    Raises ValueError for a size below 1, heads that do not divide the width, or dropout outside [0, 1).
    """

    vocab_size: int
    width: int
    layers: int
    heads: int
    positions: int
    tuned: bool
    dropout: float = 0.0
    unknown_id: int | None = None

    def __post_init__(self) -> None:
        for name in ("vocab_size", "width", "layers", "heads", "positions"):
            if getattr(self, name) < 1:
                raise ValueError(f"language model {name} must be at least 1, not {getattr(self, name)}")
        if self.width % self.heads:
            raise ValueError(
                f"language model heads must divide its width: {self.heads} heads, width {self.width}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"language model dropout must lie in [0, 1), not {self.dropout}")

    @property
    def eos_id(self) -> int:
        """Id of the end-of-text token."""
        return self.vocab_size - 1


@dataclass(frozen=True, kw_only=True)
class PretrainedConfig(LanguageModelConfig):
    """A pre-trained language model: where it comes from, beside the shape that its own configuration states.

    `name` is what `capdec_core.pretrained` finds it by, `weights` the hash of the files that hold its weights,
    `architecture` what transformers calls its kind. `inner` is the width of a block's hidden layer, `dropout` the
    model's own, which counts where it is tuned, and `end_id` its own end of text.
    """

    name: str
    weights: str
    architecture: str
    inner: int
    end_id: int

    @property
    def eos_id(self) -> int:
        """Id of the end-of-text token."""
        return self.end_id


def language_model_config(data: dict[str, Any]) -> LanguageModelConfig:
    """Invert `dataclasses.asdict` of either kind; raises TypeError or ValueError for anything else."""
    return (PretrainedConfig if "name" in data else LanguageModelConfig)(**data)


def build_language_model(config: LanguageModelConfig) -> GPT2LMHeadModel:
    """Return a GPT-2 with random weights (drawn from the global generator), frozen unless `config.tuned`.

    The activation is GPT-2's tanh approximation of GELU in its fused form.
    """
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.positions,
            n_embd=config.width,
            n_layer=config.layers,
            n_head=config.heads,
            activation_function="gelu_pytorch_tanh",
            resid_pdrop=config.dropout,
            embd_pdrop=config.dropout,
            attn_pdrop=config.dropout,
            bos_token_id=config.eos_id,
            eos_token_id=config.eos_id,
            unk_token_id=config.unknown_id,
            attn_implementation="sdpa",  # type: ignore[call-arg]
        )
    )
    return model.requires_grad_(config.tuned)


def targets(tokens: Tensor, lengths: Tensor, eos_id: int, unknown_id: int | None = None) -> Tensor:
    """Return what must be predicted: each caption but its unknown words, then end of text, then IGNORED.

    `tokens` (batch, t) are padded at the right with any id and `lengths` (batch,) count real tokens; the
    result is (batch, t + 1). Padding is told by length, never by id: id 0 is a token like any other.
    """
    if unknown_id is not None:
        tokens = tokens.masked_fill(tokens == unknown_id, IGNORED)
    place = torch.arange(tokens.shape[1] + 1, device=tokens.device)
    end = lengths.unsqueeze(1)
    padded = F.pad(tokens, (0, 1))
    return torch.where(place < end, padded, torch.where(place == end, eos_id, IGNORED))


def continuation_loss(
    model: PreTrainedModel,
    prefix: Tensor,
    tokens: Tensor,
    lengths: Tensor,
    *,
    total: int | None = None,
    offset: int = 0,
    per_sample: bool = False,
) -> Tensor:
    """Return the mean negative log-likelihood (nats) of captions and their end of text after a prefix.

    `prefix` (batch, k, width), `tokens` (batch, t) padded at the right, `lengths` (batch,). The prefix starts
    at position `offset`, and its last vector predicts the first token; offset + k + t positions must be
    there. Logits are made at caption positions only; with `total`, the sum of the lengths, not at padded ones, and
    GPT-2 does not compute padding at all. No attention mask is needed: attention is causal, so padding at the right
    reaches no real position. The mean is over all tokens of the batch, or over each caption's own, (batch,), with
    `per_sample`.
    """
    places = Continuation.of(lengths, prefix.shape[1], tokens.shape[1], total)
    unknown = getattr(model.config, "unk_token_id", None)
    wanted = places.read.packed(targets(tokens, lengths, _eos_id(model), unknown))
    inputs = torch.cat([prefix, model.get_input_embeddings()(tokens)], dim=1)
    logits = model.get_output_embeddings()(_hidden_states(model, inputs, places, offset))
    if not per_sample:
        return F.cross_entropy(logits, wanted, ignore_index=IGNORED)
    each = F.cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="none")
    predicted = (wanted != IGNORED).to(each.dtype)
    sums = (places.read.spread(column.unsqueeze(1)).sum(dim=(1, 2)) for column in (each, predicted))
    return next(sums) / next(sums)


def language_model_loss(
    model: PreTrainedModel,
    tokens: Tensor,
    lengths: Tensor,
    *,
    total: int | None = None,
    offset: int = 0,
) -> Tensor:
    """Return the mean negative log-likelihood (nats) of captions alone, the first token after end of text.

    `tokens` (batch, t) are padded at the right and `lengths` (batch,) count real tokens, `total` in all. End of
    text stands at position `offset`, the captions behind it.
    """
    embeddings: Any = model.get_input_embeddings()  # transformers types it as any module
    start = embeddings.weight[_eos_id(model)].expand(len(tokens), 1, -1)
    return continuation_loss(model, start, tokens, lengths, total=total, offset=offset)


def _hidden_states(model: PreTrainedModel, inputs: Tensor, places: Continuation, offset: int) -> Tensor:
    if gpt2.is_plain(model):
        return gpt2.hidden_states(model, inputs, places, offset=offset)
    return causal.hidden_states(model, inputs, places, offset=offset)


def _eos_id(model: PreTrainedModel) -> int:
    end = model.config.eos_token_id
    assert isinstance(end, int)  # transformers also allows several
    return end
