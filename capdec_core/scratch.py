"""Memory that large results of a loop use again: fresh memory of tens of MB is given back to the system and costs
more to fill, page by page, than the arithmetic on it."""

import torch
from torch import Tensor


class Scratch:
    """Memory for one tensor at a time."""

    def __init__(self) -> None:
        self._memory = torch.empty(0)

    def empty(self, *shape: int, like: Tensor) -> Tensor:
        """Return a tensor of this shape with `like`'s type and device; whatever was returned before is overwritten."""
        size = torch.Size(shape).numel()
        memory = self._memory
        if len(memory) < size or (memory.dtype, memory.device) != (like.dtype, like.device):
            self._memory = torch.empty(size, dtype=like.dtype, device=like.device)
        return self._memory[:size].view(shape)
