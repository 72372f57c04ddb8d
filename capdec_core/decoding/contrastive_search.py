"""Contrastive search: a likely next token whose hidden state is unlike all before it (Su et al. 2022)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from capdec_core.captioner import Captioner
from capdec_core.decoding.rollout import BATCH, evaluating, prefixes, unroll
from capdec_core.incremental import BeamTree


def contrastive(
    captioner: Captioner,
    embeddings: Tensor,
    *,
    alpha: float,
    k: int,
    eos_id: int,
    max_tokens: int,
    batch_size: int = BATCH,
) -> list[list[int]]:
    """Return each embedding's (n, d) caption by contrastive search, without end of text.

    Of the `k` likeliest tokens v, the one with the highest (1 - alpha) p(v | x) - alpha max_j cos(h_v, h_j)
    is written: h_v is the last hidden state that v would have at this position, and j runs over all positions
    before it, the prefix's among them ("A Contrastive Framework for Neural Text Generation", Su et al. 2022,
    equation 5, where the context counts from its first token; transformers' `penalty_alpha` does the same).
    Here the prefix is the mapper's, not words. `alpha` 0 is greedy search. `max_tokens` counts end of text.

    Raises ValueError for alpha outside [0, 1] or k outside 1..vocabulary, CapdecError if the language model
    has no room for `max_tokens`: one fewer than elsewhere, since the last token too is read before it is chosen.
    """
    if not 0 <= alpha <= 1 or not 1 <= k <= captioner.config.language_model.vocab_size:
        raise ValueError(f"alpha must lie in [0, 1] and k in 1..vocabulary, not {alpha} and {k}")
    captions: list[list[int]] = []
    with evaluating(captioner, max_tokens, captioner.config.max_tokens - 1):
        for prefix in prefixes(captioner, embeddings, batch_size):
            tree = BeamTree(captioner.language_model, prefix, k)
            captions += unroll(_Contrastive(tree, alpha), eos_id, max_tokens)
    return captions


class _Contrastive:
    """Writes captions on a tree whose beams are the candidates of one position, all grown from the chosen one.

    `logits` (rows, vocabulary) are the next position's, `context` (rows, positions, width) the directions of
    the hidden states so far, `chosen` (rows, 1) the beam that the last token stands on.
    """

    def __init__(self, tree: BeamTree, alpha: float) -> None:
        self.tree, self.alpha = tree, alpha
        self.logits = tree.first_logits[:, 0]
        self.context = F.normalize(tree.prefix_hidden, dim=-1)
        self.chosen = torch.zeros(len(self.logits), 1, dtype=torch.int64, device=self.logits.device)

    def write(self) -> Tensor:
        """Return the next token of each row, int64 (rows,)."""
        shares, candidates = self.logits.softmax(dim=-1).topk(self.tree.beams)
        hidden = self.tree.grow(candidates, self.chosen.expand_as(candidates))
        directions = F.normalize(hidden, dim=-1)
        penalty = (directions @ self.context.transpose(1, 2)).amax(dim=-1)
        score = (1 - self.alpha) * shares - self.alpha * penalty
        self.chosen = score.argmax(dim=-1, keepdim=True)
        self.context = torch.cat([self.context, _at(directions, self.chosen)], dim=1)
        self.logits = self.tree.logits(_at(hidden, self.chosen).squeeze(1))
        return candidates.gather(1, self.chosen).squeeze(1)

    def keep(self, rows: Tensor) -> None:
        """Go on with the rows at these indices (int64) alone."""
        self.tree.keep(rows)
        self.logits, self.context, self.chosen = self.logits[rows], self.context[rows], self.chosen[rows]


def _at(states: Tensor, beam: Tensor) -> Tensor:
    """Return the states (rows, 1, width) of one beam a row, of (rows, beams, width)."""
    return states.gather(1, beam.unsqueeze(-1).expand(-1, -1, states.shape[2]))
