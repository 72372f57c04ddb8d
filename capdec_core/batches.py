"""Captions packed without padding, and random batches of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from capdec_core.errors import CapdecError


@dataclass(frozen=True)
class PackedCaptions:
    """Token ids of n captions end to end (int32), where each starts and how long it is (int64, n)."""

    flat: Tensor
    starts: Tensor
    lengths: Tensor

    @classmethod
    def pack(cls, captions: Sequence[Sequence[int]]) -> "PackedCaptions":
        """Pack lists of token ids, without end of text; raises CapdecError for no captions at all."""
        if not captions:
            raise CapdecError("there are no captions to train on")
        lengths = torch.tensor([len(caption) for caption in captions])
        flat = torch.tensor([token for caption in captions for token in caption], dtype=torch.int32)
        return cls(flat, lengths.cumsum(0) - lengths, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def caption(self, row: int) -> Tensor:
        """Return one caption's token ids, without end of text."""
        return self.flat[self.starts[row] : self.starts[row] + self.lengths[row]]

    def to(self, device: torch.device) -> "PackedCaptions":
        """Return the same captions on `device`."""
        return PackedCaptions(self.flat.to(device), self.starts.to(device), self.lengths.to(device))

    def padded(self, rows: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """Return the tokens (..., width; int64) and lengths (...) of the captions at `rows` (...).

        Past a caption's end stand ids of its neighbours: lengths, not ids, tell what is real.
        """
        place = self.starts[rows].unsqueeze(-1) + torch.arange(width, device=rows.device)
        return self.flat[place.clamp_(max=max(len(self.flat) - 1, 0))].long(), self.lengths[rows]


@dataclass(frozen=True)
class Batch:
    """Rows of one batch (int64), the length of the longest caption among them, and their lengths' sum."""

    rows: Tensor
    width: int
    total: int


def batches(
    lengths: Tensor, batch_size: int, seed: int, start: int = 0, device: torch.device | str = "cpu"
) -> Iterator[Batch]:
    """Yield batches for ever, their rows on `device`, from number `start` on.

    The sequence is fixed by `lengths` (on the host), `batch_size` and `seed`. Each epoch draws an order and leaves
    out the remainder that fills no batch. Batches are random, not sorted by length: those of one length each
    teach worse (`benchmarks/losses.py`), and padding costs nothing where it is not computed. Nothing in an epoch
    waits for the device. Fewer captions than `batch_size` make one batch.
    """
    size = min(batch_size, len(lengths))
    in_epoch = len(lengths) // size
    while True:
        epoch, first = divmod(start, in_epoch)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        rows = torch.randperm(len(lengths), generator=generator)[: in_epoch * size].view(in_epoch, size)
        widths, totals = lengths[rows].amax(dim=1).tolist(), lengths[rows].sum(dim=1).tolist()
        resident = rows.to(device)
        for index in range(first, in_epoch):
            yield Batch(resident[index], widths[index], totals[index])
        start = (epoch + 1) * in_epoch


def side_by_side(runs: Sequence[Iterator[Batch]]) -> Iterator[Batch]:
    """Yield the batches of several seeds together: rows (runs, batch), the widest's width."""
    for together in zip(*runs, strict=True):
        rows = torch.stack([batch.rows for batch in together])
        yield Batch(rows, max(b.width for b in together), sum(b.total for b in together))
