"""Greedy search: always the likeliest next token."""

from torch import Tensor

from capdec_core.captioner import Captioner
from capdec_core.decoding.rollout import BATCH, Stepwise, evaluating, prefixes, unroll
from capdec_core.incremental import BeamTree


def greedy(
    captioner: Captioner, embeddings: Tensor, *, eos_id: int, max_tokens: int, batch_size: int = BATCH
) -> list[list[int]]:
    """Return the most likely next token again and again, for each embedding (n, d), without end of text.

    The tokens are those of transformers' `generate(do_sample=False)`. `max_tokens` counts end of text.
    Raises CapdecError if the language model has no room for `max_tokens`.
    """
    captions: list[list[int]] = []
    with evaluating(captioner, max_tokens, captioner.config.max_tokens):
        for prefix in prefixes(captioner, embeddings, batch_size):
            tree = BeamTree(captioner.language_model, prefix, 1)
            captions += unroll(Stepwise(tree, _likeliest), eos_id, max_tokens)
    return captions


def _likeliest(logits: Tensor) -> Tensor:
    return logits.argmax(dim=-1)
