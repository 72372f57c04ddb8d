"""Contrastive search against a literal, cacheless reading of Su et al. 2022, token by token."""

import pytest
import torch
from tiny import EOS, VOCABULARY, tiny_config, trained_captioner, unit_rows
from torch import Tensor

from capdec_core.captioner import Captioner
from capdec_core.decoding import contrastive, greedy
from capdec_core.errors import CapdecError

LONGEST = 15


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    """Unsure enough for the penalty to change what it says."""
    return trained_captioner(steps=80)[0]


def states(captioner: Captioner, row: Tensor, tokens: list[int]) -> Tensor:
    """Last hidden states (positions, width) of the prefix and these tokens, all computed anew."""
    words = captioner.language_model.transformer.wte(torch.tensor([tokens], dtype=torch.int64))
    inputs = torch.cat([captioner.prefix(row[None]), words], dim=1)
    return captioner.language_model.transformer(inputs_embeds=inputs, use_cache=False).last_hidden_state[0]


def literal(captioner: Captioner, row: Tensor, alpha: float, k: int, *, skip: int = 0) -> list[int]:
    """Equation 5 of the paper as it stands; `skip` leaves that many first positions out of the context."""
    tokens: list[int] = []
    while len(tokens) < LONGEST:
        context = states(captioner, row, tokens)
        shares = captioner.language_model.lm_head(context[-1]).softmax(-1)
        scores: dict[int, float] = {}
        for token in sorted(range(VOCABULARY), key=lambda v: -shares[v].item())[:k]:
            new = states(captioner, row, [*tokens, token])[-1]
            likeness = [torch.cosine_similarity(new, old, dim=0).item() for old in context[skip:]]
            scores[token] = (1 - alpha) * shares[token].item() - alpha * max(likeness)
        best = max(scores, key=scores.__getitem__)
        if best == EOS:
            break
        tokens.append(best)
    return tokens


def told(captioner: Captioner, rows: Tensor, **options) -> list[list[int]]:
    return contrastive(captioner, rows, eos_id=EOS, max_tokens=LONGEST, **options)


@torch.inference_mode()
@pytest.mark.parametrize(("alpha", "k"), [(0.6, 4), (0.3, 2), (1.0, 5)])
def test_it_is_the_papers_formula_token_by_token(captioner, alpha, k):
    rows = unit_rows(12, seed=9)
    found = told(captioner, rows, alpha=alpha, k=k)
    assert found == [literal(captioner, row, alpha, k) for row in rows]
    assert found != greedy(captioner, rows, eos_id=EOS, max_tokens=LONGEST)
    assert len({len(caption) for caption in found}) > 1


@torch.inference_mode()
def test_the_prefix_counts_as_context(captioner):
    rows = unit_rows(12, seed=9)
    all_but_its_last = captioner.config.mapper.prefix_length - 1  # the first word needs something before it
    without = [literal(captioner, row, 0.6, 4, skip=all_but_its_last) for row in rows]
    assert told(captioner, rows, alpha=0.6, k=4) != without


def test_without_a_penalty_it_is_greedy_search(captioner):
    rows = unit_rows(60, seed=8)
    expected = greedy(captioner, rows, eos_id=EOS, max_tokens=LONGEST)
    assert told(captioner, rows, alpha=0, k=4) == told(captioner, rows, alpha=0.9, k=1) == expected


def test_batches_do_not_change_captions(captioner):
    rows = unit_rows(50, seed=7)
    found = [told(captioner, rows, alpha=0.6, k=4, batch_size=size) for size in (1, 7, 50)]
    assert found[0] == found[1] == found[2]


def test_the_longest_caption_fills_every_position(captioner):
    silent = VOCABULARY  # an id no token has: nothing ever ends
    options = {"alpha": 0.6, "k": 4, "eos_id": silent}
    (caption,) = contrastive(captioner, unit_rows(1), max_tokens=21, **options)
    assert len(caption) == 21
    with pytest.raises(CapdecError, match=r"1\.\.21 for this captioner, not 22"):
        contrastive(captioner, unit_rows(1), max_tokens=22, **options)


@pytest.mark.parametrize("wrong", [{"alpha": 1.1}, {"alpha": -0.1}, {"k": 0}, {"k": VOCABULARY + 1}])
def test_wrong_settings_are_refused(wrong):
    settings = {"alpha": 0.6, "k": 4} | wrong
    with pytest.raises(ValueError, match="alpha must lie in"):
        told(Captioner(tiny_config()), unit_rows(1), **settings)
