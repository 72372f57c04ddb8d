"""Training: batches by length, the same bytes twice, a cut run resumed, and what the noise may see."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import EOS, padded, random_captions, tiny_config, trained_captioner, unit_rows
from transformers import get_linear_schedule_with_warmup

from capdec_core.batches import PackedCaptions, batches
from capdec_core.captioner import Captioner
from capdec_core.decoding import greedy
from capdec_core.device import training_dtype
from capdec_core.errors import CapdecError
from capdec_core.language_model import build_language_model
from capdec_core.noise import Gaussian, NoNoise, NormalisedGradient, Perturbation
from capdec_core.training import Budget, TrainingRecord, pretrain_language_model, resident_peak, train

CAPTIONS = random_captions(50)
PACKED = PackedCaptions.pack(CAPTIONS)
ROWS = unit_rows(50)
BUDGET = Budget(steps=12, batch_size=8, learning_rate=1e-3, warmup_steps=3)


def weights(module: torch.nn.Module) -> bytes:
    return b"".join(weight.detach().numpy().tobytes() for weight in module.parameters())


def run(
    noise: Perturbation, budget: Budget = BUDGET, seed: int = 0, **options
) -> tuple[Captioner, TrainingRecord]:
    captioner = Captioner(tiny_config("transformer", dropout=0.1), seed=seed)
    return captioner, train(captioner, ROWS, PACKED, noise, budget, seed, **options)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(0, 3),
    st.integers(0, 40),
)
def test_batches_cover_an_epoch_and_start_anywhere(lengths, size, seed, start):
    lengths = torch.tensor(lengths)
    size = min(size, len(lengths))
    endless = batches(lengths, size, seed)
    drawn = [next(endless) for _ in range(start + 3)]
    epoch = drawn[: len(lengths) // size]
    rows = torch.cat([batch.rows for batch in epoch])
    assert len(rows.unique()) == len(rows)
    for batch in epoch:
        own = lengths[batch.rows]
        assert (len(batch.rows), batch.width, batch.total) == (size, own.max(), own.sum())
    resumed = batches(lengths, size, seed, start)
    assert all(torch.equal(next(resumed).rows, batch.rows) for batch in drawn[start:])


def test_every_caption_is_seen_in_time_and_epochs_differ():
    order = batches(PACKED.lengths, 8, seed=0)
    epochs = [torch.cat([next(order).rows for _ in range(6)]) for _ in range(20)]
    assert not torch.equal(epochs[0], epochs[1])
    assert len(torch.cat(epochs).unique()) == 50


def test_packing_gives_the_captions_back():
    rows = torch.tensor([49, 3, 0])
    tokens, lengths = PACKED.padded(rows, int(PACKED.lengths[rows].max()))
    assert [t[:n] for t, n in zip(tokens.tolist(), lengths.tolist(), strict=True)] == [
        CAPTIONS[i] for i in rows
    ]


def test_learning_rate_is_the_papers_schedule():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    schedule = get_linear_schedule_with_warmup(optimizer, 3, 12)
    for step in range(12):
        assert BUDGET.rate(step) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_a_step_is_adamw_on_the_mean_loss():
    captioner, reference = Captioner(tiny_config()), Captioner(tiny_config())
    budget = Budget(steps=3, batch_size=50, learning_rate=1e-2, weight_decay=0.1, beta1=0.8, beta2=0.95)
    record = train(captioner, ROWS, PACKED, NoNoise(), budget, seed=0)
    optimizer = torch.optim.AdamW(
        reference.parameters(), lr=1e-2, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1
    )
    for step, got in enumerate(record.losses):
        optimizer.param_groups[0]["lr"] = 1e-2 * (3 - step) / 3
        loss = reference.loss(ROWS, *padded(CAPTIONS))
        assert got == pytest.approx(loss.item(), rel=1e-4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(
        captioner.mapper.hidden.weight, reference.mapper.hidden.weight, atol=1e-4, rtol=1e-3
    )


def test_equal_seeds_give_equal_bytes():
    first, second, other = run(Gaussian(0.1)), run(Gaussian(0.1)), run(Gaussian(0.1), seed=1)
    assert weights(first[0]) == weights(second[0]) != weights(other[0])
    assert first[1].losses == second[1].losses


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    run(Gaussian(0.1))
    assert torch.equal(torch.get_rng_state(), before)


class Cut(Exception):
    pass


def cut_at(last: int):
    def progress(step: int, steps: int) -> None:
        if step == last:
            raise Cut

    return progress


def cut_run(path: Path, noise: Perturbation, last: int = 9) -> Budget:
    budget = replace(BUDGET, checkpoint_every=4)
    with pytest.raises(Cut):
        run(noise, budget, checkpoint=path, progress=cut_at(last))
    return budget


@pytest.mark.parametrize("noise", [Gaussian(0.1), NormalisedGradient(0.1)])
def test_a_resumed_run_gives_the_bytes_of_an_uninterrupted_one(noise, tmp_path):
    path = tmp_path / "state.safetensors"
    budget = cut_run(path, noise)
    steps: list[int] = []
    resumed, record = run(noise, budget, checkpoint=path, progress=lambda step, _: steps.append(step))
    whole, uninterrupted = run(noise, budget)
    assert steps == [9, 10, 11, 12]
    assert weights(resumed) == weights(whole)
    assert (record.losses, record.mean_cosine) == (uninterrupted.losses, uninterrupted.mean_cosine)


def test_another_runs_state_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "state.safetensors"
    budget = cut_run(path, Gaussian(0.1))
    with pytest.raises(CapdecError, match=r"noise\.variance: file has 0\.1, asked for 0\.2"):
        run(Gaussian(0.2), budget, checkpoint=path)
    with pytest.raises(CapdecError, match=r"seeds: file has \[0\], asked for \[1\]"):
        run(Gaussian(0.1), budget, seed=1, checkpoint=path)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("capdec_core.training.training_dtype", lambda *_: torch.bfloat16)
        with pytest.raises(CapdecError, match="precision: file has float32, asked for bfloat16"):
            run(Gaussian(0.1), budget, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CapdecError, match="damaged"):
        run(Gaussian(0.1), budget, checkpoint=path)


@dataclass(frozen=True)
class Probe:
    """A noise that looks on: it keeps each step's rows, and the gradient of the loss it is given."""

    captioner: Captioner
    seen: list

    def perturb(self, x, *, generator, loss):
        at = x.detach().requires_grad_()
        each = loss(at)
        (slope,) = torch.autograd.grad(each.sum(), at)
        assert all(weight.grad is None for weight in self.captioner.parameters())
        self.seen.append((x, each.detach(), slope, torch.rand(1, generator=generator)))
        return x

    def to_dict(self):
        return {"kind": "Probe"}


