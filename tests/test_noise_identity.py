"""What cosine-directed noise is proved to be the same as: verdicts, bounds, equal trainings byte by byte."""

import numpy as np
import pytest
import torch
from scipy import stats
from tiny import random_captions, tiny_config, unit_rows

from capdec_core.batches import PackedCaptions
from capdec_core.captioner import Captioner
from capdec_core.noise import CHANCE, CosineDirected, NoNoise, Perturbation, prove_identity
from capdec_core.training import Budget, TrainingRecord, train

ROWS = 1200 * 32
PACKED = PackedCaptions.pack(random_captions(50))
BUDGET = Budget(steps=12, batch_size=8, learning_rate=1e-3, warmup_steps=3)


def trained(noise: Perturbation) -> tuple[list[bytes], TrainingRecord]:
    """A small captioner's weights after training with this noise, dropout included, and the record."""
    captioner = Captioner(tiny_config("transformer", dropout=0.1), seed=0)
    record = train(captioner, unit_rows(50), PACKED, noise, BUDGET, seed=0)
    return [weight.detach().numpy().tobytes() for weight in captioner.parameters()], record


@pytest.mark.parametrize(
    ("literal", "kept", "canonical"),
    [
        (CosineDirected(5, 5, 0.99), "nothing", NoNoise()),
        (CosineDirected(5, 0.01, 0.9), "everything", CosineDirected(5, 0.01, -1)),
        (CosineDirected(5, 0.01, 0.7), "everything", CosineDirected(5, 0.01, -1)),
    ],
)
def test_a_proved_identity_trains_to_the_same_bytes(
    literal: CosineDirected, kept: str, canonical: Perturbation
) -> None:
    found = prove_identity(literal, d=16, rows=BUDGET.steps * BUDGET.batch_size)
    assert found.perturbation == canonical
    assert found.kept == kept
    assert 0 <= found.chance < CHANCE
    (one, first), (two, second) = trained(literal), trained(canonical)
    assert one == two
    assert first.losses == second.losses
    assert first.mean_cosine == second.mean_cosine


def test_partial_cells_are_not_merged_and_train_to_other_bytes() -> None:
    cells = [CosineDirected(5, 0.2, threshold) for threshold in (0.7, 0.75)]
    found = [prove_identity(cell, d=16, rows=96) for cell in cells]
    assert [identity.perturbation for identity in found] == cells
    assert all(identity.kept == "something" and identity.chance == 0 for identity in found)
    assert trained(cells[0])[0] != trained(cells[1])[0]


@pytest.mark.parametrize("n", [30, 500])
@pytest.mark.parametrize("threshold", [0.7, 0.75, 0.8, 0.85, 0.9])
def test_the_study_s_grid_at_unit_norm(n: int, threshold: float) -> None:
    kept = {
        b: prove_identity(CosineDirected(n, b, threshold), 512, ROWS).kept
        for b in (0.01, 0.05, 0.1, 0.2, 0.5)
    }
    assert kept[0.01] == "everything"
    assert kept[0.05] == ("something" if threshold < 0.8 else "nothing")
    assert {kept[0.1], kept[0.2], kept[0.5]} == {"nothing"}


@pytest.mark.parametrize(("beta", "threshold", "tail"), [(0.05, 0.82, "sf"), (0.02, 0.81, "cdf")])
def test_the_chance_is_boole_s_bound_over_all_candidates(beta: float, threshold: float, tail: str) -> None:
    found = prove_identity(CosineDirected(30, beta, threshold), 512, ROWS)
    one = getattr(stats.nct(511, 1 / beta), tail)(threshold / np.sqrt(1 - threshold**2) * np.sqrt(511))
    assert found.chance == pytest.approx(30 * ROWS * one, rel=0.02)
    assert found.chance >= 30 * ROWS * one


def test_a_longer_training_proves_less() -> None:
    noise = CosineDirected(500, 0.05, 0.8)
    assert prove_identity(noise, 512, ROWS).kept == "nothing"
    assert prove_identity(noise, 512, 10 * ROWS).kept == "something"


def test_where_the_measured_share_contradicts_no_proof_is_given() -> None:
    rows = torch.nn.functional.normalize(
        torch.randn(4000, 512, generator=torch.Generator().manual_seed(0)), dim=1
    )
    for beta in (0.01, 0.02, 0.03, 0.05, 0.1):
        for threshold in (0.7, 0.8, 0.9):
            noise = CosineDirected(30, beta, threshold)
            share = noise.acceptance(rows, torch.Generator().manual_seed(1))
            found = prove_identity(noise, 512, len(rows))
            if 0 < share.mean() < 1:
                assert found.kept == "something"
            if found.kept != "something":
                assert share.unique().tolist() == [float(found.kept == "everything")]


def test_a_training_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        prove_identity(CosineDirected(5, 0.1, 0.7), 16, 0)
