"""What all ways of decoding share: prefixes in batches, and one caption a row that grows token by token."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor

from capdec_core.captioner import Captioner
from capdec_core.errors import CapdecError
from capdec_core.incremental import BeamTree

BATCH = 128
"""Images decoded at once, where the caller does not say."""


@contextmanager
def evaluating(captioner: Captioner, max_tokens: int, room: int) -> Iterator[None]:
    """Evaluation mode without gradients, after a check that `max_tokens` fit in `room`; training mode comes back.

    Raises CapdecError if `max_tokens` is not in 1..room.
    """
    if not 1 <= max_tokens <= room:
        raise CapdecError(f"max_tokens must lie in 1..{room} for this captioner, not {max_tokens}")
    was = captioner.training
    captioner.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        captioner.train(was)


def prefixes(captioner: Captioner, embeddings: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Yield the prefixes (batch, k, width) of embeddings (n, d), `batch_size` images at a time."""
    device = next(captioner.parameters()).device
    for part in embeddings.split(batch_size):
        yield captioner.prefix(part.to(device))


class Writer(Protocol):
    """Writes captions, one a row of its tree, a token at a time."""

    tree: BeamTree

    def write(self) -> Tensor:
        """Return the next token of each row, int64 (rows,)."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Go on with the rows at these indices (int64) alone."""
        ...


class Stepwise:
    """Writes what `choose` makes of each position's logits: it maps (rows, vocabulary) to tokens (rows,)."""

    def __init__(self, tree: BeamTree, choose: Callable[[Tensor], Tensor]) -> None:
        """Begin captions at a tree of one beam."""
        self.tree, self.choose = tree, choose
        self.last: Tensor | None = None

    def write(self) -> Tensor:
        """Return the next token of each row, int64 (rows,)."""
        if self.last is None:
            logits = self.tree.first_logits
        else:
            logits = self.tree.step(self.last[:, None], torch.zeros_like(self.last)[:, None])
        self.last = self.choose(logits[:, 0])
        return self.last

    def keep(self, rows: Tensor) -> None:
        """Go on with the rows at these indices (int64) alone."""
        assert self.last is not None  # a row is only left after its end was written
        self.tree.keep(rows)
        self.last = self.last[rows]


def unroll(writer: Writer, eos_id: int, max_tokens: int) -> list[list[int]]:
    """Return each row's caption, up to its end of text or `max_tokens`; rows that are done leave the batch."""
    first = writer.tree.first_logits
    rows = torch.arange(len(first), device=first.device)  # the unfinished ones
    written = torch.full((len(rows), max_tokens), eos_id, device=first.device)
    for step in range(max_tokens):
        tokens = writer.write()
        written[rows, step] = tokens
        going = (tokens != eos_id).nonzero().squeeze(1)
        if len(going) == 0:
            break
        if len(going) < len(rows):
            writer.keep(going)
            rows = rows[going]
    return [until_end(caption, eos_id) for caption in written.tolist()]


def until_end(tokens: list[int], eos_id: int) -> list[int]:
    """Return the tokens before the first end of text."""
    return tokens[: tokens.index(eos_id)] if eos_id in tokens else tokens
