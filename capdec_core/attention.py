"""Scaled dot-product attention as PyTorch computes it fastest."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def attend(queries: Tensor, keys: Tensor, values: Tensor, **settings: Any) -> Tensor:
    """Return `F.scaled_dot_product_attention` of (batch, heads, length, width).

    Where a CPU computes in bfloat16 this is done in float32, and returned so: over a few places, PyTorch's attention
    with its gradient takes about ten times as long in bfloat16 there.
    """
    if queries.device.type == "cpu" and queries.dtype == torch.bfloat16:
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(queries.float(), keys.float(), values.float(), **settings)
    return F.scaled_dot_product_attention(queries, keys, values, **settings)
