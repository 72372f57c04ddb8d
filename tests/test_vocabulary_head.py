"""Logits a slice of the vocabulary at a time, in memory that is used again."""

import pytest
import torch
from torch import nn

from capdec_core import packed_linear
from capdec_core.packed_linear import WORTH_PACKING
from capdec_core.scratch import Scratch
from capdec_core.vocabulary_head import VocabularyHead


@pytest.mark.parametrize("vocabulary", [7, 2048, 2049, 5000])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("least", [1, WORTH_PACKING])
def test_logits_are_the_output_layers(
    vocabulary: int, bias: bool, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_linear, "WORTH_PACKING", least)
    torch.manual_seed(0)
    layer = nn.Linear(16, vocabulary, bias=bias)
    head = VocabularyHead(layer)
    with torch.no_grad():
        for shape in ((4, 3), (2, 3), (5,)):
            hidden = torch.randn(*shape, 16)
            torch.testing.assert_close(head(hidden), layer(hidden))


def test_scratch_is_the_same_memory_until_it_is_too_small() -> None:
    scratch, like = Scratch(), torch.zeros(1)
    first = scratch.empty(3, 4, like=like)
    assert scratch.empty(2, 5, like=like).data_ptr() == first.data_ptr()
    assert scratch.empty(13, like=like).shape == (13,)


def test_scratch_takes_the_type_asked_for() -> None:
    scratch = Scratch()
    scratch.empty(3, like=torch.zeros(1))
    assert scratch.empty(2, like=torch.zeros(1, dtype=torch.float64)).dtype == torch.float64
