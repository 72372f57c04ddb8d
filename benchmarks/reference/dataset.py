"""The reference's dataset: each caption padded to one length for the whole corpus."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset


def maximum_length(lengths: Tensor) -> int:
    """Return what captions are padded or cut to: the mean length plus ten standard deviations, or the longest.

    `lengths` (n,) count every caption of the corpus with its end of text.
    """
    real = lengths.float()
    return min(int(real.mean() + 10 * real.std()), int(real.max()))


class CaptionDataset(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Captions with end of text, padded to `maximum`, their masks, and their embeddings."""

    def __init__(
        self,
        captions: Sequence[Sequence[int]],
        embeddings: Tensor,
        prefix_length: int,
        eos_id: int,
        maximum: int | None = None,
    ) -> None:
        """Take token ids without end of text and `embeddings` (n, d), one row a caption.

        `maximum` is the corpus's `maximum_length` where `captions` are a part of it; None: they are all of it.
        """
        self.tokens = [torch.tensor([*caption, eos_id]) for caption in captions]
        self.prefixes = embeddings
        self.prefix_length = prefix_length
        lengths = torch.tensor([len(caption) for caption in self.tokens])
        self.max_seq_len = maximum_length(lengths) if maximum is None else maximum

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens (max_seq_len,), mask (prefix_length + max_seq_len,) and embedding (d,)."""
        tokens = self.tokens[item]
        missing = self.max_seq_len - len(tokens)
        if missing > 0:
            tokens = torch.cat((tokens, torch.zeros(missing, dtype=torch.int64) - 1))
        else:
            tokens = tokens[: self.max_seq_len]
        mask = tokens.ge(0)
        tokens = torch.where(mask, tokens, 0)
        return tokens, torch.cat((torch.ones(self.prefix_length), mask.float())), self.prefixes[item]
