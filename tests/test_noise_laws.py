"""The isotropic and Student families against their closed forms and scipy's distributions."""

import math

import numpy as np
import pytest
import torch
from noise_rows import seeded, unit_rows
from scipy import stats

from capdec_core.noise import (
    Gaussian,
    MultivariateT,
    Perturbation,
    RandomDirection,
    StudentT,
    UniformBall,
    ball_radius_for_variance,
    cosine_for_variance,
    measure,
    variance_for_cosine,
)

STUDIES = [(512, 0.016, 0.330), (512, 0.05, 0.194), (640, 0.016, 0.298), (640, 0.05, 0.174)]


def displacements(noise: Perturbation, batch: int, d: int, seed: int = 3) -> np.ndarray:
    x = unit_rows(batch, d, dtype=torch.float64)
    return noise.displacement(x, generator=seeded(seed)).numpy()


@pytest.mark.parametrize(("d", "variance", "cosine"), STUDIES)
def test_the_cosine_law_gives_the_published_table(d: int, variance: float, cosine: float) -> None:
    assert cosine_for_variance(variance, d) == pytest.approx(cosine, abs=5e-4)
    assert variance_for_cosine(cosine_for_variance(variance, d), d) == pytest.approx(variance)
    report = measure(Gaussian(variance), unit_rows(4096, d), generator=seeded())
    assert report["cosine"] == pytest.approx(cosine, abs=0.003)


def test_the_calibration_law_on_the_500_real_pairs() -> None:
    assert variance_for_cosine(0.310, 512) == pytest.approx(0.0184, abs=5e-5)


@pytest.mark.parametrize("bad", [0, -0.3, 1.1, math.nan])
def test_a_cosine_that_no_variance_gives_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="cosine must be"):
        variance_for_cosine(bad, 512)
    with pytest.raises(ValueError, match="variance must be"):
        cosine_for_variance(-1, 512)


@pytest.mark.parametrize("d", [128, 512, 640])
@pytest.mark.parametrize(
    "noise",
    [
        Gaussian(0.016),
        Gaussian(0.05),
        UniformBall(2.5),
        StudentT(3, 0.016),
        StudentT(5, 0.05),
        StudentT(3),
        StudentT(20),
        MultivariateT(3, 0.016),
        MultivariateT(10, 0.05),
        RandomDirection(0.5),
        RandomDirection(3),
    ],
    ids=lambda noise: noise.label,
)
def test_description_is_what_is_measured(noise: Perturbation, d: int) -> None:
    batch = 3000
    x = unit_rows(batch, d, dtype=torch.float64)
    report, told = measure(noise, x, generator=seeded(5)), noise.describe(d)
    y = noise(x, generator=seeded(5))
    error = (x * y).sum(dim=1).std().item() / math.sqrt(batch)
    assert abs(report["cosine"] - told["expected_cosine"]) < 4 * error + 1.5 / d * told["expected_cosine"]
    if told["expected_norm"] is not None:
        norms = np.linalg.norm(displacements(noise, batch, d, seed=5), axis=1)
        standard_error = norms.std() / math.sqrt(batch)
        assert abs(norms.mean() - told["expected_norm"]) < 4 * standard_error + 1e-9
    if getattr(noise, "df", 9) > 4:
        assert report["variance"] == pytest.approx(told["variance"], rel=0.05)
    assert told["std"] == pytest.approx(math.sqrt(told["variance"]))


def test_gaussian_norm_is_scipys_chi_mean() -> None:
    for d in (1, 128, 640):
        assert Gaussian(0.04).describe(d)["expected_norm"] == pytest.approx(0.2 * stats.chi(d).mean())


def test_multivariate_t_norm_is_the_mean_of_the_root_of_f() -> None:
    noise, d = MultivariateT(5, 0.04), 128
    root = stats.f(d, 5).expect(np.sqrt)
    assert noise.describe(d)["expected_norm"] == pytest.approx(math.sqrt(0.04 * 3 / 5 * d) * root, rel=1e-6)


