"""The product that makes logits of hidden states, at the speed of a CPU's caches.

PyTorch's product of a few hundred rows with a large vocabulary's weights runs at two thirds of the speed of the same
product turned round, and its result is larger than a cache. Here a slice of the vocabulary is multiplied at a time,
turned round, and put in its place while it is still near.
"""

from torch import Tensor, nn

from capdec_core.scratch import Scratch

_SLICE = 2048  # tokens of the vocabulary at a time: a few MB for some hundred rows


class VocabularyHead:
    """A language model's output layer, for inference."""

    def __init__(self, head: nn.Module) -> None:
        self._head = head
        self._scratch = Scratch()

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., vocabulary) of last hidden states (..., width), good until the next call."""
        head = self._head
        if not (isinstance(head, nn.Linear) and head.bias is None and _pays(head.weight)):
            return head(hidden)
        rows = hidden.flatten(0, -2)
        logits = self._scratch.empty(len(rows), len(head.weight), like=hidden)
        for start in range(0, len(head.weight), _SLICE):
            part = head.weight[start : start + _SLICE]
            logits[:, start : start + len(part)] = (part @ rows.t()).t()
        return logits.view(*hidden.shape[:-1], -1)


def _pays(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and len(weight) > _SLICE
