"""Mappers against the published sizes, sizes in closed form, and attention written out by hand."""

import math

import pytest
import torch

from capdec_core.mapper import MapperConfig, build_mapper


def millions(**fields) -> float:
    with torch.device("meta"):
        mapper = build_mapper(MapperConfig(**{"embedding_dim": 512, "width": 768, **fields}))
    return sum(weight.numel() for weight in mapper.parameters()) / 1e6


@pytest.mark.parametrize(("k", "size"), [(1, 0.49), (10, 31.5), (20, 121.9), (40, 479.8)])
def test_mlp_sizes_are_the_published_ones(k, size):
    assert millions(kind="mlp", prefix_length=k) == pytest.approx(size, abs=0.05 if k > 1 else 0.005)


def test_transformer_sizes_are_the_published_ones():
    assert millions(kind="transformer", prefix_length=10) == pytest.approx(41.7, abs=0.05)
    rn50x4 = {"kind": "transformer", "embedding_dim": 640, "prefix_length": 40, "clip_length": 40}
    assert millions(**rn50x4) == pytest.approx(57.5, abs=0.05)
    assert millions(**rn50x4, layers=4) == pytest.approx(38.6, abs=0.05)
    assert millions(**rn50x4, layers=24) == pytest.approx(133, abs=0.5)


D, WIDTH = 512, 768


@pytest.mark.parametrize("k", [1, 5, 40])
def test_linear_and_fixed_width_mlp_grow_with_the_prefix_not_with_its_square(k):
    out = WIDTH * k
    assert millions(kind="linear", prefix_length=k) * 1e6 == pytest.approx((D + 1) * out, abs=0.5)
    hidden = 3840
    wanted = (D + 1) * hidden + (hidden + 1) * out
    assert millions(kind="mlp", prefix_length=k, hidden=hidden) * 1e6 == pytest.approx(wanted, abs=0.5)


def test_a_hidden_layer_of_the_references_width_is_the_references_mlp():
    assert millions(kind="mlp", prefix_length=10, hidden=3840) == millions(kind="mlp", prefix_length=10)


def test_a_transformer_of_another_width_ends_in_a_projection():
    k, clip, layers, w = 10, 10, 8, 128
    block = 2 * 2 * w + w * 3 * w + (w + 1) * w + (w + 1) * 2 * w + (2 * w + 1) * w
    wanted = (D + 1) * clip * w + k * w + layers * block + (w + 1) * WIDTH
    found = millions(kind="transformer", prefix_length=k, clip_length=clip, layers=layers, inner_width=w)
    assert found * 1e6 == pytest.approx(wanted, abs=0.5)


def test_the_language_models_own_width_needs_no_projection_and_changes_no_name():
    shape = {"kind": "transformer", "embedding_dim": 6, "width": 12, "prefix_length": 3, "heads": 3}
    plain, given = (build_mapper(MapperConfig(**shape, **more)) for more in ({}, {"inner_width": 12}))
    assert list(plain.state_dict()) == list(given.state_dict())
    assert {name.split(".")[0] for name in plain.state_dict()} == {"linear", "constants", "blocks"}


def test_heads_change_no_size():
    assert millions(kind="transformer", prefix_length=10, heads=2) == millions(
        kind="transformer", prefix_length=10
    )


def naive_attention(layer, x: torch.Tensor, heads: int) -> torch.Tensor:
    """Attention position by position and head by head, from the definition."""
    size = x.shape[1] // heads
    queries, both = x @ layer.to_queries.weight.T, x @ layer.to_keys_values.weight.T
    keys, values = both[:, : x.shape[1]], both[:, x.shape[1] :]
    out = torch.zeros_like(x)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(x)):
            weights = torch.tensor(
                [math.exp(queries[i, part] @ keys[j, part] / size**0.5) for j in range(len(x))]
            )
            out[i, part] = (weights / weights.sum()) @ values[:, part]
    return out @ layer.project.weight.T + layer.project.bias


