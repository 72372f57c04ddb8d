"""Batched decoding against transformers' `generate`, token by token."""

import pytest
import torch
from tiny import EOS, VOCABULARY, padded, tiny_config, trained_captioner, unit_rows
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from capdec_core import packed_linear
from capdec_core.captioner import Captioner
from capdec_core.decoding import beam, beam_candidates, greedy, sample, truncated
from capdec_core.errors import CapdecError

LONGEST = 15


def generated(captioner: Captioner, embeddings: torch.Tensor, **options) -> list[list[int]]:
    """What transformers makes of the same prefixes, cut at end of text."""
    prefix = captioner.prefix(embeddings)
    rows = captioner.language_model.generate(
        inputs_embeds=prefix,
        attention_mask=torch.ones(prefix.shape[:2], dtype=torch.long),
        max_new_tokens=LONGEST,
        do_sample=False,
        pad_token_id=EOS,
        **options,
    ).tolist()
    return [row[: row.index(EOS)] if EOS in row else row for row in rows]


@pytest.fixture(scope="module")
def half_trained() -> Captioner:
    """Sure enough to end its captions, unsure enough for beams to differ from greedy."""
    return trained_captioner(steps=80)[0]


@pytest.fixture(scope="module")
def untrained() -> Captioner:
    """Random weights, made larger so that choices are far apart."""
    captioner = Captioner(tiny_config(), seed=4).eval()
    with torch.no_grad():
        for weight in captioner.language_model.parameters():
            weight.mul_(6)
    return captioner


@pytest.fixture(params=["half_trained", "untrained", "half_trained, packed"])
def captioner(request, monkeypatch) -> Captioner:
    name, _, packed = request.param.partition(", ")
    if packed:
        monkeypatch.setattr(packed_linear, "WORTH_PACKING", 1)
    return request.getfixturevalue(name)


@torch.inference_mode()
def test_greedy_is_generates(captioner):
    rows = unit_rows(200, seed=9)
    told = greedy(captioner, rows, eos_id=EOS, max_tokens=LONGEST)
    assert told == generated(captioner, rows)
    assert len({len(caption) for caption in told}) > 1


@torch.inference_mode()
@pytest.mark.parametrize("beams", [1, 2, 5])
def test_beam_search_is_generates(captioner, beams):
    rows = unit_rows(200, seed=9)
    told = beam(captioner, rows, beams=beams, eos_id=EOS, max_tokens=LONGEST)
    assert told == generated(captioner, rows, num_beams=beams, length_penalty=1.0, early_stopping=False)
    assert len({len(caption) for caption in told}) > 1


@torch.inference_mode()
def test_beam_candidates_are_generates_sequences(captioner):
    rows = unit_rows(100, seed=10)
    told = beam_candidates(captioner, rows, beams=5, eos_id=EOS, max_tokens=LONGEST)
    expected = generated(
        captioner, rows, num_beams=5, num_return_sequences=5, length_penalty=1.0, early_stopping=False
    )
    assert [caption for captions in told for caption in captions] == expected


def mean_log_probability(captioner: Captioner, rows: torch.Tensor, captions: list[list[int]]) -> float:
    return -captioner.loss(rows, *padded(captions), per_sample=True).mean().item()


@torch.inference_mode()
def test_beams_find_likelier_captions(half_trained):
    rows = unit_rows(100, seed=8)
    told = [beam(half_trained, rows, beams=n, eos_id=EOS, max_tokens=LONGEST) for n in (1, 5)]
    assert mean_log_probability(half_trained, rows, told[1]) > mean_log_probability(
        half_trained, rows, told[0]
    )


def test_batches_do_not_change_captions(half_trained):
    rows = unit_rows(50, seed=7)
    for decode in (greedy, beam):
        told = [decode(half_trained, rows, eos_id=EOS, max_tokens=LONGEST, batch_size=n) for n in (1, 7, 50)]
        assert told[0] == told[1] == told[2]


