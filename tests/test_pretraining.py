"""Pre-training at all positions: a frozen language model must speak behind a prefix of any length."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import EOS, VOCABULARY, padded, random_captions
from transformers import GPT2LMHeadModel

from capdec_core import training
from capdec_core.batches import PackedCaptions
from capdec_core.budget import Budget
from capdec_core.language_model import LanguageModelConfig, build_language_model, language_model_loss
from capdec_core.training import pretrain_language_model, start_position

POSITIONS = 40
FAR = 20
"""A position that no caption reaches from position 0."""

CAPTIONS = random_captions(50)
PACKED = PackedCaptions.pack(CAPTIONS)
BUDGET = Budget(steps=200, batch_size=16, learning_rate=5e-3, warmup_steps=10)


def fresh_model() -> GPT2LMHeadModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_language_model(LanguageModelConfig(VOCABULARY, 32, 1, 4, POSITIONS, tuned=True))


def pretrained(budget: Budget = BUDGET, **options) -> GPT2LMHeadModel:
    model = fresh_model()
    pretrain_language_model(model, PACKED, budget, seed=0, **options)
    return model


@pytest.fixture(scope="module")
def everywhere() -> GPT2LMHeadModel:
    return pretrained()


@pytest.fixture(scope="module")
def from_the_start() -> GPT2LMHeadModel:
    """The same training, with every caption at position 0."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "start_position", lambda seed, step, last: 0)
        return pretrained()


@torch.no_grad()
def loss_at(model: GPT2LMHeadModel, offset: int) -> float:
    return language_model_loss(model, *padded(CAPTIONS), offset=offset).item()


def moved(model: GPT2LMHeadModel) -> list[bool]:
    """Whether each position's embedding is no longer what it was."""
    return (model.transformer.wpe.weight != fresh_model().transformer.wpe.weight).any(dim=1).tolist()


def test_every_position_is_trained(everywhere, from_the_start):
    longest = int(PACKED.lengths.max())
    assert moved(everywhere) == [True] * POSITIONS
    assert moved(from_the_start) == [True] * (longest + 1) + [False] * (POSITIONS - longest - 1)


def test_captions_are_told_as_well_far_behind_as_at_the_start(everywhere, from_the_start):
    assert loss_at(everywhere, FAR) == pytest.approx(loss_at(everywhere, 0), rel=0.08)
    assert loss_at(from_the_start, FAR) > 1.3 * loss_at(from_the_start, 0)
    assert loss_at(everywhere, FAR) < loss_at(from_the_start, FAR)


@torch.no_grad()
def test_the_loss_at_an_offset_is_gpt2s_own_at_those_positions():
    model = fresh_model()
    tokens, lengths = padded(CAPTIONS)
    inputs = torch.cat([torch.full((len(tokens), 1), EOS), tokens, torch.zeros(len(tokens), 1).long()], dim=1)
    inputs[torch.arange(len(tokens)), lengths + 1] = EOS
    labels = inputs.masked_fill(torch.arange(inputs.shape[1]) > lengths[:, None] + 1, -100)
    places = torch.arange(FAR, FAR + inputs.shape[1]).expand_as(inputs)
    theirs = model(input_ids=inputs, position_ids=places, labels=labels).loss
    assert loss_at(model, FAR) == pytest.approx(theirs.item(), rel=1e-5)
    assert loss_at(model, FAR) != pytest.approx(loss_at(model, 0), rel=1e-5)


class Cut(Exception):
    pass


def test_a_resumed_pretraining_gives_the_bytes_of_an_uninterrupted_one(tmp_path):
    budget = replace(BUDGET, steps=12, checkpoint_every=4)

    def cut(step: int, _: int) -> None:
        if step == 9:
            raise Cut

    path = tmp_path / "state.safetensors"
    with pytest.raises(Cut):
        pretrained(budget, checkpoint=path, progress=cut)
    resumed, whole = pretrained(budget, checkpoint=path), pretrained(budget)
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 100))
def test_start_positions_depend_on_seed_and_step_alone_and_leave_room(seed, step, last):
    assert start_position(seed, step, last) == start_position(seed, step, last)
    assert 0 <= start_position(seed, step, last) <= last


def test_start_positions_are_uniform_and_differ_between_seeds():
    drawn = [start_position(0, step, 9) for step in range(5000)]
    counts = Counter(drawn)
    assert set(counts) == set(range(10))
    assert sum((n - 500) ** 2 / 500 for n in counts.values()) < 27.9  # chi-square, 9 df, p = .001
    assert drawn[:20] != [start_position(1, step, 9) for step in range(20)]


def test_captions_that_leave_one_place_start_at_0():
    model = build_language_model(LanguageModelConfig(VOCABULARY, 32, 1, 4, 13, tuned=True))
    record = pretrain_language_model(model, PACKED, replace(BUDGET, steps=2), seed=0)
    assert record.steps == 2