def naive_norm(layer, x: torch.Tensor) -> torch.Tensor:
    spread = ((x - x.mean(1, keepdim=True)) ** 2).mean(1, keepdim=True)
    return (x - x.mean(1, keepdim=True)) / (spread + 1e-5).sqrt() * layer.weight + layer.bias


@torch.no_grad()
def test_transformer_equals_a_naive_one():
    torch.manual_seed(0)
    mapper = build_mapper(
        MapperConfig("transformer", 6, 12, prefix_length=3, clip_length=2, heads=3, layers=2)
    )
    for weight in mapper.parameters():
        weight.add_(torch.randn_like(weight) * 0.1)
    embeddings = torch.randn(4, 6)
    for embedding, got in zip(embeddings, mapper(embeddings), strict=True):
        x = (mapper.linear.weight @ embedding + mapper.linear.bias).reshape(2, 12)
        x = torch.cat([x, mapper.constants])
        for block in mapper.blocks:
            x = x + naive_attention(block.attention, naive_norm(block.norm1, x), heads=3)
            first, _, second = block.mlp
            hidden = (naive_norm(block.norm2, x) @ first.weight.T + first.bias).clamp(min=0)
            x = x + hidden @ second.weight.T + second.bias
        torch.testing.assert_close(got, x[2:])


@torch.no_grad()
def test_a_projected_transformer_is_the_inner_one_and_a_linear_layer():
    wide = MapperConfig(
        "transformer", 6, 20, prefix_length=3, clip_length=2, heads=3, layers=2, inner_width=12
    )
    torch.manual_seed(0)
    mapper = build_mapper(wide)
    inner = build_mapper(
        MapperConfig("transformer", 6, 12, prefix_length=3, clip_length=2, heads=3, layers=2)
    )
    names = inner.state_dict()
    inner.load_state_dict({name: mapper.state_dict()[name] for name in names})
    x = torch.randn(5, 6)
    torch.testing.assert_close(mapper(x), inner(x) @ mapper.project.weight.T + mapper.project.bias)


@torch.no_grad()
def test_linear_equals_its_formula():
    mapper = build_mapper(MapperConfig("linear", 6, 4, prefix_length=3))
    x = torch.randn(5, 6)
    torch.testing.assert_close(mapper(x), (x @ mapper.output.weight.T + mapper.output.bias).view(5, 3, 4))


@torch.no_grad()
@pytest.mark.parametrize(("hidden", "size"), [(None, 6), (7, 7)])
def test_mlp_equals_its_formula(hidden, size):
    mapper = build_mapper(MapperConfig("mlp", 6, 4, prefix_length=3, hidden=hidden))
    x = torch.randn(5, 6)
    hidden = (x @ mapper.hidden.weight.T + mapper.hidden.bias).tanh()
    assert hidden.shape == (5, size)
    torch.testing.assert_close(
        mapper(x), (hidden @ mapper.output.weight.T + mapper.output.bias).view(5, 3, 4)
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "perceptron"}, "mlp, linear, transformer"),
        ({"heads": 5}, "5 heads, width 12"),
        ({"inner_width": 10}, "3 heads, width 10"),
        ({"inner_width": 0}, "inner_width must be at least 1"),
        ({"hidden": 8}, "only the mlp mapper has hidden"),
        ({"kind": "linear", "hidden": 8}, "only the mlp mapper has hidden"),
        ({"kind": "mlp", "inner_width": 6}, "only the transformer mapper has inner_width"),
        ({"kind": "mlp", "hidden": 0}, "hidden must be at least 1"),
        ({"prefix_length": 0}, "prefix_length"),
        ({"mlp_ratio": 0}, "mlp_ratio"),
    ],
)
def test_wrong_shapes_are_refused(fields, message):
    right = {"kind": "transformer", "embedding_dim": 6, "width": 12, "prefix_length": 3, "heads": 3}
    with pytest.raises(ValueError, match=message):
        MapperConfig(**{**right, **fields})
