"""Sampling: from the model's probabilities as they are, from the k likeliest tokens, or from the nucleus."""

import torch
from torch import Tensor

from capdec_core.captioner import Captioner
from capdec_core.decoding.rollout import BATCH, Stepwise, evaluating, prefixes, unroll
from capdec_core.incremental import BeamTree


def sample(
    captioner: Captioner,
    embeddings: Tensor,
    *,
    n: int,
    generator: torch.Generator,
    eos_id: int,
    max_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    batch_size: int = BATCH,
) -> list[list[list[int]]]:
    """Return `n` captions drawn for each embedding (rows, d), without end of text.

    Logits are divided by `temperature`; of the `top_k` likeliest tokens, the fewest whose probabilities sum
    to at least `top_p` are drawn from (nucleus sampling, Holtzman et al. 2020), as transformers does it.
    `generator` lives on the captioner's device; the same state and `batch_size` (images at once, `n` captions
    each) give the same captions.

    Raises ValueError for a setting without meaning, CapdecError if there is no room for `max_tokens`.
    """
    if n < 1 or temperature <= 0 or not 0 < top_p <= 1 or (top_k is not None and top_k < 1):
        raise ValueError("n and top_k must be at least 1, temperature positive, and top_p in (0, 1]")

    def draw(logits: Tensor) -> Tensor:
        shares = truncated(logits / temperature, top_k, top_p).softmax(dim=-1)
        return torch.multinomial(shares, 1, generator=generator).squeeze(1)

    captions: list[list[int]] = []
    with evaluating(captioner, max_tokens, captioner.config.max_tokens):
        for prefix in prefixes(captioner, embeddings, batch_size):
            tree = BeamTree(captioner.language_model, prefix.repeat_interleave(n, dim=0), 1)
            captions += unroll(Stepwise(tree, draw), eos_id, max_tokens)
    return [captions[row : row + n] for row in range(0, len(captions), n)]


def truncated(logits: Tensor, top_k: int | None, top_p: float) -> Tensor:
    """Return logits (..., vocabulary) with minus infinity at the tokens that top-k and nucleus leave out."""
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[-1])).values[..., -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if top_p < 1:
        ascending, order = logits.sort(dim=-1)
        out = ascending.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
        out[..., -1] = False
        logits = logits.masked_fill(out.scatter(-1, order, out), -torch.inf)
    return logits
