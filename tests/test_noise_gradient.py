"""Gradient noise against autograd row by row: each row its own gradient, a step of fixed norm along it."""

import math

import pytest
import torch
from noise_rows import quartic, seeded, unit_rows
from torch import Tensor

from capdec_core.noise import (
    NormalisedGradient,
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
