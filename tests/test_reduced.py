"""The joint embedding at other dimensions: heads that keep pairs together, kept once, and cells that train on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_world import small_profile

from capdec_core.budget import Budget
from capdec_core.encoders.heads import Pairs
from capdec_core.encoders.reduced import ReducedEncoder, reduced_encoder
from capdec_core.errors import CapdecError
from capdec_core.material import prepare
from capdec_core.profiles import CalibrationSettings
from capdec_core.studies.conditions import Condition, cells_of

IMAGES, CAPTIONS, FEATURES = 200, 3, 24
SETTINGS = CalibrationSettings([8], [0.9], 20.0, Budget(150, 64, 1e-2, warmup_steps=5, weight_decay=0.01))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def pairs() -> Pairs:
    """Texts are a turned and noisy view of their image: linear heads can bring them together."""
    rng = np.random.default_rng(0)
    meanings, turn = (
        rng.normal(size=(IMAGES, FEATURES)),
        np.linalg.qr(rng.normal(size=(FEATURES, FEATURES)))[0],
    )
    owners = np.repeat(np.arange(IMAGES), CAPTIONS)
    noisy = meanings[owners] + rng.normal(0, 0.2, (len(owners), FEATURES))
    return unit(meanings + 1), unit(noisy @ turn - 1), owners


def matched(encoder: ReducedEncoder, known: Pairs) -> tuple[float, float]:
    """Mean cosine of texts with their own image, and with the next one."""
    images, texts, owners = (
        unit(encoder.apply("image", known[0])),
        unit(encoder.apply("text", known[1])),
        known[2],
    )
    return tuple(float((texts * images[(owners + k) % IMAGES]).sum(axis=1).mean()) for k in (0, 1))


def test_heads_bring_pairs_together_at_their_dimension(tmp_path: Path) -> None:
    encoder = reduced_encoder(tmp_path, pairs, 8, SETTINGS)
    assert encoder.dim == 8
    assert encoder.apply("image", pairs()[0]).shape == (IMAGES, 8)
    own, others = matched(encoder, pairs())
    assert own > others + 0.4


def test_heads_are_trained_once(tmp_path: Path) -> None:
    first = reduced_encoder(tmp_path, pairs, 8, SETTINGS)

    def refuse() -> Pairs:
        raise AssertionError("the pairs were asked for again")

    assert reduced_encoder(tmp_path, refuse, 8, SETTINGS).fingerprint == first.fingerprint
    assert reduced_encoder(tmp_path, pairs, 4, SETTINGS).fingerprint != first.fingerprint


def test_a_condition_at_another_dimension_trains_on_reduced_embeddings() -> None:
    profile = small_profile()
    material = prepare(profile, "cpu")
    conditions = (Condition("a", "a", splits=("test",), dim=dim) for dim in (None, 16))
    whole, small = (cells_of(condition, profile, material)[0] for condition in conditions)
    assert whole.encoder == material.encoder
    assert material.of(small.encoder) is material.at(16)
    assert small.mapper["embedding_dim"] == 16
    rows = material.at(16).training_embeddings("text")
    assert rows.shape == (len(material.training_captions()), 16)
    assert np.allclose(rows.norm(dim=1), 1, atol=1e-5)
    assert set(material.at(16).banks) == set(material.banks)


def test_a_dimension_without_heads_is_refused() -> None:
    material = prepare(small_profile(), "cpu")
    with pytest.raises(CapdecError, match=r"no heads of dimension 17: there are \[16, 32\]"):
        material.at(17)


def test_text_without_images_has_no_reductions() -> None:
    profile = small_profile()
    known = prepare(profile, "cpu")
    blind = replace(known, banks={k: v for k, v in known.banks.items() if k != "train/image"})
    with pytest.raises(CapdecError, match="text only"):
        blind.training_pairs()
