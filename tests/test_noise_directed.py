"""Cosine-directed noise against the study with all vectors drawn, in law; the share that it keeps; its repair."""

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_rows import seeded, unit_rows
from scipy import special, stats
from torch import Tensor

from capdec_core.noise import (
    CosineDirected,
    FixedCosine,
    acceptance_tails,
    measure,
    measured_cosine,
    variance_for_cosine,
)
from capdec_core.noise.directed import resultant_length

SIGNIFICANCE = 1e-4
"""Seeds are fixed: a sampler of the right law fails no comparison, one of another law fails them all."""
CASES = [
    (512, 30, 0.05, 0.7),
    (48, 30, 0.1, 0.8),
    (48, 31, 0.15, 0.75),
    (16, 7, 0.3, 0.6),
    (8, 5, 0.8, -0.4),
    (8, 40, 0.4, 0.2),
    (3, 13, 0.6, 0.5),
    (2, 4, 0.5, 0.3),
    (2, 1, 0.5, 0.8),
    (32, 1, 0.2, 0.6),
]
"""(d, n, beta, threshold), all of which keep some candidates and reject others."""


def literal(x: Tensor, noise: CosineDirected, seed: int) -> tuple[Tensor, Tensor]:
    """Steps 1 to 5 of the study with all n * d numbers drawn: the displacement, and how many are kept."""
    displacements, kept = [], []
    generator = seeded(seed)
    for row in x:
        draws = torch.randn(noise.n, len(row), generator=generator, dtype=x.dtype)
        candidates = row + noise.beta * draws
        similarities = candidates @ row / (candidates.norm(dim=1) * row.norm())
        keep = similarities > noise.threshold
        weights = similarities[keep] / similarities[keep].sum()
        displacements.append((weights[:, None] * (candidates[keep] - row)).sum(dim=0))
        kept.append(int(keep.sum()))
    return torch.stack(displacements), torch.tensor(kept)


def seen(x: Tensor, displacement: Tensor) -> dict[str, np.ndarray]:
    """What a row's displacement looks like: its length, along x, across x, in a fixed direction, and the cosine."""
    along = (displacement * x).sum(dim=1)
    across = displacement - along[:, None] * x
    moved = torch.nn.functional.normalize(x + displacement, dim=1)
    return {
        "norm": displacement.norm(dim=1).numpy(),
        "along": along.numpy(),
        "across": across.norm(dim=1).numpy(),
        "first coordinate across": across[:, 1].numpy(),
        "cosine": (x * moved).sum(dim=1).numpy(),
        "along over across": (along / across.norm(dim=1).clamp_min(1e-9)).numpy(),
    }


def differences(noise: CosineDirected, d: int, rows: int) -> dict[str, float]:
    """The p-value of each quantity: is it of one law in the sampler and in the literal study?"""
    x = torch.zeros(rows, d, dtype=torch.float64)
    x[:, 0] = 1
    expected, count = literal(x, noise, seed=1)
    ours = seen(x, noise.displacement(x, generator=seeded(2)))
    found = {name: stats.ks_2samp(ours[name], told).pvalue for name, told in seen(x, expected).items()}
    share = noise.acceptance(x, seeded(2)) * noise.n
    return found | {"kept": stats.ks_2samp(share.round().numpy(), count.numpy()).pvalue}


@pytest.mark.parametrize(("d", "n", "beta", "threshold"), CASES)
def test_the_sampler_has_the_law_of_the_study_step_by_step(
    d: int, n: int, beta: float, threshold: float
) -> None:
    noise = CosineDirected(n, beta, threshold)
    assert 0.01 < noise.expected_acceptance(d) < 0.999
    found = differences(noise, d, rows=1500 if d > 100 else 3000)
    assert min(found.values()) > SIGNIFICANCE, found


def test_the_comparison_notices_another_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "capdec_core.noise.directed.direction_cosines", lambda like, d, generator: torch.zeros_like(like)
    )
    assert min(differences(CosineDirected(7, 0.3, 0.6), 16, 3000).values()) < SIGNIFICANCE


