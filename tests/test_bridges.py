"""What holds for every bridge: unit rows, determinism, what it may see, JSON, safetensors, honest errors."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from bridge_rows import BRIDGES, world
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_rows import quartic, seeded
from noise_rows import unit_rows as random_rows
from torch.overrides import TorchFunctionMode

from capdec_core.bridges import (
    MOVES,
    PRESETS,
    SHAPES,
    Bridge,
    Collapse,
    FittedBridge,
    LinearAdapter,
    MeanShift,
    MemoryProjection,
    NearestCaption,
    ShapedNoise,
    Sight,
    bridge_from_dict,
    load_bridge,
)
from capdec_core.errors import CapdecError
from capdec_core.noise import Gaussian, NoNoise, NormalisedGradient, measure

fractions = st.floats(0.001, 0.99)
sizes = st.one_of(st.none(), st.integers(1, 500))
moves = st.one_of(
    st.builds(MeanShift, st.sampled_from(["text", "image"])),
    st.just(Collapse()),
    st.just(LinearAdapter()),
    st.builds(MemoryProjection, sizes, st.integers(0, 9), st.floats(0.001, 10)),
    st.builds(NearestCaption, sizes, st.integers(0, 9)),
)
sources = st.sampled_from(["pairs", "clusters"])
shaped = st.one_of(
    st.builds(ShapedNoise, st.sampled_from(["full", "shrunk", "diagonal"]), sources, fractions),
    st.builds(
        ShapedNoise, st.sampled_from(["subspace", "complement"]), sources, fractions, st.integers(1, 11)
    ),
)
measured = st.builds(
    ShapedNoise, st.just("full"), sources, st.none(), st.none(), st.floats(0.1, 9), st.floats(0, 1)
)
plain = st.one_of(st.just(NoNoise()), st.builds(Gaussian, st.floats(0, 2)))
chains = st.lists(moves, max_size=3).map(tuple)
bridges = st.one_of(
    st.builds(Bridge, chains, st.one_of(plain, shaped)),
    st.builds(Bridge, chains, st.one_of(plain, measured), st.booleans()),
)
everything = pytest.mark.parametrize("name", list(BRIDGES))


def fitted(name: str) -> FittedBridge:
    """One of the example bridges, fitted on the made world."""
    return BRIDGES[name].fit(*world())


def of_norm_one(rows: torch.Tensor) -> None:
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows), dtype=rows.dtype), rtol=0, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(bridge=bridges, seed=st.integers(0, 2**31))
def test_unit_rows_on_both_sides_and_the_same_generator_the_same_bytes(bridge: Bridge, seed: int) -> None:
    texts, images, clusters = world(images=20, captions=3)
    first, again = bridge.fit(texts, images, clusters), bridge.fit(texts, images, clusters)
    one, two = (each.perturb(texts[:8], generator=seeded(seed)) for each in (first, again))
    assert torch.equal(one, two)
    assert torch.equal(first.infer_side(images), again.infer_side(images))
    assert one.shape == (8, 12)
    for rows in (one, first.infer_side(images), first.place(texts)):
        of_norm_one(rows)


@settings(max_examples=100, deadline=None)
@given(bridge=bridges)
def test_the_dictionary_round_trip_through_json(bridge: Bridge) -> None:
    assert bridge_from_dict(json.loads(json.dumps(bridge.to_dict(), allow_nan=False))) == bridge


def test_the_examples_hold_every_kind_and_every_label_is_one_bridges() -> None:
    kinds = {type(move).__name__ for bridge in BRIDGES.values() for move in bridge.moves}
    shapes = {bridge.noise.shape for bridge in BRIDGES.values() if isinstance(bridge.noise, ShapedNoise)}
    assert kinds == set(MOVES)
    assert shapes == set(SHAPES)
    beside_unit_rows = [bridge.label for bridge in BRIDGES.values() if bridge.unit_first]
    assert len(set(beside_unit_rows)) == len(beside_unit_rows)


@everything
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept_and_the_rows_given_are_left_alone(name: str, dtype: torch.dtype) -> None:
    texts, images, clusters = world(dtype=dtype)
    before = texts.clone(), images.clone()
    bridge = BRIDGES[name].fit(texts, images, clusters)
    assert bridge.perturb(texts, generator=seeded()).dtype == bridge.infer_side(images).dtype == dtype
    assert torch.equal(texts, before[0])
    assert torch.equal(images, before[1])


@everything
def test_another_seed_gives_other_noise(name: str) -> None:
    texts, bridge = world()[0], fitted(name)
    one, two = (bridge.perturb(texts[:5], generator=seeded(seed)) for seed in (1, 2))
    assert torch.equal(one, two) == isinstance(BRIDGES[name].noise, NoNoise)


@everything
def test_what_never_sees_images_is_the_same_whatever_they_are(name: str) -> None:
    """And what sees them at inference reads the same in training."""
    texts, images, clusters = world()
    others = random_rows(len(images), images.shape[1], seed=7)
    bridge = BRIDGES[name]
    one, two = bridge.fit(texts, images, clusters), bridge.fit(texts, others, clusters)
    same_training = torch.equal(
        one.perturb(texts, generator=seeded()), two.perturb(texts, generator=seeded())
    )
    same_inference = torch.equal(one.infer_side(images), two.infer_side(images))
    assert same_training == (bridge.sight is not Sight.TRAINING)
    if bridge.sight is Sight.NEVER:
        assert same_inference
    if bridge.sight is Sight.INFERENCE:
        assert not same_inference


@everything
def test_pairs_matter_where_the_bridge_says_so_and_nowhere_else(name: str) -> None:
    """Other pairs of the same texts, images and cluster sizes: only the images are dealt out anew."""
    texts, images, clusters = world()
    bridge, dealt = BRIDGES[name], torch.randperm(len(images), generator=seeded(3))
    one, two = bridge.fit(texts, images, clusters), bridge.fit(texts, images[dealt], clusters)
    same = [
        torch.allclose(
            one.perturb(texts, generator=seeded()), two.perturb(texts, generator=seeded()), atol=1e-5
        ),
        torch.allclose(one.infer_side(images), two.infer_side(images), atol=1e-5),
    ]
    assert all(same) == (not bridge.needs_pairs)


@everything
def test_text_alone_fits_what_never_sees_images_and_nothing_else(name: str) -> None:
    texts, _, clusters = world()
    bridge = BRIDGES[name]
    if bridge.sight is Sight.NEVER:
        of_norm_one(bridge.fit(texts, clusters=clusters).perturb(texts, generator=seeded()))
    else:
        with pytest.raises(CapdecError, match="text only"):
            bridge.fit(texts, clusters=clusters)


@everything
def test_saved_and_loaded_it_is_the_same(name: str, tmp_path: Path) -> None:
    texts, images, _ = world()
    bridge = fitted(name)
    bridge.save(tmp_path / "bridge.safetensors")
    loaded = load_bridge(tmp_path / "bridge.safetensors")
    assert loaded.bridge == bridge.bridge
    assert torch.equal(loaded.perturb(texts, generator=seeded()), bridge.perturb(texts, generator=seeded()))
    assert torch.equal(loaded.infer_side(images), bridge.infer_side(images))
    assert loaded.to_dict() == bridge.to_dict()


def test_a_damaged_or_foreign_file(tmp_path: Path) -> None:
    from capdec_core.checkpoints import save_tensors

    path = tmp_path / "bridge.safetensors"
    fitted("collapse").save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CapdecError, match="damaged"):
        load_bridge(path)
    save_tensors(path, "captioner", {}, {})
    with pytest.raises(CapdecError, match="holds a captioner"):
        load_bridge(path)
    for name in ("moves.1.gap", "moves.gap", "other"):
        save_tensors(path, "fitted bridge", BRIDGES["shift texts"].to_dict(), {name: torch.zeros(2)})
        with pytest.raises(CapdecError, match=f"learned '{name}'"):
            load_bridge(path)


class NothingWaitedFor(TorchFunctionMode):
    """Fails where a value of a tensor is needed on the host, which makes a device's queue run dry."""

    WAITING = ("item", "tolist", "numpy", "cpu", "equal", "nonzero", "unique", "masked_select", "__bool__",
               "__float__", "__int__", "__index__")  # fmt: skip

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        by_mask = name == "__getitem__" and getattr(args[1], "dtype", None) == torch.bool
        assert name not in self.WAITING, f"{name} waits for the device"
        assert not by_mask, "a selection by mask waits for the device"
        return func(*args, **(kwargs or {}))


