"""Beam search in batches, the images that are done leaving the batch."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from capdec_core.captioner import Captioner
from capdec_core.decoding.rollout import BATCH, evaluating, prefixes, until_end
from capdec_core.incremental import BeamTree
from capdec_core.scratch import Scratch

_NEVER = -1e9  # score of a caption that does not exist, as in transformers


def beam(
    captioner: Captioner,
    embeddings: Tensor,
    *,
    eos_id: int,
    max_tokens: int,
    beams: int = 5,
    batch_size: int = BATCH,
) -> list[list[int]]:
    """Return each embedding's (n, d) best caption by beam search: the first of `beam_candidates`."""
    found = beam_candidates(
        captioner, embeddings, eos_id=eos_id, max_tokens=max_tokens, beams=beams, batch_size=batch_size
    )
    return [captions[0] for captions in found]


def beam_candidates(
    captioner: Captioner,
    embeddings: Tensor,
    *,
    eos_id: int,
    max_tokens: int,
    beams: int = 5,
    batch_size: int = BATCH,
) -> list[list[list[int]]]:
    """Return each embedding's (n, d) `beams` captions by beam search, the best first, without end of text.

    Score: log-probability divided by the number of tokens, end of text included. The tokens are those of
    transformers' `generate(num_beams=beams, num_return_sequences=beams, length_penalty=1.0,
    early_stopping=False)`: an image is done when it has `beams` finished captions and its best unfinished
    one, at its present length, scores no better than the worst of them. `max_tokens` counts end of text.

    Raises CapdecError if the language model has no room for `max_tokens`.
    """
    with evaluating(captioner, max_tokens, captioner.config.max_tokens):
        parts = [
            _search(BeamTree(captioner.language_model, prefix, beams), eos_id, max_tokens)
            for prefix in prefixes(captioner, embeddings, batch_size)
        ]
    return [captions for part in parts for captions in part]


@dataclass
class _Beams:
    """Beam search's state for n images; past a caption's end stands end of text.

    `running` (n, beams, tokens) are the unfinished captions, `log_probs` (n, beams) their log-probabilities;
    `finished` (n, beams, tokens) are the best finished ones and `scores` (n, beams) theirs, best first.
    """

    running: Tensor
    log_probs: Tensor
    finished: Tensor
    scores: Tensor
    scratch: Scratch = field(default_factory=Scratch)

    @classmethod
    def start(cls, tree: BeamTree, eos_id: int, max_tokens: int) -> "_Beams":
        """One empty caption an image; the other beams do not exist yet."""
        images, beams = tree.first_logits.shape[:2]
        device = tree.first_logits.device
        running = torch.full((images, beams, max_tokens), eos_id, device=device)
        log_probs = torch.full((images, beams), _NEVER, device=device)
        log_probs[:, 0] = 0
        return cls(running, log_probs, running.clone(), torch.full_like(log_probs, _NEVER))

    def keep(self, images: Tensor) -> None:
        """Drop all images but those at these indices."""
        self.running, self.log_probs = self.running[images], self.log_probs[images]
        self.finished, self.scores = self.finished[images], self.scores[images]

    def advance(self, logits: Tensor, step: int, eos_id: int) -> tuple[Tensor, Tensor]:
        """Extend every caption by its likeliest tokens; return the new tokens and their parent beams.

        Twice as many candidates as beams are looked at, so that enough are left when many end.
        """
        beams, last = logits.shape[1], step + 1 == self.running.shape[2]
        totals = torch.log_softmax(
            logits.float(), dim=-1, out=self.scratch.empty(*logits.shape, like=self.log_probs)
        )
        scores, places = totals.add_(self.log_probs.unsqueeze(-1)).flatten(1).topk(2 * beams)
        parents, tokens = places // logits.shape[2], places % logits.shape[2]
        ends = torch.ones_like(tokens, dtype=torch.bool) if last else tokens == eos_id
        self._finish(scores, parents, tokens, ends, step)
        self.log_probs, chosen = scores.masked_fill(ends, _NEVER).topk(beams)
        tokens, parents = tokens.gather(1, chosen), parents.gather(1, chosen)
        self.running = _extended(self.running, parents, tokens, step)
        return tokens, parents

    def _finish(self, scores: Tensor, parents: Tensor, tokens: Tensor, ends: Tensor, step: int) -> None:
        """Rank the candidates that end, if among the first `beams`, with the captions finished before."""
        beams = self.running.shape[1]
        ended = (scores / (step + 1)).masked_fill(~ends, _NEVER)[:, :beams]
        captions = _extended(self.running, parents[:, :beams], tokens[:, :beams], step)
        self.scores, order = torch.cat([self.scores, ended], dim=1).topk(beams)
        self.finished = _rows(torch.cat([self.finished, captions], dim=1), order)

    def can_improve(self, step: int) -> Tensor:
        """Return which images (n,) may still find a better caption, by transformers' rule."""
        return self.log_probs[:, 0] / (step + 1) > self.scores[:, -1]


def _rows(captions: Tensor, order: Tensor) -> Tensor:
    """Return captions (n, rows, tokens) at these indices (n, k) of their second dimension."""
    return captions.gather(1, order.unsqueeze(-1).expand(-1, -1, captions.shape[2]))


def _extended(running: Tensor, parents: Tensor, tokens: Tensor, step: int) -> Tensor:
    """Return the parents' captions with one token more."""
    captions = _rows(running, parents)
    captions[:, :, step] = tokens
    return captions


def _search(tree: BeamTree, eos_id: int, max_tokens: int) -> list[list[list[int]]]:
    """Run beam search for one batch of images."""
    state = _Beams.start(tree, eos_id, max_tokens)
    images = torch.arange(len(state.running), device=state.running.device)
    written = state.finished.clone()
    logits = tree.first_logits
    for step in range(max_tokens):
        tokens, parents = state.advance(logits, step, eos_id)
        written[images] = state.finished
        going = state.can_improve(step).nonzero().squeeze(1)
        if step + 1 == max_tokens or len(going) == 0:
            break
        if len(going) < len(images):
            tree.keep(going)
            state.keep(going)
            images, tokens, parents = images[going], tokens[going], parents[going]
        logits = tree.step(tokens, parents)
    return [[until_end(caption, eos_id) for caption in captions] for captions in written.tolist()]