def test_literal_student_t_destroys_the_signal() -> None:
    for df in (3, 5, 7, 10, 15, 20):
        report = measure(StudentT(df), unit_rows(4096, 640), generator=seeded(df))
        assert 0.02 < report["cosine"] < 0.04
        assert 0.02 < StudentT(df).describe(640)["expected_cosine"] < 0.04
        assert StudentT(df).describe(640)["variance"] == pytest.approx(df / (df - 2))


def test_an_infinite_variance_is_described_as_none() -> None:
    told = StudentT(2).describe(64)
    assert (told["variance"], told["std"], told["expected_norm"]) == (None, None, None)
    assert 0 < told["expected_cosine"] < 1


def test_student_t_cosine_tends_to_the_gaussians() -> None:
    assert StudentT(1e5, 0.016).describe(512)["expected_cosine"] == pytest.approx(0.330, abs=1e-3)


@pytest.mark.parametrize("df", [2.5, 3, 10, 20])
@pytest.mark.parametrize("variance", [None, 0.016])
def test_student_t_coordinates_follow_scipys_t(df: float, variance: float | None) -> None:
    scale = 1.0 if variance is None else math.sqrt(variance * (df - 2) / df)
    sample = displacements(StudentT(df, variance), 80, 128).ravel()
    assert stats.kstest(sample, stats.t(df, scale=scale).cdf).pvalue > 1e-3
    assert stats.kstest(sample, stats.norm(scale=sample.std()).cdf).pvalue < 1e-3 or df > 9


def test_multivariate_t_has_t_coordinates_and_an_f_radius() -> None:
    df, variance, d = 4.0, 0.05, 96
    sample = displacements(MultivariateT(df, variance), 4000, d)
    scale2 = variance * (df - 2) / df
    assert stats.kstest((sample**2).sum(axis=1) / (d * scale2), stats.f(d, df).cdf).pvalue > 1e-3
    assert stats.kstest(sample[:, 7], stats.t(df, scale=math.sqrt(scale2)).cdf).pvalue > 1e-3


def test_only_the_multivariate_t_has_a_heavy_radius_in_high_dimension() -> None:
    spread = {
        kind: np.linalg.norm(displacements(kind, 2000, 512), axis=1)
        for kind in (Gaussian(0.016), StudentT(5, 0.016), MultivariateT(5, 0.016))
    }
    gaussian, student, multivariate = (norms.std() / norms.mean() for norms in spread.values())
    assert max(gaussian, student) < 0.12 < 0.3 < multivariate


def test_ball_points_are_uniform_in_radius_and_direction() -> None:
    radius, d = 2.0, 6
    sample = displacements(UniformBall(radius), 6000, d)
    norms = np.linalg.norm(sample, axis=1)
    assert norms.max() <= radius
    assert stats.kstest((norms / radius) ** d, "uniform").pvalue > 1e-3
    along = sample[:, 0] / norms
    assert stats.kstest((along + 1) / 2, stats.beta((d - 1) / 2, (d - 1) / 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("d", [128, 512, 640])
def test_a_ball_scaled_like_a_gaussian_is_smaller_by_sqrt_d(d: int) -> None:
    """The reference code's trap: the unit ball times sqrt(variance) beside normals times sqrt(variance)."""
    variance = 0.016
    x = unit_rows(256, d)
    gaussian, trap, right = (
        measure(noise, x, generator=seeded())
        for noise in (
            Gaussian(variance),
            UniformBall(math.sqrt(variance)),
            UniformBall(ball_radius_for_variance(variance, d)),
        )
    )
    assert gaussian["norm"] / trap["norm"] == pytest.approx(math.sqrt(d), rel=0.02)
    assert trap["cosine"] > 0.99
    assert right["variance"] == pytest.approx(variance, rel=0.02)
    assert right["cosine"] == pytest.approx(gaussian["cosine"], abs=0.02)


def test_the_variance_of_a_ball_in_three_dimensions() -> None:
    radius = ball_radius_for_variance(0.2, 3)
    assert radius == pytest.approx(1)
    assert UniformBall(radius).describe(3)["variance"] == pytest.approx(0.2)
    sample = displacements(UniformBall(radius), 40000, 3)
    assert (sample**2).mean() == pytest.approx(0.2, rel=0.02)
