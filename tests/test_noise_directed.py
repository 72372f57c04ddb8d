"""Gradient noise against autograd row by row, cosine-directed noise against a naive transcription."""

import math

import numpy as np
import pytest
import torch
from noise_rows import quartic, seeded, unit_rows
from scipy import special, stats
from torch import Tensor

from capdec_core.noise import (
    CosineDirected,
    NormalisedGradient,
    directed,
    measure,
    measured_cosine,
    row_gradients,
)


def test_the_summed_loss_gives_each_row_its_own_gradient() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(24, 40), torch.nn.Tanh(), torch.nn.Linear(40, 5)).double()
    targets = torch.arange(10) % 5
    x = unit_rows(10, 24, dtype=torch.float64)

    def loss(rows: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(network(rows), targets[: len(rows)], reduction="none")

    together = row_gradients(loss, x)
    for index in range(10):
        leaf = x[index : index + 1].clone().requires_grad_()
        torch.nn.functional.cross_entropy(network(leaf), targets[index : index + 1]).backward()
        torch.testing.assert_close(together[index], leaf.grad[0])
    network.zero_grad()
    row_gradients(loss, x)
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("sign", [1, -1])
def test_the_step_has_norm_epsilon_along_the_gradient_and_moves_the_loss(sign: int) -> None:
    x = unit_rows(64, 128, dtype=torch.float64)
    noise = NormalisedGradient(0.05, sign)
    step = noise.displacement(x, generator=seeded(), loss=quartic)
    gradient = row_gradients(quartic, x)
    torch.testing.assert_close(step.norm(dim=1), torch.full((64,), 0.05, dtype=torch.float64))
    torch.testing.assert_close(
        measured_cosine(step, gradient), torch.full((64,), float(sign), dtype=torch.float64)
    )
    change = quartic(x + step * 1e-3) - quartic(x)
    assert (change * sign > 0).all()


@pytest.mark.parametrize("d", [128, 640])
def test_gradient_noise_of_the_study_hardly_moves_a_row(d: int) -> None:
    x = unit_rows(256, d)
    for epsilon in (0.01, 0.05, 0.1):
        noise = NormalisedGradient(epsilon)
        cosine = measured_cosine(x, noise(x, generator=seeded(), loss=quartic))
        assert cosine.min() >= math.sqrt(1 - epsilon**2) - 1e-6
        assert cosine.mean() >= 0.995
        assert noise.describe(d)["expected_norm"] == pytest.approx(
            measure(noise, x, generator=seeded(), loss=quartic)["norm"], rel=1e-4
        )


def test_rows_without_a_gradient_stay_and_tiny_gradients_still_step() -> None:
    x = unit_rows(4, 32)
    scale = torch.tensor([0.0, 1e-30, 1.0, 1e30])
    y = NormalisedGradient(0.3)(x, generator=seeded(), loss=lambda rows: rows[:, 0] * scale)
    assert torch.equal(y[0], x[0])
    step = torch.zeros(32)
    step[0] = 0.3
    torch.testing.assert_close(y[1:], torch.nn.functional.normalize(x[1:] + step, dim=1))


def test_gradients_are_taken_under_no_grad_too() -> None:
    x = unit_rows(4, 32)
    with torch.no_grad():
        y = NormalisedGradient(0.3)(x, generator=seeded(), loss=quartic)
    assert not y.requires_grad
    assert not torch.equal(x, y)


def test_a_missing_or_reduced_loss_is_refused() -> None:
    x = unit_rows(4, 32)
    with pytest.raises(ValueError, match="needs loss="):
        NormalisedGradient(0.1)(x, generator=seeded())
    with pytest.raises(ValueError, match="one value a row"):
        NormalisedGradient(0.1)(x, generator=seeded(), loss=lambda rows: quartic(rows).mean())


def transcription(
    x: np.ndarray, draws: np.ndarray, beta: float, threshold: float
) -> tuple[np.ndarray, float]:
    """Steps 1 to 5 of the study for one row x (d,) and its draws (N, d), loops and all."""
    kept, similarities = [], []
    for draw in draws:
        candidate = x + beta * draw
        similarity = x @ candidate / (np.linalg.norm(x) * np.linalg.norm(candidate))
        if similarity > threshold:
            kept.append(candidate)
            similarities.append(similarity)
    if not kept:
        return x, 0.0
    direction = sum(
        s / sum(similarities) * (candidate - x) for s, candidate in zip(similarities, kept, strict=True)
    )
    moved = x + direction
    return moved / np.linalg.norm(moved), len(kept) / len(draws)


@pytest.mark.parametrize("elements", [1 << 22, 6 * 48 * 7, 1])
@pytest.mark.parametrize(
    ("beta", "threshold"), [(0.05, 0.9), (0.1, 0.8), (0.15, 0.75), (0.5, 0.95), (0.3, 0.0)]
)
def test_cosine_directed_is_the_study_step_by_step(
    monkeypatch: pytest.MonkeyPatch, elements: int, beta: float, threshold: float
) -> None:
    monkeypatch.setattr(directed, "CHUNK_ELEMENTS", elements)
    n, x, generator = 30, unit_rows(6, 48, dtype=torch.float64), seeded(4)
    size = max(1, elements // x.numel())
    draws = torch.cat(
        [
            torch.randn(6, min(size, n - start), 48, generator=generator, dtype=torch.float64)
            for start in range(0, n, size)
        ],
        dim=1,
    )
    noise = CosineDirected(n, beta, threshold)
    y, share = noise(x, generator=seeded(4)), noise.acceptance(x, seeded(4))
    for row in range(6):
        expected, kept = transcription(x[row].numpy(), draws[row].numpy(), beta, threshold)
        np.testing.assert_allclose(y[row].numpy(), expected, atol=1e-12)
        assert share[row].item() == pytest.approx(kept)


def test_rows_that_keep_nothing_stay_to_the_last_bit() -> None:
    x = unit_rows(32, 512)
    noise = CosineDirected(30, 0.1, 0.7)
    assert noise.acceptance(x, seeded()).max() == 0
    assert torch.equal(noise(x, generator=seeded()), x)


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
    told = {(512, 0.7): 0.039, (640, 0.7): 4e-5}.get((d, threshold))
    assert at_05 == pytest.approx(told, rel=0.06) if told else at_05 < 1e-5
    for beta in (0.1, 0.2, 0.5):
        assert CosineDirected(30, beta, threshold).expected_acceptance(d) < 1e-20


@pytest.mark.parametrize(
    ("d", "beta", "threshold"),
    [(512, 0.05, 0.7), (512, 0.05, 0.65), (128, 0.1, 0.66), (8, 0.5, 0.3), (8, 1.0, -0.3)],
)
def test_the_measured_acceptance_is_the_predicted_one(d: int, beta: float, threshold: float) -> None:
    noise = CosineDirected(100, beta, threshold)
    share = noise.acceptance(unit_rows(200, d), seeded()).double()
    predicted = noise.expected_acceptance(d)
    error = math.sqrt(predicted * (1 - predicted) / (100 * 200))
    assert abs(share.mean().item() - predicted) < 4 * error


@pytest.mark.parametrize(
    ("d", "beta", "threshold"), [(512, 0.05, 0.7), (640, 0.05, 0.75), (32, 0.3, 0.5), (16, 1, 0.1)]
)
def test_the_noncentral_t_is_the_integral_over_the_noise_along_x(
    d: int, beta: float, threshold: float
) -> None:
    z = np.linspace(-1 / beta, 40, 40001)
    bound = (1 + beta * z) ** 2 * (1 / threshold**2 - 1) / beta**2
    integral = np.trapezoid(special.chdtr(d - 1, bound) * stats.norm.pdf(z), z)
    assert CosineDirected(1, beta, threshold).expected_acceptance(d) == pytest.approx(integral, rel=1e-6)


def test_acceptance_at_the_edges_of_the_threshold() -> None:
    assert CosineDirected(1, 0.1, 1).expected_acceptance(64) == 0
    assert CosineDirected(1, 0.1, -1).expected_acceptance(64) == 1
    assert CosineDirected(1, 0, 0.9).expected_acceptance(64) == 1
    assert CosineDirected(1, 0.5, 0).expected_acceptance(64) == pytest.approx(stats.norm.cdf(2))