def test_the_loss_closure_is_per_sample_and_leaves_no_gradient():
    captioner = Captioner(tiny_config())
    probe = Probe(captioner, [])
    train(captioner, ROWS, PACKED, probe, BUDGET, seed=0)
    assert len(probe.seen) == BUDGET.steps
    assert all(each.shape == (8,) and slope.shape == x.shape for x, each, slope, _ in probe.seen)
    assert all((slope.norm(dim=1) > 0).all() for _, _, slope, _ in probe.seen)
    assert len({draw.item() for *_, draw in probe.seen}) == BUDGET.steps


def test_looking_at_the_gradient_changes_nothing():
    captioner = Captioner(tiny_config("transformer"))
    plain = Captioner(tiny_config("transformer"))
    train(captioner, ROWS, PACKED, Probe(captioner, []), BUDGET, seed=0)
    train(plain, ROWS, PACKED, NoNoise(), BUDGET, seed=0)
    assert weights(captioner) == weights(plain)


def test_the_record_tells_the_cosine_and_the_losses():
    assert run(NoNoise())[1].mean_cosine == pytest.approx(1)
    record = run(Gaussian(0.1))[1]
    assert record.mean_cosine == pytest.approx((1 + 16 * 0.1) ** -0.5, abs=0.08)
    assert len(record.losses) == record.steps == 12
    assert record.peak_memory > 1e6


MATRICES = {"avx512_bf16": True, "amx_bf16": True}
VECTORS = {"avx512_bf16": True, "amx_bf16": False}


