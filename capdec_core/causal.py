"""Any causal language model of transformers over a prefix and captions, by its own forward pass."""

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from capdec_core.gpt2 import Continuation


def hidden_states(model: PreTrainedModel, inputs: Tensor, places: Continuation, *, offset: int = 0) -> Tensor:
    """Return the last hidden states (read, width) of the places that are read.

    `inputs` (batch, length, width) are prefix vectors and token embeddings; they stand at positions `offset` and
    after. Padding stands at the right, where no real place sees it, so there is nothing to mask; it is computed,
    and left out of what is returned.
    """
    body: Any = model.base_model
    where = torch.arange(offset, offset + inputs.shape[1], device=inputs.device) if offset else None
    out = body(
        inputs_embeds=inputs, position_ids=None if where is None else where.unsqueeze(0), use_cache=False
    )
    return places.read.packed(out.last_hidden_state[:, -places.read.length :])