@everything
def test_a_step_waits_for_nothing(name: str) -> None:
    texts, bridge = world()[0][:8], fitted(name)
    with NothingWaitedFor():
        bridge.perturb(texts, generator=seeded())


@pytest.mark.parametrize(
    "waiting", [lambda x: x.item(), bool, float, lambda x: x.nonzero(), lambda x: torch.ones(1)[x[None] > 0]]
)
def test_the_guard_against_waiting_can_fail(waiting: Any) -> None:
    with pytest.raises(AssertionError, match="waits"), NothingWaitedFor():
        waiting(torch.ones(3).sum())


@pytest.mark.parametrize("name", ["plain", "projection", "nearest", "nothing", "shift images"])
def test_a_decoder_is_the_plain_ones_where_texts_are_not_moved(name: str) -> None:
    """So that one training serves many bridges: the very bytes of the perturbation."""
    texts, bridge = world()[0], fitted(name)
    noise = bridge.bridge.noise
    assert not bridge.bridge.moves_text
    assert not isinstance(noise, ShapedNoise)
    assert torch.equal(bridge.perturb(texts, generator=seeded()), noise(texts, generator=seeded()))


def test_a_bridge_stands_where_a_perturbation_does() -> None:
    """`perturb` passes on the loss that gradient noise follows."""
    texts = world()[0][:6]
    bridge = Bridge((MeanShift("image"),), NormalisedGradient(0.3)).fit(*world())
    followed = bridge.perturb(texts, generator=seeded(), loss=quartic)
    assert torch.equal(followed, NormalisedGradient(0.3)(texts, generator=seeded(), loss=quartic))


