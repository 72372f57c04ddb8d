"""Whether a language model is one that can be used: our ways of computing it against its own, on a few tokens.

Nearly every causal model of transformers can be. What cannot: logits that are not the output layer's alone, a cache
that is not keys and values, attention that a mask does not rule.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from capdec_core.errors import CapdecError
from capdec_core.incremental import BeamTree
from capdec_core.language_model import continuation_loss, targets

TOLERANCE = 1e-3
"""Of a difference, against the largest logit."""
PREFIX = (5, 6)
FIRST, SECOND, PARENTS = (7, 9), (8, 10), (1, 0)
"""Two captions of one image that swap beams between their tokens."""


@torch.no_grad()
def require_readable(model: PreTrainedModel, name: str) -> None:
    """Raise CapdecError unless loss and decoding give what the model's own forward pass gives."""
    model.eval()
    try:
        worst = max(_loss_error(model), _decoding_error(model))
    except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        raise CapdecError(f"language model {name!r} cannot be given a prefix: {error}") from None
    if not worst < TOLERANCE:  # not a number is none either
        raise CapdecError(
            f"language model {name!r} computes in a way that is not known here: it differs by {worst:.2g} from its own"
        )


def _loss_error(model: PreTrainedModel) -> float:
    tokens = _ids(model, [FIRST + SECOND, SECOND + FIRST])
    lengths = torch.tensor([4, 2])
    prefix = _embedded(model, _ids(model, [PREFIX, PREFIX]))
    ours = continuation_loss(model, prefix, tokens, lengths)
    logits = _own_logits(model, torch.cat([_ids(model, [PREFIX, PREFIX]), tokens], dim=1))[:, 1:]
    wanted = targets(tokens, lengths, model.config.eos_token_id)
    theirs = F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
    return float((ours - theirs).abs() / theirs.abs())


def _decoding_error(model: PreTrainedModel) -> float:
    tree = BeamTree(model, _embedded(model, _ids(model, [PREFIX])), 2)
    tree.step(_ids(model, [FIRST]), torch.tensor([[0, 0]]))
    ours = tree.step(_ids(model, [SECOND]), torch.tensor([PARENTS]))[0]
    told = [(*PREFIX, FIRST[parent], second) for parent, second in zip(PARENTS, SECOND, strict=True)]
    theirs = _own_logits(model, _ids(model, told))[:, -1]
    return float((ours - theirs).abs().max() / theirs.abs().max())


def _ids(model: PreTrainedModel, rows: Sequence[tuple[int, ...]]) -> Tensor:
    return torch.tensor(rows) % model.config.vocab_size


def _embedded(model: PreTrainedModel, ids: Tensor) -> Tensor:
    return model.get_input_embeddings()(ids)


def _own_logits(model: PreTrainedModel, ids: Tensor) -> Tensor:
    return model(inputs_embeds=_embedded(model, ids), use_cache=False).logits