def test_long_captions_outgrow_the_cache(untrained):
    silent = VOCABULARY  # an id no token has: nothing ever ends
    for decode in (greedy, beam):
        short, long = (decode(untrained, unit_rows(3), eos_id=silent, max_tokens=n) for n in (LONGEST, 22))
        assert {len(caption) for caption in long} == {22}
        assert {len(caption) for caption in short} == {LONGEST}
    greedy_long = greedy(untrained, unit_rows(3), eos_id=silent, max_tokens=22)
    tokens = torch.tensor(greedy_long)
    inputs = torch.cat(
        [untrained.prefix(unit_rows(3)), untrained.language_model.transformer.wte(tokens[:, :-1])], 1
    )
    again = untrained.language_model(inputs_embeds=inputs).logits[:, 2:].argmax(-1)
    assert torch.equal(again, tokens)


@pytest.mark.parametrize(("top_k", "top_p"), [(None, 0.9), (5, 1.0), (7, 0.5), (1, 1.0), (100, 1e-9)])
def test_truncation_is_transformers(top_k, top_p):
    logits = torch.randn(50, VOCABULARY, generator=torch.Generator().manual_seed(0)) * 3
    expected = TemperatureLogitsWarper(0.7)(None, logits)
    if top_k is not None:
        expected = TopKLogitsWarper(min(top_k, VOCABULARY))(None, expected)
    if top_p < 1:
        expected = TopPLogitsWarper(top_p)(None, expected)
    assert torch.equal(truncated(logits / 0.7, top_k, top_p), expected)


def draw(captioner: Captioner, rows: torch.Tensor, n: int, seed: int = 0, **options) -> list[list[list[int]]]:
    generator = torch.Generator().manual_seed(seed)
    return sample(captioner, rows, n=n, generator=generator, eos_id=EOS, max_tokens=LONGEST, **options)


@torch.inference_mode()
def test_samples_follow_the_models_probabilities(half_trained):
    rows = unit_rows(2, seed=3)
    logits = half_trained.language_model(inputs_embeds=half_trained.prefix(rows)).logits[:, -1]
    for captions, shares in zip(draw(half_trained, rows, n=4000), logits.softmax(-1), strict=True):
        first = torch.tensor([caption[0] if caption else EOS for caption in captions])
        counts = first.bincount(minlength=VOCABULARY)
        spread = (4000 * shares * (1 - shares)).sqrt()
        assert ((counts - 4000 * shares).abs() <= 5 * spread + 1).all()


def test_cold_samples_and_the_likeliest_token_are_greedy(half_trained):
    rows = unit_rows(20, seed=3)
    told = [[caption] * 3 for caption in greedy(half_trained, rows, eos_id=EOS, max_tokens=LONGEST)]
    assert draw(half_trained, rows, n=3, top_k=1) == told
    assert draw(half_trained, rows, n=3, temperature=1e-4) == told


def test_samples_repeat_by_seed_and_end(half_trained):
    rows = unit_rows(20, seed=3)
    first = draw(half_trained, rows, n=5, top_p=0.9)
    assert (
        first == draw(half_trained, rows, n=5, top_p=0.9) != draw(half_trained, rows, n=5, seed=1, top_p=0.9)
    )
    assert all(EOS not in caption for captions in first for caption in captions)
    assert len({len(caption) for captions in first for caption in captions}) > 3


def test_decoding_leaves_training_mode_and_gradients_as_they_were(half_trained):
    half_trained.train()
    greedy(half_trained, unit_rows(2), eos_id=EOS, max_tokens=3)
    assert half_trained.training
    assert torch.is_grad_enabled()
    half_trained.eval()


def test_wrong_settings_are_refused(untrained):
    for decode in (greedy, beam):
        with pytest.raises(CapdecError, match=r"1\.\.22 for this captioner, not 23"):
            decode(untrained, unit_rows(1), eos_id=EOS, max_tokens=23)
    for wrong in ({"temperature": 0.0}, {"top_p": 0.0}, {"top_k": 0}):
        with pytest.raises(ValueError, match="must be at least 1"):
            draw(untrained, unit_rows(1), n=1, **wrong)
