"""Noise of a learned shape: the covariance asked for, the cosine asked for, Ledoit and Wolf's against scikit-learn."""

import numpy as np
import pytest
import torch
from bridge_rows import world
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_rows import seeded, unit_rows
from sklearn.covariance import ledoit_wolf as sklearn_ledoit_wolf

from capdec_core.bridges import Bridge, Collapse, Material, MeanShift, Move, ShapedNoise, ledoit_wolf
from capdec_core.bridges.calibration import calibrated
from capdec_core.bridges.covariance import cluster_deviations, covariance, factor_of, pair_deviations
from capdec_core.errors import CapdecError
from capdec_core.noise import variance_for_cosine

WORLD = world(dtype=torch.float64)
TEXTS, IMAGES, CLUSTERS = WORLD
MATERIAL = Material(*WORLD)
DRAWS = 60_000


def sampled(noise: ShapedNoise) -> np.ndarray:
    """The covariance of many draws of a fitted noise."""
    state = noise.fit(MATERIAL)
    rows = TEXTS[:1].expand(DRAWS, -1)
    return np.cov(noise.displacement(rows, state, seeded()).numpy().T)


def residual_covariance() -> np.ndarray:
    return np.cov((IMAGES[CLUSTERS] - TEXTS).numpy().T, bias=True)


def within_covariance() -> np.ndarray:
    """The pooled covariance within clusters, by its definition: the scatter over captions minus clusters."""
    texts, clusters = TEXTS.numpy(), CLUSTERS.numpy()
    groups = [texts[clusters == cluster] for cluster in np.unique(clusters)]
    scatter = sum((group - group.mean(axis=0)).T @ (group - group.mean(axis=0)) for group in groups)
    return scatter / (len(texts) - len(groups))


def near(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether an estimate from many draws is the covariance, within four standard errors in every entry."""
    variances = np.diag(expected)
    errors = np.sqrt((np.outer(variances, variances) + expected**2) / DRAWS)
    return bool((np.abs(found - expected) < 4.5 * errors + 1e-12).all())


def test_samples_have_the_covariance_of_the_residual() -> None:
    assert near(sampled(ShapedNoise("full", "pairs", None)), residual_covariance())
    assert not near(sampled(ShapedNoise("full", "pairs", None)), within_covariance())


def test_samples_have_the_covariance_within_caption_clusters() -> None:
    assert near(sampled(ShapedNoise("full", "clusters", None)), within_covariance())


def test_clusters_of_different_sizes_are_pooled_by_their_degrees_of_freedom() -> None:
    """Each cluster's own covariance is unbiased; larger clusters count for more captions. Singles say nothing."""
    texts, clusters = unit_rows(7, 5, dtype=torch.float64), torch.tensor([0, 0, 1, 1, 1, 2, 9])
    deviations = cluster_deviations(Material(texts, None, clusters), "noise")
    assert deviations.shape == (5, 5)
    covariances = [np.cov(texts[clusters == cluster].numpy().T) for cluster in (0, 1)]
    assert np.allclose(covariance(deviations), (2 * covariances[0] + 3 * covariances[1]) / 5)


def test_shrunk_samples_have_scikit_learns_covariance() -> None:
    expected = sklearn_ledoit_wolf((IMAGES[CLUSTERS] - TEXTS).numpy())[0]
    assert near(sampled(ShapedNoise("shrunk", "pairs", None)), expected)


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 40), st.integers(2, 15), st.integers(0, 999))
def test_shrinkage_is_scikit_learns(n: int, d: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, d)) * np.linspace(0.1, 3, d)
    expected, strength = sklearn_ledoit_wolf(rows)
    found, shrinkage = ledoit_wolf(torch.from_numpy(rows - rows.mean(axis=0)))
    assert shrinkage == pytest.approx(strength, abs=1e-9)
    assert np.allclose(found, expected)


def test_diagonal_samples_have_the_variances_and_no_correlation() -> None:
    assert near(sampled(ShapedNoise("diagonal", "pairs", None)), np.diag(np.diag(residual_covariance())))


def test_the_published_sum_of_two_noises() -> None:
    """CLOSE's code: 3 times noise of the covariance, and noise of its own standard deviation."""
    noise = ShapedNoise("full", "pairs", None, multiple=9.0, floor=0.12**2)
    assert near(sampled(noise), 9 * residual_covariance() + 0.12**2 * np.eye(12))