def test_what_was_learned_is_in_the_dictionary_of_a_run() -> None:
    texts, images, clusters = world()
    one, two = (Bridge((MeanShift("text"),)).fit(texts, each, clusters) for each in (images, images.flip(1)))
    assert one.to_dict()["moves"] == two.to_dict()["moves"]
    assert one.to_dict()["learned"] != two.to_dict()["learned"]
    json.dumps(one.to_dict(), allow_nan=False)


def test_bytes_of_what_was_learned() -> None:
    """A memory of 30 captions in 12 dimensions: 30 x 12 x 4 bytes, and 30 row numbers of 8."""
    assert fitted("projection").memory == 30 * 12 * 4 + 30 * 8
    assert fitted("plain").memory == 0
    assert fitted("linear").to("cpu").memory == (12 * 12 + 12) * 4


def test_noise_before_normalising_counts_beside_the_norm_of_the_row() -> None:
    """The displacement in the book's currency is the published one divided by the norm of the moved row."""
    texts, images, clusters = world()
    bridge = Bridge((Collapse(),), Gaussian(0.02), unit_first=False).fit(texts, images, clusters)
    collapsed = texts - texts.mean(dim=0)
    expected = torch.nn.functional.normalize(
        collapsed + Gaussian(0.02).displacement(texts, generator=seeded()), dim=1
    )
    torch.testing.assert_close(bridge.perturb(texts, generator=seeded()), expected)
    squares = (1 / collapsed.square().sum(dim=1)).mean().item()
    assert bridge.measure(texts, seeded())["variance"] == pytest.approx(0.02 * squares, rel=0.1)
    beside_unit = Bridge((Collapse(),), Gaussian(0.02)).fit(texts, images, clusters)
    assert beside_unit.measure(texts, seeded()) == measure(
        Gaussian(0.02), beside_unit.place(texts), generator=seeded()
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "a bridge is an object with moves, noise, unit_first"),
        (None, "a bridge is an object"),
        (BRIDGES["plain"].to_dict() | {"more": 1}, "a bridge is an object"),
        (BRIDGES["plain"].to_dict() | {"moves": "Collapse"}, "moves are a list"),
        (BRIDGES["plain"].to_dict() | {"unit_first": 1}, "unit_first true or false"),
        (BRIDGES["plain"].to_dict() | {"moves": [{"kind": "Leap"}]}, "the kinds are MeanShift, Collapse"),
        (BRIDGES["plain"].to_dict() | {"moves": [3]}, "the kinds are"),
        (BRIDGES["plain"].to_dict() | {"moves": [{"kind": "MeanShift"}]}, "MeanShift lacks side"),
        (BRIDGES["plain"].to_dict() | {"moves": [{"kind": "Collapse", "x": 1}]}, "no x: Collapse takes nothing"),
        (BRIDGES["plain"].to_dict() | {"moves": [{"kind": "MeanShift", "side": "both"}]}, "one of text, image"),
        (BRIDGES["plain"].to_dict() | {"noise": {"kind": "Pink"}}, "unknown perturbation 'Pink'"),
        (BRIDGES["plain"].to_dict() | {"noise": {"kind": "ShapedNoise", "shape": "full"}}, "lacks cosine, source"),
    ],
)  # fmt: skip
def test_a_wrong_dictionary_is_answered_with_the_right_names(data: Any, message: str) -> None:
    with pytest.raises(CapdecError) as error:
        bridge_from_dict(data)
    assert message in str(error.value)


