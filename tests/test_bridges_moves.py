"""Each bridge's defining property: centroids, least squares, memory items."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from bridge_rows import world
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_rows import unit_rows

from capdec_core.bridges import (
    Bridge,
    Collapse,
    LinearAdapter,
    Material,
    MeanShift,
    MemoryProjection,
    NearestCaption,
    memory,
)

WORLD = world(dtype=torch.float64)
TEXTS, IMAGES, CLUSTERS = WORLD
MATERIAL = Material(*WORLD)


def test_mean_shift_moves_the_centroid_to_the_other_modalitys() -> None:
    of_texts, of_images = MeanShift("text"), MeanShift("image")
    shifted = of_texts.text(TEXTS, of_texts.fit(MATERIAL))
    torch.testing.assert_close(shifted.mean(dim=0), IMAGES.mean(dim=0))
    shifted = of_images.image(IMAGES, of_images.fit(MATERIAL))
    torch.testing.assert_close(shifted.mean(dim=0), TEXTS.mean(dim=0))
    assert (TEXTS.mean(dim=0) - IMAGES.mean(dim=0)).norm() > 0.5


def test_a_shift_leaves_the_other_side_the_very_tensor() -> None:
    assert MeanShift("text").image(IMAGES, {}) is IMAGES
    assert MeanShift("image").text(TEXTS, {}) is TEXTS


def test_both_shifts_are_one_vector() -> None:
    gaps = [MeanShift(side).fit(MATERIAL)["gap"] for side in ("text", "image")]  # type: ignore[arg-type]
    assert torch.equal(*gaps)


def test_collapse_leaves_two_modalities_without_mean() -> None:
    move = Collapse()
    state = move.fit(MATERIAL)
    for rows in (move.text(TEXTS, state), move.image(IMAGES, state)):
        torch.testing.assert_close(rows.mean(dim=0), torch.zeros(12, dtype=torch.float64), atol=1e-12, rtol=0)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 40), st.integers(1, 4), st.integers(0, 99))
def test_the_adapter_is_numpys_least_squares_solution(images: int, captions: int, seed: int) -> None:
    """Also where pairs are fewer than dimensions: then numpy's, of centred rows, is the smallest of many."""
    texts, seen, clusters = world(images, captions, d=10, seed=seed, dtype=torch.float64)
    state = LinearAdapter().fit(Material(texts, seen, clusters))
    x, y = texts.numpy(), seen[clusters].numpy()
    weight = np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(axis=0), rcond=1e-7)[0]
    assert np.allclose(state["weight"], weight, atol=1e-6)
    if len(x) > 20:
        whole = np.linalg.lstsq(np.hstack([x, np.ones((len(x), 1))]), y, rcond=None)[0]
        assert np.allclose(state["weight"], whole[:-1], atol=1e-6)
        assert np.allclose(state["bias"], whole[-1], atol=1e-6)


def test_the_adapter_finds_a_map_that_is_there() -> None:
    texts = unit_rows(200, 6, dtype=torch.float64)
    turn = torch.linalg.qr(
        torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    )[0]
    fitted = Bridge((LinearAdapter(),)).fit(texts, texts @ turn, torch.arange(200))
    torch.testing.assert_close(fitted.place(texts), texts @ turn)


def test_projection_of_a_remembered_item_at_a_temperature_near_0_is_that_item() -> None:
    fitted = Bridge((MemoryProjection(temperature=1e-4),)).fit(TEXTS)
    torch.testing.assert_close(fitted.infer_side(TEXTS), TEXTS)


def test_projection_is_decaps_formula() -> None:
    """softmax(100 y M') M, normalised, as the code that was published with the paper."""
    fitted = Bridge((MemoryProjection(temperature=0.01),)).fit(TEXTS)
    expected = F.normalize(F.softmax(IMAGES @ TEXTS.T * 100, dim=-1) @ TEXTS, dim=-1)
    torch.testing.assert_close(fitted.infer_side(IMAGES), expected)


def test_projection_at_a_high_temperature_is_the_centroid() -> None:
    fitted = Bridge((MemoryProjection(temperature=1e9),)).fit(TEXTS)
    centre = F.normalize(TEXTS.mean(dim=0), dim=0)
    torch.testing.assert_close(fitted.infer_side(IMAGES), centre.expand(len(IMAGES), -1))