@pytest.mark.parametrize("rank", [1, 4, 11])
def test_subspace_and_complement_share_out_the_space(rank: int) -> None:
    """Each has one variance on its part and none elsewhere, and the parts are orthogonal."""
    values, vectors = np.linalg.eigh(within_covariance())
    first = vectors[:, ::-1][:, :rank]
    inside = first @ first.T
    for shape, projector in (("subspace", inside), ("complement", np.eye(12) - inside)):
        found = sampled(ShapedNoise(shape, "clusters", 0.5, rank))  # type: ignore[arg-type]
        size = np.trace(found) / np.trace(projector)
        assert near(found, size * projector)
    assert values[-1] > values[0]


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["full", "shrunk", "diagonal", "subspace", "complement"]),
       st.sampled_from(["pairs", "clusters"]), st.floats(0.05, 0.99))  # fmt: skip
def test_the_measured_cosine_is_the_one_asked_for(shape: str, source: str, cosine: float) -> None:
    rank = 4 if shape in ("subspace", "complement") else None
    fitted = Bridge(noise=ShapedNoise(shape, source, cosine, rank)).fit(*WORLD)  # type: ignore[arg-type]
    measured = fitted.measure(TEXTS.repeat(60, 1), seeded(5))
    assert measured["cosine"] == pytest.approx(cosine, abs=0.01)


def test_behind_a_move_the_cosine_is_that_of_moved_rows() -> None:
    for move in (Collapse(), MeanShift("text")):
        fitted = Bridge((move,), ShapedNoise("full", "pairs", 0.4)).fit(*WORLD)
        assert fitted.measure(TEXTS.repeat(60, 1), seeded())["cosine"] == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize(
    "move", [MeanShift("text"), MeanShift("image"), Collapse()], ids=lambda move: move.label
)
def test_behind_a_move_the_residual_is_what_the_move_leaves(move: Move) -> None:
    """Of both sides: the image as it is read at inference, minus the text as it is read in training."""
    fitted = Bridge((move,), ShapedNoise("full", "pairs", None)).fit(*WORLD)
    left = fitted.infer_side(IMAGES)[CLUSTERS] - fitted.place(TEXTS)
    factor = fitted.noise_state["factor"].numpy()
    assert np.allclose(factor.T @ factor, np.cov(left.numpy().T, bias=True))


def test_isotropic_calibration_is_the_closed_form() -> None:
    """Of the identity in many dimensions, where the law is exact."""
    rows, d = unit_rows(500, 400, dtype=torch.float64), 400
    factor = calibrated(torch.eye(d, dtype=torch.float64), rows, 0.3)
    assert (factor.diagonal() ** 2).mean().item() == pytest.approx(variance_for_cosine(0.3, d), rel=0.02)


def test_a_cosine_of_one_is_no_noise_and_nothing_cannot_be_calibrated() -> None:
    assert not calibrated(torch.eye(4), unit_rows(3, 4), 1.0).any()
    with pytest.raises(CapdecError, match="does not vary"):
        calibrated(torch.zeros(4), unit_rows(3, 4), 0.5)


def test_noise_along_its_own_row_has_cosines_that_no_size_reaches() -> None:
    """Along a row each draw turns it by nothing or by half a turn, so the mean goes in steps."""
    row, along = torch.eye(1, 3, dtype=torch.float64), torch.eye(1, 3, dtype=torch.float64)
    with pytest.raises(CapdecError, match=r"no size of this noise has a mean cosine of 0\.50005"):
        calibrated(along, row, 0.50005)


@given(st.integers(1, 8), st.integers(0, 99))
def test_a_factor_gives_its_matrix_back(rank: int, seed: int) -> None:
    """Also of a matrix without full rank."""
    half = torch.randn(rank, 8, generator=seeded(seed), dtype=torch.float64)
    matrix = half.T @ half
    factor = factor_of(matrix)
    torch.testing.assert_close(factor.T @ factor, matrix, atol=1e-9, rtol=1e-9)


def test_deviations_have_no_mean() -> None:
    assert pair_deviations(MATERIAL, "noise").mean(dim=0).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("round", "pairs", 0.5), "shape must be one of full"),
        (("full", "images", 0.5), "source must be one of pairs, clusters"),
        (("full", "pairs", 0.0), "cosine must be above 0"),
        (("full", "pairs", 1.5), "cosine must be above 0"),
        (("full", "pairs", True), "cosine must be above 0"),
        (("full", "pairs", "a"), "cosine must be above 0"),
        (("full", "pairs", 0.5, 3), "has no rank"),
        (("subspace", "pairs", 0.5), "rank must be an integer"),
        (("subspace", "pairs", 0.5, 0), "rank must be an integer"),
        (("complement", "pairs", None, 2), "no size of its own"),
        (("full", "pairs", None, None, 0.0), "multiple must be above 0"),
        (("full", "pairs", None, None, 1.0, -0.1), "floor at least 0"),
        (("full", "pairs", 0.5, None, 2.0), "which the cosine would undo"),
    ],
)
def test_fields_without_meaning(fields: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShapedNoise(*fields)