@pytest.mark.parametrize("d", [1, 2, 3, 40])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 13])
def test_the_length_of_a_sum_of_directions_is_that_of_the_sum(d: int, n: int) -> None:
    lengths = torch.rand(4000, n, generator=seeded(3), dtype=torch.float64)
    drawn = torch.randn(4000, n, d, generator=seeded(4), dtype=torch.float64)
    directions = torch.nn.functional.normalize(drawn, dim=2)
    summed = (lengths[:, :, None] * directions).sum(dim=1).norm(dim=1)
    ours = resultant_length(lengths, d, seeded(5))[:, 0]
    assert stats.ks_2samp(ours.numpy(), summed.numpy()).pvalue > SIGNIFICANCE
    assert (ours <= lengths.sum(dim=1) + 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 20), beta=st.floats(0, 2), thresholds=st.lists(st.floats(-1, 1), min_size=2, max_size=2)
)
def test_the_threshold_never_changes_what_is_drawn(n: int, beta: float, thresholds: list[float]) -> None:
    x, states, shares = unit_rows(5, 12), [], []
    for threshold in thresholds:
        generator, noise = seeded(6), CosineDirected(n, beta, threshold)
        noise(x, generator=generator)
        states.append(generator.get_state())
        shares.append(noise.acceptance(x, seeded(6)))
    assert torch.equal(*states)
    assert (shares[0] >= shares[1]).all() == (thresholds[0] <= thresholds[1]) or torch.equal(*shares)


def test_thresholds_that_keep_everything_give_the_same_bytes() -> None:
    x = unit_rows(32, 512)
    low, study, high = (CosineDirected(30, 0.01, t)(x, generator=seeded()) for t in (-1, 0.7, 0.9))
    assert torch.equal(low, study)
    assert torch.equal(low, high)
    assert not torch.equal(low, x)


def test_rows_that_keep_nothing_stay_to_the_last_bit_and_the_others_move() -> None:
    x = unit_rows(300, 512)
    noise = CosineDirected(30, 0.05, 0.7)
    kept, moved = noise.acceptance(x, seeded()), noise(x, generator=seeded())
    stayed = (moved == x).all(dim=1)
    assert 0 < stayed.sum() < 300
    assert torch.equal(stayed, kept == 0)
    nothing = CosineDirected(30, 0.1, 0.7)
    assert nothing.acceptance(x, seeded()).max() == 0
    assert torch.equal(nothing(x, generator=seeded()), x)


def test_one_dimension_is_refused() -> None:
    x = torch.ones(3, 1)
    for noise in (CosineDirected(3, 0.1, 0.7), FixedCosine(0.5)):
        with pytest.raises(ValueError, match="d must be at least 2"):
            noise(x, generator=seeded())


def test_where_all_is_kept_averaging_leaves_beta_over_sqrt_n() -> None:
    x = unit_rows(64, 512)
    report = measure(CosineDirected(30, 0.01, 0.9), x, generator=seeded())
    assert report["variance"] == pytest.approx(0.01**2 / 30, rel=0.02)
    assert report["cosine"] > 0.999


@pytest.mark.parametrize("d", [512, 640])
@pytest.mark.parametrize("threshold", [0.7, 0.75, 0.8, 0.85, 0.9])
def test_the_predicted_acceptance_is_the_book_s_table(d: int, threshold: float) -> None:
    assert CosineDirected(30, 0.01, threshold).expected_acceptance(d) == pytest.approx(1)
    at_05 = CosineDirected(30, 0.05, threshold).expected_acceptance(d)
    told = {(512, 0.7): 0.039, (512, 0.75): 5.2e-6, (640, 0.7): 4e-5}.get((d, threshold))
    assert at_05 == pytest.approx(told, rel=0.06) if told else at_05 < 1e-11
    for beta in (0.1, 0.2, 0.5):
        assert CosineDirected(30, beta, threshold).expected_acceptance(d) < 1e-20


@pytest.mark.parametrize(
    ("d", "beta", "threshold"),
    [(512, 0.05, 0.7), (512, 0.05, 0.65), (128, 0.1, 0.66), (8, 0.5, 0.3), (8, 1.0, -0.3), (8, 2.0, -0.9)],
)
def test_the_measured_acceptance_is_the_predicted_one(d: int, beta: float, threshold: float) -> None:
    noise = CosineDirected(100, beta, threshold)
    share = noise.acceptance(unit_rows(200, d), seeded()).double()
    predicted = noise.expected_acceptance(d)
    error = math.sqrt(predicted * (1 - predicted) / (100 * 200))
    assert abs(share.mean().item() - predicted) < 4 * error


def tails_at_high_precision(beta: float, threshold: float, d: int) -> tuple[float, float]:
    """Both tails by adaptive quadrature over the chi law of the noise across x, with 30 digits."""
    with mpmath.workdps(30):
        cotangent = mpmath.mpf(threshold) / mpmath.sqrt(1 - mpmath.mpf(threshold) ** 2)
        half = mpmath.mpf(d - 1) / 2

        def density(r: mpmath.mpf) -> mpmath.mpf:
            log = (
                (2 * half - 1) * mpmath.log(r) - r**2 / 2 - mpmath.loggamma(half) - (half - 1) * mpmath.log(2)
            )
            return mpmath.exp(log)

        middle = mpmath.sqrt(d - 1)
        ends = [max(mpmath.mpf("1e-25"), middle + step) for step in range(-18, 19)]
        signs = (1, -1)
        kept, rejected = (
            mpmath.quad(
                lambda r, s=s: density(r) * mpmath.ncdf(s * (1 / mpmath.mpf(beta) - cotangent * r)), ends
            )
            for s in signs
        )
        return float(kept), float(rejected)


