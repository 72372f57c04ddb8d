"""A linear layer for inference on a CPU, computed by oneDNN on weights packed once.

PyTorch hands float32 products to MKL, which on AMD's CPUs goes no further than AVX2; oneDNN compiles kernels for
whatever the CPU has, AVX-512 too, and takes the GELU along. It compiles one for every number of rows that it meets, so
this is for large weights, or for numbers that recur. Where torch has no oneDNN, the layer is PyTorch's own.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WORTH_PACKING = 1 << 19
"""Elements of a weight from which on a product with a few hundred rows outweighs the making of its kernel."""


class PackedLinear(nn.Module):
    """Computes x W^T + b, or its GELU (the exact one, by the error function), for x (..., in): (..., out), float32."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.gelu = gelu
        self._packed: Tensor | None = None

    def pack(self) -> "PackedLinear":
        """Lay the weights out as oneDNN reads them, and return the layer, which is to stay where it is, on a CPU."""
        if has_onednn():
            self._packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach(), None)
        return self

    def forward(self, x: Tensor) -> Tensor:
        if self._packed is not None:
            after: tuple[str, list[float], str] = ("gelu", [], "none") if self.gelu else ("none", [], "")
            return torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, *after)
        product = F.linear(x, self.weight, self.bias)
        return F.gelu(product) if self.gelu else product


def pays(weight: Tensor) -> bool:
    """Tell whether a weight is worth packing for products with numbers of rows that vary."""
    return weight.device.type == "cpu" and weight.dtype == torch.float32 and weight.numel() >= WORTH_PACKING


def has_onednn() -> bool:
    """Tell whether this torch has oneDNN and the operators that its compiler calls it by."""
    named = ("_reorder_linear_weight", "_linear_pointwise")
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in named)