def test_calibrated_noise_stands_beside_unit_rows() -> None:
    with pytest.raises(ValueError, match="unit_first"):
        Bridge((), ShapedNoise("full", "pairs", 0.5), unit_first=False)
    broken = BRIDGES["full, pairs"].to_dict() | {"unit_first": False}
    with pytest.raises(CapdecError, match="unit_first"):
        bridge_from_dict(broken)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, i, c: (2 * t, i, c), "norm 1"),
        (lambda t, i, c: (t, i / 2, c), "norm 1"),
        (lambda t, i, c: (t, random_rows(60, 5), c), "differ in d"),
        (lambda t, i, c: (t, i, c[:-1]), "clusters must be int64"),
        (lambda t, i, c: (t, i, c.float()), "clusters must be int64"),
        (lambda t, i, c: (t, i, c + 1), "rows of the images"),
        (lambda t, i, c: (t, i, c - 1), "rows of the images"),
    ],
)
def test_material_that_does_not_fit_together(change: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BRIDGES["linear"].fit(*change(*world()))


def test_material_that_lacks_what_is_needed() -> None:
    texts, images, clusters = world()
    with pytest.raises(CapdecError, match="which captions tell of one image"):
        BRIDGES["linear"].fit(texts, images)
    with pytest.raises(CapdecError, match="which captions tell of one image"):
        BRIDGES["diagonal"].fit(texts)
    with pytest.raises(CapdecError, match="several captions"):
        BRIDGES["diagonal"].fit(texts, clusters=torch.arange(len(texts)))
    with pytest.raises(CapdecError, match="12 dimensions"):
        Bridge((), ShapedNoise("subspace", "clusters", 0.5, rank=12)).fit(texts, clusters=clusters)
    with pytest.raises(ValueError, match="finds no caption"):
        fitted("projection").retrieve(images)


def test_presets_are_the_published_settings() -> None:
    """Units: CapDec and C3 quote a variance or its root, CLOSE a standard deviation; all are .016 or .0144 here."""
    assert PRESETS["capdec"].currency() == Gaussian(0.016).describe(640)
    assert PRESETS["capdec"].currency()["expected_cosine"] == pytest.approx(0.298, abs=1e-3)  # type: ignore[index]
    assert PRESETS["close"].currency()["std"] == pytest.approx(0.12)  # type: ignore[index]
    assert PRESETS["close"].currency()["variance"] == pytest.approx(0.0144)  # type: ignore[index]
    short = PRESETS["c3"].currency(norm=0.5)
    assert short is not None
    assert short["variance"] == pytest.approx(0.064)
    assert PRESETS["close covariance"].currency() is None
    assert PRESETS["decap"].bridge.moves == (MemoryProjection(10_000, 0, 0.01),)
    sights = {name: preset.bridge.sight for name, preset in PRESETS.items()}
    assert {name for name, sight in sights.items() if sight is Sight.NEVER} == {
        "capdec", "close", "decap", "nearest caption"
    }  # fmt: skip
    assert {name for name, sight in sights.items() if sight is Sight.INFERENCE} == {
        "capdec shift of images",
        "c3",
    }
    assert {name for name, preset in PRESETS.items() if preset.bridge.needs_pairs} == {
        "close linear",
        "close covariance",
    }


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_can_be_fitted(name: str) -> None:
    preset = PRESETS[name]
    texts, images, clusters = world()
    bridge = preset.bridge.fit(texts, images, clusters)
    of_norm_one(bridge.perturb(texts, generator=seeded()))
    of_norm_one(bridge.infer_side(images))
    assert preset.source
    assert preset.published
    assert bridge_from_dict(preset.bridge.to_dict()) == preset.bridge