@given(st.integers(1, 300), st.integers(0, 5))
def test_a_memory_is_some_of_the_training_captions(size: int, seed: int) -> None:
    state = NearestCaption(size, seed).fit(MATERIAL)
    rows = state["rows"]
    assert len(rows) == len(rows.unique()) == min(size, len(TEXTS))
    assert torch.equal(state["memory"], TEXTS[rows])
    assert torch.equal(rows, NearestCaption(size, seed).fit(MATERIAL)["rows"])


def test_another_seed_remembers_others() -> None:
    one, two = (MemoryProjection(40, seed).fit(MATERIAL)["rows"] for seed in (0, 1))
    assert not torch.equal(one, two)


def test_the_nearest_caption_is_the_one_of_the_highest_cosine() -> None:
    fitted = Bridge((NearestCaption(100, 3),)).fit(TEXTS)
    found, remembered = fitted.retrieve(IMAGES), fitted.states[0]["rows"]
    assert torch.equal(found, remembered[(IMAGES @ TEXTS[remembered].T).argmax(dim=1)])
    torch.testing.assert_close(fitted.infer_side(IMAGES), TEXTS[found])
    assert torch.equal(Bridge((NearestCaption(),)).fit(TEXTS).retrieve(TEXTS), torch.arange(len(TEXTS)))


def test_the_nearest_caption_is_the_projection_at_temperature_0() -> None:
    cold = Bridge((MemoryProjection(temperature=1e-6),)).fit(TEXTS)
    torch.testing.assert_close(
        cold.infer_side(IMAGES), Bridge((NearestCaption(),)).fit(TEXTS).infer_side(IMAGES)
    )


def test_retrieval_behind_another_move_compares_moved_rows() -> None:
    fitted = Bridge((Collapse(), NearestCaption())).fit(*WORLD)
    texts, images = TEXTS - TEXTS.mean(dim=0), IMAGES - IMAGES.mean(dim=0)
    assert torch.equal(fitted.retrieve(IMAGES), (F.normalize(images) @ F.normalize(texts).T).argmax(dim=1))


@pytest.mark.parametrize("held", [1, 500, 1 << 22])
def test_blocks_of_images_give_what_all_at_once_give(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(memory, "SIMILARITIES", held)
    for move in (MemoryProjection(), NearestCaption()):
        one = Bridge((move,)).fit(TEXTS).infer_side(IMAGES)
        monkeypatch.setattr(memory, "SIMILARITIES", 1 << 30)
        torch.testing.assert_close(one, Bridge((move,)).fit(TEXTS).infer_side(IMAGES))
        monkeypatch.setattr(memory, "SIMILARITIES", held)


def test_each_move_is_fitted_on_what_the_ones_before_return() -> None:
    """After a shift the adapter starts from the shifted rows."""
    fitted = Bridge((MeanShift("text"), LinearAdapter())).fit(*WORLD)
    gap = IMAGES.mean(dim=0) - TEXTS.mean(dim=0)
    shifted = F.normalize(TEXTS + gap, dim=1)
    alone = LinearAdapter().fit(Material(shifted, IMAGES, CLUSTERS))
    torch.testing.assert_close(fitted.states[1]["weight"], alone["weight"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MeanShift("both"), "side must be one of text, image"),  # type: ignore[arg-type]
        (lambda: MemoryProjection(0), "size must be an integer of at least 1"),
        (lambda: MemoryProjection(True), "size must be"),
        (lambda: NearestCaption(2.5), "size must be"),  # type: ignore[arg-type]
        (lambda: NearestCaption(seed=-1), "seed must be"),
        (lambda: MemoryProjection(temperature=0), "temperature must be above 0"),
        (lambda: MemoryProjection(temperature=float("nan")), "temperature must be above 0"),
        (lambda: MemoryProjection(temperature=float("inf")), "temperature must be above 0"),
        (lambda: MemoryProjection(temperature="1"), "temperature must be a number"),  # type: ignore[arg-type]
    ],
)
def test_fields_without_meaning(make: type, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