@pytest.mark.parametrize(
    ("capabilities", "parameters", "expected"),
    [
        (MATRICES, 2_089_152, torch.bfloat16),
        (VECTORS, 2_089_152, torch.bfloat16),
        (MATRICES, 181_824, torch.float32),
        ({"avx512_bf16": False, "amx_bf16": False}, 2_089_152, torch.float32),
        ({}, 124_439_808, torch.float32),
    ],
)
def test_a_cpu_trains_large_models_in_bfloat16_where_it_multiplies_it(
    capabilities, parameters, expected, monkeypatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert training_dtype(torch.device("cpu"), parameters) == expected


@pytest.mark.parametrize("noise", [Gaussian(0.1), NormalisedGradient(0.1)])
def test_training_in_bfloat16_goes_as_in_float32_and_the_record_says_so(noise, monkeypatch):
    _, exact = run(noise)
    monkeypatch.setattr("capdec_core.training.training_dtype", lambda *_: torch.bfloat16)
    captioner, rounded = run(noise)
    assert (exact.precision, rounded.precision) == ("float32", "bfloat16")
    assert rounded.losses != exact.losses
    assert rounded.losses == pytest.approx(exact.losses, rel=0.01)
    assert {weight.dtype for weight in captioner.parameters()} == {torch.float32}
    assert weights(captioner) == weights(run(noise)[0])


def test_a_trained_captioner_tells_its_captions_and_stops():
    captioner, embeddings, captions = trained_captioner()
    told = greedy(captioner, embeddings, eos_id=EOS, max_tokens=21)
    assert sum(a == b for a, b in zip(told, captions, strict=True)) >= 38


def test_a_frozen_language_model_stays_and_the_mapper_learns():
    captioner = Captioner(tiny_config(tuned=False))
    before = weights(captioner.language_model), weights(captioner.mapper)
    train(captioner, ROWS, PACKED, NoNoise(), BUDGET, seed=0)
    assert weights(captioner.language_model) == before[0]
    assert weights(captioner.mapper) != before[1]


def test_pretraining_learns_and_leaves_a_frozen_model_frozen():
    model = build_language_model(tiny_config(tuned=False).language_model)
    record = pretrain_language_model(model, PACKED, Budget(150, 25, 5e-3), seed=0)
    assert sum(record.losses[-5:]) < 0.8 * sum(record.losses[:5])
    assert record.mean_cosine is None
    assert not any(weight.requires_grad for weight in model.parameters())


def test_what_does_not_fit_is_refused():
    captioner = Captioner(tiny_config())
    with pytest.raises(CapdecError, match="49 embeddings for 50 captions"):
        train(captioner, ROWS[1:], PACKED, NoNoise(), BUDGET, seed=0)
    with pytest.raises(CapdecError, match=r"23 tokens with end of text.*room for 22"):
        train(captioner, ROWS[:1], PackedCaptions.pack([[1] * 22]), NoNoise(), BUDGET, seed=0)
    train(captioner, ROWS[:1], PackedCaptions.pack([[1] * 21]), NoNoise(), BUDGET, seed=0)
    with pytest.raises(CapdecError, match="no captions"):
        PackedCaptions.pack([])


@pytest.mark.parametrize("fields", [{"steps": 0}, {"learning_rate": 0}, {"warmup_steps": -1}])
def test_wrong_budgets_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        replace(BUDGET, **fields)


@pytest.mark.parametrize("betas", [{"beta1": 1.0}, {"beta2": -0.1}, {"beta2": 1.0}])
def test_a_decay_rate_outside_its_range_is_refused(betas: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"beta1 and beta2 must be at least 0 and below 1"):
        Budget(10, 5, 1e-3, **betas)


def test_the_peak_of_a_process_is_not_that_of_the_one_that_started_it():
    large = np.ones(3 << 26)  # 1.5 GiB, resident; importing torch takes most of 1 GiB
    code = (
        "import numpy as np; from capdec_core.training import resident_peak as peak; before = peak(); "
        "some = np.ones(1 << 25); print(before, peak())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, ran.stdout.split())
    assert after < large.nbytes < resident_peak()
    assert after - before > 0.9 * 8 * (1 << 25)
