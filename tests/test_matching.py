"""Matched mappers against sizes counted by hand from the layers' shapes, and against every other width."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from capdec_core import matching
from capdec_core.errors import CapdecError
from capdec_core.mapper import MapperConfig, build_mapper
from capdec_core.matching import TOLERANCE, matched_parameters, parameter_count

EMBEDDED = MapperConfig("transformer", 512, 64, prefix_length=4, clip_length=2)
PAPER = MapperConfig("transformer", 640, 768, prefix_length=40, clip_length=40)
LAYERS = [4, 6, 8, 10, 16, 24]


def by_hand(config: MapperConfig, inner: int, hidden: int, layers: int) -> int:
    """Sum of the layers' shapes: into the blocks, constants, blocks, and out where the widths differ."""
    into = (config.embedding_dim + 1) * config.clip_length * inner + config.prefix_length * inner
    block = 4 * inner + 4 * inner**2 + inner + 2 * inner * hidden + hidden + inner
    out = 0 if inner == config.width else (inner + 1) * config.width
    return into + layers * block + out


@pytest.mark.parametrize("baseline", [EMBEDDED, PAPER], ids=["embedded", "paper"])
@pytest.mark.parametrize("layers", LAYERS)
def test_a_matched_mapper_has_the_baselines_parameters_and_its_proportions(
    baseline: MapperConfig, layers: int
) -> None:
    found = matched_parameters(baseline, layers)
    target = by_hand(baseline, baseline.width, 2 * baseline.width, 8)
    count = by_hand(baseline, found.block_width, int(found.block_width * found.mlp_ratio), layers)
    assert count == parameter_count(found)
    assert abs(count - target) <= 0.003 * target
    assert found.layers == layers
    assert found.block_width % found.heads == 0
    assert 1.6 < found.mlp_ratio < 2.4
    assert (found.block_width - baseline.width) * (8 - layers) >= 0


def test_the_baselines_own_depth_is_the_baseline() -> None:
    assert matched_parameters(EMBEDDED, 8) == EMBEDDED


@pytest.mark.parametrize("layers", [4, 6, 10, 16, 24])
def test_no_other_width_keeps_the_proportions_better(layers: int) -> None:
    """Every multiple of the heads, its hidden layer solved for by hand."""
    target, changes = by_hand(EMBEDDED, 64, 128, 8), {}
    for inner in range(8, 513, 8):
        bare, one = (by_hand(EMBEDDED, inner, hidden, layers) for hidden in (0, 1))
        hidden = round((target - bare) / (one - bare))
        if hidden > 0 and abs(bare + hidden * (one - bare) - target) <= TOLERANCE * target:
            changes[inner] = abs(math.log(hidden / inner / 2))
    assert matched_parameters(EMBEDDED, layers).block_width == min(changes, key=changes.__getitem__)


def test_sizes_by_depth_at_the_papers_scale() -> None:
    sizes = [by_hand(PAPER, 768, 1536, layers) / 1e6 for layers in LAYERS]
    assert sizes == pytest.approx([38.6, 48.1, 57.5, 67.0, 95.3, 133.1], abs=0.05)
    assert sizes[2] * 1e6 == parameter_count(PAPER)


def test_a_matched_mapper_maps() -> None:
    mapper = build_mapper(matched_parameters(EMBEDDED, 24))
    assert mapper(torch.randn(3, 512)).shape == (3, 4, 64)


@given(hidden=st.integers(1, 4096), width=st.integers(1, 2048))
def test_the_ratio_gives_the_hidden_units_that_it_was_made_for(hidden: int, width: int) -> None:
    ratio = matching._ratio(hidden, width)
    assert int(width * ratio) == hidden
    assert ratio == pytest.approx(hidden / width, rel=1e-15)


def test_a_baseline_too_small_for_the_depth_is_refused() -> None:
    small = MapperConfig("transformer", 16, 16, prefix_length=2, clip_length=1, heads=8, layers=2)
    with pytest.raises(CapdecError, match=r"no mapper of 24 layers and 8 heads has the \d+ parameters"):
        matched_parameters(small, 24)


def test_only_transformers_are_matched() -> None:
    with pytest.raises(ValueError, match="not mlp"):
        matched_parameters(MapperConfig("mlp", 512, 64, prefix_length=4), 4)
