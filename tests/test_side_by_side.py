"""Runs trained in one program come to what each comes to alone, whichever others are beside it."""

from dataclasses import replace

import pytest
import torch
from tiny import random_captions, tiny_config, unit_rows

from capdec_core.batches import PackedCaptions, batches, side_by_side
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.errors import CapdecError
from capdec_core.noise import Gaussian, NoNoise, NormalisedGradient, Perturbation
from capdec_core.side_by_side import Run, train_side_by_side
from capdec_core.training import TrainingRecord, train

PACKED = PackedCaptions.pack(random_captions(50))
TEXTS, IMAGES = unit_rows(50), unit_rows(50, seed=3)
BUDGET = Budget(steps=12, batch_size=8, learning_rate=1e-3, warmup_steps=3)
SPECIFIED: list[tuple[Perturbation, int, torch.Tensor]] = [
    (Gaussian(0.1), 0, TEXTS),
    (NormalisedGradient(0.1), 1, IMAGES),
    (NoNoise(), 2, TEXTS),
    (Gaussian(0.01), 0, IMAGES),
]
"""Noise, seed and embeddings of four runs that differ in everything a run may differ in."""


def captioner(kind: str, tuned: bool, seed: int) -> Captioner:
    shared = Captioner(tiny_config(kind), seed=9).language_model
    return Captioner(tiny_config(kind, tuned=tuned), seed=seed, language_model=shared)


def together(kind: str, tuned: bool, chosen: list[int]) -> dict[int, tuple[Captioner, TrainingRecord]]:
    runs = [
        Run(captioner(kind, tuned, seed), rows, noise, seed)
        for noise, seed, rows in (SPECIFIED[i] for i in chosen)
    ]
    records = train_side_by_side(runs, PACKED, BUDGET)
    return {i: (run.captioner, record) for i, run, record in zip(chosen, runs, records, strict=True)}


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in module.parameters()])


@pytest.mark.parametrize("kind", ["mlp", "linear", "transformer"])
@pytest.mark.parametrize("tuned", [True, False])
def test_each_run_comes_to_what_it_comes_to_alone(kind, tuned):
    trained = together(kind, tuned, [0, 1, 2, 3])
    for i, (noise, seed, rows) in enumerate(SPECIFIED):
        alone = captioner(kind, tuned, seed)
        record = train(alone, rows, PACKED, noise, BUDGET, seed)
        assert trained[i][1].losses == pytest.approx(record.losses, rel=1e-5)
        assert trained[i][1].mean_cosine == pytest.approx(record.mean_cosine, rel=1e-5)
        torch.testing.assert_close(weights(trained[i][0]), weights(alone), atol=2e-5, rtol=1e-4)


def test_who_is_beside_a_run_does_not_reach_it():
    all_of_them, some = together("transformer", True, [0, 1, 2, 3]), together("transformer", True, [3, 1])
    for i in (3, 1):
        torch.testing.assert_close(weights(some[i][0]), weights(all_of_them[i][0]), atol=2e-5, rtol=1e-4)
        assert some[i][1].losses == pytest.approx(all_of_them[i][1].losses, rel=1e-5)
        assert some[i][1].side_by_side == 2


def test_a_frozen_language_model_is_shared_and_stays():
    before = weights(captioner("mlp", False, 0).language_model)
    for told, _ in together("mlp", False, [0, 2]).values():
        assert torch.equal(weights(told.language_model), before)
        assert not torch.equal(weights(told.mapper), weights(captioner("mlp", False, 0).mapper))


def test_runs_of_other_seeds_see_other_captions():
    lengths = PACKED.lengths
    both = side_by_side([batches(lengths, 8, seed=0), batches(lengths, 8, seed=1)])
    alone = batches(lengths, 8, seed=1)
    for _ in range(12):
        batch = next(both)
        assert torch.equal(batch.rows[1], next(alone).rows)
        assert not torch.equal(*batch.rows)
        assert batch.width == int(lengths[batch.rows].max())
        assert batch.total == int(lengths[batch.rows].sum())


def test_what_cannot_share_a_program_is_refused():
    one, other = Captioner(tiny_config("mlp")), Captioner(tiny_config("linear"))
    with pytest.raises(ValueError, match="2 configurations"):
        train_side_by_side([Run(c, TEXTS, NoNoise(), 0) for c in (one, other)], PACKED, BUDGET)
    dropping = Captioner(tiny_config("mlp", dropout=0.1))
    with pytest.raises(ValueError, match="dropout"):
        train_side_by_side([Run(dropping, TEXTS, NoNoise(), 0)], PACKED, BUDGET)
    with pytest.raises(CapdecError, match="49 embeddings"):
        train_side_by_side([Run(one, TEXTS[1:], NoNoise(), 0)], PACKED, replace(BUDGET, steps=1))