@pytest.mark.parametrize(
    ("d", "beta", "threshold"),
    [(512, 0.05, 0.8), (640, 0.02, 0.85), (16, 1, -0.9), (2, 0.5, 0.7)],
)
def test_both_tails_agree_with_thirty_digits(d: int, beta: float, threshold: float) -> None:
    found, told = acceptance_tails(beta, threshold, d), tails_at_high_precision(beta, threshold, d)
    assert found == pytest.approx(told, rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("d", "beta", "threshold"),
    [(512, 0.05, 0.7), (640, 0.05, 0.75), (512, 0.01, 0.95), (32, 0.3, 0.5), (16, 1, 0.1), (3, 0.4, 0.999)],
)
def test_the_tails_are_those_of_the_noncentral_t(d: int, beta: float, threshold: float) -> None:
    bound = threshold / math.sqrt(1 - threshold**2) * math.sqrt(d - 1)
    law = stats.nct(d - 1, 1 / beta)
    assert acceptance_tails(beta, threshold, d) == pytest.approx(
        (law.sf(bound), law.cdf(bound)), rel=1e-8, abs=0
    )


@settings(max_examples=100, deadline=None)
@given(beta=st.floats(0.01, 5), threshold=st.floats(-0.999, 0.999), d=st.integers(2, 800))
def test_the_tails_are_each_other_s_complement(beta: float, threshold: float, d: int) -> None:
    kept, rejected = acceptance_tails(beta, threshold, d)
    assert min(kept, rejected) >= 0
    assert kept + rejected == pytest.approx(1, abs=1e-9)


def test_acceptance_at_the_edges_of_the_threshold() -> None:
    assert acceptance_tails(0.1, 1, 64) == (0, 1)
    assert acceptance_tails(0.1, -1, 64) == (1, 0)
    assert acceptance_tails(0, 0.9, 64) == (1, 0)
    assert acceptance_tails(0, 1, 64) == (0, 1)
    assert acceptance_tails(0.5, 0, 64) == pytest.approx((stats.norm.cdf(2), stats.norm.cdf(-2)))
    assert acceptance_tails(0.5, 0.6, 2)[0] == pytest.approx(planar_acceptance(0.5, 0.6))


def planar_acceptance(beta: float, threshold: float) -> float:
    """In two dimensions: the share of a Gaussian around (1, 0) inside a wedge, by an integral over its axis."""
    along = np.linspace(0, 8, 200001)
    across = along * math.sqrt(1 / threshold**2 - 1)
    density = stats.norm.pdf(along, 1, beta) * special.erf(across / beta / math.sqrt(2))
    return float(np.trapezoid(density, along))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("d", [2, 3, 512])
@pytest.mark.parametrize("cosine", [1e-3, 0.3, 0.9, 0.9999])
def test_a_fixed_cosine_is_the_cosine_of_every_row(cosine: float, d: int, dtype: torch.dtype) -> None:
    x = unit_rows(200, d, dtype=dtype)
    noise = FixedCosine(cosine)
    found = measured_cosine(x, noise(x, generator=seeded()))
    torch.testing.assert_close(found, torch.full_like(found, cosine), rtol=0, atol=1e-6)
    told, report = noise.describe(d), measure(noise, x, generator=seeded())
    assert told["expected_cosine"] == cosine
    for key, measured in (("variance", "variance"), ("std", "std"), ("expected_norm", "norm")):
        assert report[measured] == pytest.approx(told[key], rel=1e-5)
    assert told["variance"] == variance_for_cosine(cosine, d)


def test_a_fixed_cosine_has_no_preferred_direction() -> None:
    x = torch.zeros(5000, 3, dtype=torch.float64)
    x[:, 0] = 1
    moved = FixedCosine(0.6)(x, generator=seeded())
    angles = torch.atan2(moved[:, 1], moved[:, 2]).numpy()
    assert stats.kstest(angles, stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > SIGNIFICANCE


def test_a_cosine_of_one_moves_nothing() -> None:
    x = unit_rows(8, 64)
    assert torch.equal(FixedCosine(1)(x, generator=seeded()), x)
