"""A packed linear layer computes what PyTorch's does, with oneDNN and without."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from capdec_core import packed_linear
from capdec_core.packed_linear import WORTH_PACKING, PackedLinear, has_onednn, pays


def _some(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("shape", [(), (3,), (5, 7), (0, 4)])
@torch.inference_mode()
def test_a_packed_layer_is_pytorchs(shape: tuple[int, ...], gelu: bool) -> None:
    x, weight, bias = _some(*shape, 32, seed=0), _some(48, 32, seed=1), _some(48, seed=2)
    layer = PackedLinear(weight, bias, gelu=gelu)
    layer.pack()
    expected = F.linear(x, weight, bias)
    torch.testing.assert_close(layer(x), F.gelu(expected) if gelu else expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_weights_may_be_turned_and_biases_missing() -> None:
    x, weight = _some(5, 32, seed=0), _some(32, 48, seed=1)
    torch.testing.assert_close(PackedLinear(weight.t(), None).pack()(x), x @ weight, atol=1e-5, rtol=1e-5)


def test_small_weights_and_other_numbers_are_left_to_pytorch() -> None:
    large = torch.empty(1, WORTH_PACKING)
    assert pays(large)
    assert not pays(large[:, 1:])
    assert not pays(large.bfloat16())
    assert not pays(large.to("meta"))


def test_the_wheels_that_the_lock_names_have_onednn() -> None:
    assert has_onednn()


def test_without_onednn_the_layer_is_pytorchs_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_linear, "has_onednn", lambda: False)
    x, weight, bias = _some(4, 32, seed=0), _some(48, 32, seed=1), _some(48, seed=2)
    layer = PackedLinear(weight, bias, gelu=True)
    layer.pack()
    assert torch.equal(layer(x), F.gelu(F.linear(x, weight, bias)))
