"""The product that makes logits of hidden states, at the speed of a CPU's caches.

The logits of a few hundred rows are larger than a cache, and as fresh memory they cost nearly as much as the
arithmetic. Here a slice of the vocabulary is multiplied at a time and put in its place, in memory that stays, while it
is still near.
"""

from torch import Tensor, nn

from capdec_core.packed_linear import PackedLinear, pays
from capdec_core.scratch import Scratch

_SLICE = 2048  # tokens of the vocabulary at a time: a few MB for some hundred rows


class VocabularyHead:
    """A language model's output layer, for inference."""

    def __init__(self, head: nn.Module) -> None:
        self._head = head
        self._scratch = Scratch()
        self._slices: list[PackedLinear] = []
        if isinstance(head, nn.Linear) and head.bias is None and pays(head.weight):
            self._slices = [PackedLinear(part, None).pack() for part in head.weight.split(_SLICE)]

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., vocabulary) of last hidden states (..., width), good until the next call."""
        if not self._slices:
            return self._head(hidden)
        rows = hidden.flatten(0, -2)
        logits = self._scratch.empty(len(rows), sum(len(part.weight) for part in self._slices), like=hidden)
        for part, place in zip(self._slices, logits.split(_SLICE, dim=1), strict=True):
            place.copy_(part(rows))
        return logits.view(*hidden.shape[:-1], -1)
