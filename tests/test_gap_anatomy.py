"""A gap taken apart: each measure against brute force, scipy or a closed form; published embeddings."""

import json
import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from capdec_core.embeddings import unit_rows
from capdec_core.gap import (
    alignment,
    anatomy,
    as_json,
    as_table,
    blocks,
    clusters,
    dimension_shares,
    geometry,
    participation_ratio,
    read_centres,
    read_pairs,
    residual,
    uniformity,
)
from capdec_core.gap.intervals import PairSums, cosine_intervals
from capdec_core.profiles import StatisticsSettings

STATISTICS = StatisticsSettings(resamples=400, seed=0)


def pairs(n: int = 30, captions: int = 3, d: int = 8, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Images, texts and owners with a gap between them; the captions stand in any order."""
    rng = np.random.default_rng(seed)
    images, owners = rng.normal(size=(n, d)), rng.permutation(np.repeat(np.arange(n), captions))
    texts = images[owners] + 0.5 * rng.normal(size=(len(owners), d)) + np.linspace(0, 2, d)
    return images, texts, owners


def test_published_clip_pairs(shared_data: Path) -> None:
    found = anatomy(*read_pairs(shared_data / "clip_pairs" / "features_clip.npy"), statistics=STATISTICS)
    for value, (low, high) in (
        (found.geometry.matched, found.matched_interval),
        (found.geometry.mismatched, found.mismatched_interval),
    ):
        assert low < value < high
        assert high - low < 0.02
    assert found.alignment == pytest.approx(2 - 2 * 0.310, abs=1e-3)
    assert found.clusters is None
    assert 0.5 < found.shift_share < 0.55  # |gap|^2 / alignment = .851^2 / 1.38
    assert found.shift_share == pytest.approx(found.geometry.gap_norm**2 / found.alignment, rel=1e-4)


def test_capdecs_own_centres(shared_data: Path) -> None:
    """The gap norm that CapDec's offset has, and its archive's own `offset_to_add_in_training`."""
    path = shared_data / "clip_pairs" / "capdec_rn50x4_centres.npz"
    image, text = read_centres(path)
    assert image.shape == text.shape == (640,)
    assert np.linalg.norm(image - text) == pytest.approx(0.711, abs=5e-4)
    assert np.allclose(image - text, np.load(path)["offset_to_add_in_training"].ravel(), atol=1e-6)


@pytest.mark.parametrize("block", [1, 50, 1 << 22])
def test_uniformity_by_all_distances(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(blocks, "BLOCK", block)
    rows = unit_rows(np.random.default_rng(0).normal(size=(40, 5)))
    assert uniformity(rows) == pytest.approx(math.log(np.exp(-2 * pdist(rows) ** 2).mean()), rel=1e-5)


def test_alignment_and_uniformity_of_one_point_and_of_opposite_points() -> None:
    """All rows equal: both 0. Two opposite rows: distance 2, so the kernel is exp(-8)."""
    assert alignment(1.0) == 0
    assert uniformity(np.ones((6, 1))) == pytest.approx(0)
    assert uniformity(np.array([[1.0], [-1.0]])) == pytest.approx(-8)


@given(st.integers(1, 40), st.floats(0.01, 100))
def test_participation_of_equal_parts_is_their_number(n: int, size: float) -> None:
    assert participation_ratio(np.full(n, size)) == pytest.approx(n)
    assert participation_ratio(np.eye(1, n).ravel() * size) == pytest.approx(1)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 1e3), min_size=2, max_size=20).filter(lambda parts: sum(parts) > 1e-3))
def test_participation_lies_between_one_and_the_number_of_parts(parts: list[float]) -> None:
    assert 1 - 1e-9 <= participation_ratio(np.array(parts)) <= len(parts) + 1e-9


def test_nothing_has_no_participation() -> None:
    assert math.isnan(participation_ratio(np.zeros(3)))
    assert np.isnan(dimension_shares(np.zeros(3))).all()


def test_the_residual_is_the_covariance_of_the_differences() -> None:
    images, texts, owners = pairs()
    x, y = unit_rows(images), unit_rows(texts)
    found, differences = residual(x, y, owners), (x[owners] - y).astype(np.float64)
    eigenvalues = np.linalg.eigvalsh(np.cov(differences.T, bias=True))[::-1]
    assert found.spectrum == pytest.approx(eigenvalues, abs=1e-7)
    assert found.mean == pytest.approx(differences.mean(axis=0), abs=1e-6)
    assert found.squares == pytest.approx((differences**2).sum(axis=1).mean(), rel=1e-5)
    shifted = unit_rows(y + differences.mean(axis=0))
    assert found.shifted_matched == pytest.approx((shifted * x[owners]).sum(axis=1).mean(), rel=1e-5)
    assert found.squares == pytest.approx(found.spectrum.sum() + found.mean @ found.mean)


def test_a_constant_shift_explains_a_constant_difference_and_nothing_of_a_random_one() -> None:
    rng = np.random.default_rng(0)
    x, owners = unit_rows(rng.normal(size=(500, 16))), np.arange(500)
    shift = np.eye(1, 16).ravel() / 2
    constant = residual(x, (x - shift).astype(np.float32), owners)
    assert constant.shift_share == pytest.approx(1, abs=1e-5)
    random = residual(x, unit_rows(rng.normal(size=(500, 16))), owners)
    assert random.shift_share < 0.05
    assert math.isnan(residual(x, x, owners).shift_share)


def test_shares_of_the_squared_gap() -> None:
    assert dimension_shares(np.array([1.0, -3.0, 0.0])) == pytest.approx([0.9, 0.1, 0])
    images, texts, owners = pairs()
    found = anatomy(images, texts, owners, statistics=STATISTICS)
    gap = unit_rows(images).mean(axis=0) - unit_rows(texts).mean(axis=0)
    half = found.dimensions_for(0.5)
    assert (
        np.sort(gap**2)[::-1][:half].sum() >= 0.5 * (gap**2).sum() > np.sort(gap**2)[::-1][: half - 1].sum()
    )


def test_caption_clusters_by_scipys_distances() -> None:
    _, texts, owners = pairs(n=6, captions=4)
    texts, owners = np.vstack([texts, texts[:1]]), np.append(owners, 6)  # an image with a single caption
    y = unit_rows(texts)
    groups = [y[owners == image] for image in range(6)]
    found = clusters(y, owners)
    assert found is not None
    radii = [np.linalg.norm(group - group.mean(axis=0), axis=1) for group in groups]
    assert found.radius == pytest.approx(np.concatenate(radii).mean(), rel=1e-5)
    assert found.distance == pytest.approx(
        np.concatenate([pdist(group) for group in groups]).mean(), rel=1e-5
    )
    largest = np.concatenate([pdist(group, "chebyshev") for group in groups]).mean()
    assert found.largest == pytest.approx(largest, rel=1e-5)
    assert found.variance == pytest.approx(largest**2, rel=1e-5)
    assert clusters(y, np.arange(len(y))) is None


def test_a_resample_has_the_cosines_of_its_copies() -> None:
    """Images drawn twice stand there twice; a copy's captions are no stranger's."""
    images, texts, owners = pairs(n=5, captions=2)
    x, y = unit_rows(images), unit_rows(texts)
    counts = np.array([[2.0, 0.0, 1.0, 2.0, 0.0]])
    drawn = [image for image, count in enumerate(counts[0]) for _ in range(int(count))]
    cosines = x @ y.T
    matched = [cosines[image, caption] for image in drawn for caption in np.flatnonzero(owners == image)]
    mismatched = [
        cosines[a, caption]
        for a, b in [*combinations(drawn, 2), *(pair[::-1] for pair in combinations(drawn, 2))]
        if a != b
        for caption in np.flatnonzero(owners == b)
    ]
    found = PairSums.of(x, y, owners).cosines(counts)
    assert found[0][0] == pytest.approx(np.mean(matched), rel=1e-5)
    assert found[1][0] == pytest.approx(np.mean(mismatched), rel=1e-5)


def test_every_image_once_is_the_geometry() -> None:
    images, texts, owners = pairs()
    matched, mismatched = PairSums.of(unit_rows(images), unit_rows(texts), owners).cosines(np.ones((1, 30)))
    found = geometry(images, texts, owners)
    assert matched[0] == pytest.approx(found.matched, rel=1e-5)
    assert mismatched[0] == pytest.approx(found.mismatched, rel=1e-5)


def test_the_interval_of_the_matched_cosine_is_as_wide_as_its_standard_error_says() -> None:
    images, texts, owners = pairs(n=400, captions=1)
    x, y = unit_rows(images), unit_rows(texts)
    each = (x[owners] * y).sum(axis=1)
    generator = np.random.default_rng(0)
    (low, high), _ = cosine_intervals(PairSums.of(x, y, owners), resamples=4000, generator=generator)
    assert high - low == pytest.approx(2 * 1.96 * each.std() / math.sqrt(400), rel=0.08)
    assert (low + high) / 2 == pytest.approx(each.mean(), abs=0.003)


def test_table_and_json_tell_the_same() -> None:
    found = anatomy(*pairs(), statistics=STATISTICS)
    told, table = json.loads(as_json(found)), as_table(found)
    assert told["gap_norm"] == found.geometry.gap_norm
    assert len(told["gap_shares"]) == len(told["residual_spectrum"]) == 8
    assert told["clusters"]["largest"] == pytest.approx(found.clusters.largest if found.clusters else None)
    assert f"{found.shift_share:.1%}" in table
    low, high = found.matched_interval
    assert f"{found.geometry.matched:.3f} [{low:.3f}, {high:.3f}]" in table
    assert f"{told['residual_participation']:.1f} of 8" in table
    assert "one caption an image" in as_table(anatomy(*pairs(captions=1), statistics=STATISTICS))
