"""The reference recipe of the benchmarks does the same task to rounding, and a captioner's operations are counted."""

import itertools

import pytest
import torch
from tiny import EOS, padded, random_captions, tiny_config, trained_captioner, unit_rows
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.decoding import end_captions
from benchmarks.presets import reference_model, renamed
from benchmarks.reference import CaptionDataset, batch_loss, noise_injection, predict, train
from benchmarks.reference.dataset import maximum_length
from capdec_core.batches import PackedCaptions
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.decoding import beam, greedy
from capdec_core.noise import NoNoise
from capdec_core.planning.operations import training_flops
from capdec_core.training import train as train_ours

KINDS = ["linear", "mlp", "transformer"]
CAPTIONS = random_captions(30)
ROWS = unit_rows(30)


def reference_batch(prefix_length: int = 3) -> list[torch.Tensor]:
    """Every caption in the reference's own padding: tokens, masks, embeddings."""
    dataset = CaptionDataset(CAPTIONS, ROWS, prefix_length, EOS, maximum=17)
    return [torch.stack(column) for column in zip(*(dataset[i] for i in range(len(dataset))), strict=True)]


@pytest.mark.parametrize(("mapper", "tuned"), itertools.product(KINDS, [True, False]))
def test_loss_and_gradients_are_the_references(mapper, tuned):
    captioner = Captioner(tiny_config(mapper, tuned=tuned)).train()
    model = reference_model(captioner).train()
    tokens, mask, rows = reference_batch()
    theirs = batch_loss(model, tokens, mask, rows)
    ours = captioner.loss(ROWS, *padded(CAPTIONS, filler=EOS))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    ours.backward()
    theirs.backward()
    found = dict(model.named_parameters())
    for name, weight in captioner.mapper.named_parameters():
        partner = found[f"clip_project.{renamed(captioner.config.mapper, name)}"]
        torch.testing.assert_close(weight.grad, partner.grad, rtol=1e-4, atol=1e-6)
    for name, weight in captioner.language_model.named_parameters():
        assert found[f"gpt.{name}"].grad is not None
        if tuned:
            torch.testing.assert_close(weight.grad, found[f"gpt.{name}"].grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("tuned", [True, False])
def test_training_steps_are_the_references(tuned):
    captioner = Captioner(tiny_config("transformer", tuned=tuned))
    model = reference_model(captioner)
    before = model.gpt.transformer.h[0].mlp.c_fc.weight.clone()
    budget = Budget(4, len(CAPTIONS), 1e-3, warmup_steps=1)
    record = train_ours(captioner, ROWS, PackedCaptions.pack(CAPTIONS), NoNoise(), budget, seed=0)
    settings = {"batch_size": 30, "learning_rate": 1e-3, "warmup_steps": 1, "variance": 0.0, "device": "cpu"}
    losses = train(CaptionDataset(CAPTIONS, ROWS, 3, EOS), model, epochs=4, **settings)
    assert record.losses == pytest.approx(losses, rel=1e-4)
    assert losses[-1] < losses[0]
    torch.testing.assert_close(
        captioner.mapper.constants, model.clip_project.prefix_const, rtol=1e-4, atol=1e-5
    )
    unchanged = torch.equal(before, model.gpt.transformer.h[0].mlp.c_fc.weight)
    assert unchanged == (not tuned)


def test_a_caption_is_padded_or_cut_and_masked():
    dataset = CaptionDataset([[0, 5], [1] * 9], ROWS, prefix_length=2, eos_id=EOS, maximum=5)
    tokens, mask, row = dataset[0]
    assert tokens.tolist() == [0, 5, EOS, 0, 0]
    assert mask.tolist() == [1, 1, 1, 1, 1, 0, 0]
    assert torch.equal(row, ROWS[0])
    assert dataset[1][0].tolist() == [1] * 5
    assert all(torch.equal(a, b) for a, b in zip(dataset[0], (tokens, mask, row), strict=True))


def test_one_freak_caption_does_not_set_the_padding():
    lengths = torch.tensor([10, 12] * 500)
    assert maximum_length(lengths) == 12
    with_freak = torch.cat([lengths, torch.tensor([300])])
    expected = int(with_freak.float().mean() + 10 * with_freak.float().std())
    assert maximum_length(with_freak) == expected < 300


def test_noise_is_capdecs():
    torch.manual_seed(0)
    x = torch.nn.functional.normalize(torch.randn(2000, 64), dim=1)
    y = noise_injection(3 * x, 0.05)
    torch.testing.assert_close(y.norm(dim=1), torch.ones(2000))
    assert (x * y).sum(dim=1).mean().item() == pytest.approx((1 + 64 * 0.05) ** -0.5, abs=0.01)
    assert noise_injection(x, 0.0) is x


def test_greedy_captions_are_the_references():
    captioner, rows, captions = trained_captioner(150)
    model = reference_model(captioner)
    ours = greedy(captioner, rows, eos_id=EOS, max_tokens=15)
    assert predict(model, rows, EOS, entry_length=15) == ours
    assert len({len(caption) for caption in ours}) > 2
    best = predict(model, rows, EOS, beam_size=5, entry_length=15)
    told = sum(a == b for a, b in zip(best, captions, strict=True))
    assert told >= sum(a == b for a, b in zip(ours, captions, strict=True)) - 4


@pytest.mark.parametrize("beams", [None, 5])
def test_captions_that_are_made_to_end_do_and_both_beam_searches_agree(beams):
    captioner = Captioner(tiny_config("transformer")).eval()
    end_captions(captioner, 6)
    model = reference_model(captioner)
    theirs = predict(model, ROWS, EOS, beams, entry_length=12)
    options = {"eos_id": EOS, "max_tokens": 12}
    ours = beam(captioner, ROWS, beams=5, **options) if beams else greedy(captioner, ROWS, **options)
    assert {len(caption) for caption in theirs} == {6}
    assert theirs == ours


def test_the_reference_reads_beams_best_first():
    captioner = Captioner(tiny_config("transformer"), seed=3).eval()
    model = reference_model(captioner)
    best = predict(model, ROWS[:6], EOS, beam_size=8, entry_length=5)
    likeliest = predict(model, ROWS[:6], EOS, entry_length=5)

    def mean_log_probability(row, caption):
        ended = caption if len(caption) == 5 else [*caption, EOS]
        inputs = torch.cat([captioner.prefix(row[None]), model.gpt.transformer.wte(torch.tensor([ended]))], 1)
        logits = model.gpt(inputs_embeds=inputs).logits[0, 2:-1].log_softmax(-1)
        return logits[range(len(ended)), ended].mean().item()

    pairs = zip(ROWS[:6], best, likeliest, strict=True)
    assert all(mean_log_probability(row, a) >= mean_log_probability(row, b) - 1e-5 for row, a, b in pairs)


@pytest.mark.parametrize(("mapper", "tuned"), itertools.product(KINDS, [True, False]))
def test_training_does_the_necessary_operations_and_no_others(mapper, tuned):
    captioner = Captioner(tiny_config(mapper, tuned=tuned)).train()
    tokens, lengths = torch.arange(7).expand(5, 7), torch.full((5,), 7)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        captioner.loss(ROWS[:5], tokens, lengths).backward()
    assert counter.get_total_flops() == training_flops(captioner.config, [7] * 5)


def test_operations_add_up_over_captions_of_unequal_length():
    config = tiny_config("mlp")
    assert training_flops(config, [3, 8]) == training_flops(config, [3]) + training_flops(config, [8])
