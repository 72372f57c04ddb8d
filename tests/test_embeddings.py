"""The embedding bank: encoded once, whole or absent, in the order of the captions."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_world import CAPTIONS, CountingEncoder, ToyCorpus

from capdec_core import embeddings
from capdec_core.embeddings import Modality, bank, bank_path, unit_rows
from capdec_core.errors import CapdecError


class Failing(CountingEncoder):
    """Fails at its second block."""

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        if self.text_calls:
            raise RuntimeError("out of memory")
        return super().encode_texts(texts)


@pytest.fixture(autouse=True)
def _two_images_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "IMAGES_A_BLOCK", 2)


def test_each_block_is_encoded_once_and_never_again(tmp_path: Path) -> None:
    corpus, encoder = ToyCorpus(), CountingEncoder()
    first = bank(tmp_path, corpus, encoder, "train", "image")
    assert encoder.image_calls == [2, 1]
    again = bank(tmp_path, corpus, CountingEncoder(), "train", "image")
    other_process = CountingEncoder()
    assert np.array_equal(bank(tmp_path, corpus, other_process, "train", "image"), first)
    assert np.array_equal(again, first)
    assert encoder.image_calls == [2, 1]
    assert other_process.image_calls == []


def test_rows_of_images_are_in_their_order(tmp_path: Path) -> None:
    encoder = CountingEncoder()
    rows = bank(tmp_path, ToyCorpus(), encoder, "train", "image")
    assert np.array_equal(rows, np.stack([encoder.of_image(brightness) for brightness in (1, 2, 3)]))


@pytest.mark.parametrize("split", ["train", "test"])
def test_rows_of_captions_are_in_their_order_though_images_have_unequal_numbers(
    tmp_path: Path, split: str
) -> None:
    encoder = CountingEncoder()
    rows = bank(tmp_path, ToyCorpus(), encoder, split, "text")
    flat = [caption for group in CAPTIONS[split] for caption in group]
    assert np.array_equal(rows, np.stack([encoder.of_text(caption) for caption in flat]))
    assert [len(call) for call in encoder.text_calls] == [
        len(CAPTIONS[split][0]) + len(CAPTIONS[split][1]),
        len(CAPTIONS[split][2]),
    ]


def test_a_failure_midway_leaves_nothing_and_the_next_call_encodes_all(tmp_path: Path) -> None:
    corpus, encoder = ToyCorpus(), CountingEncoder()
    with pytest.raises(RuntimeError, match="out of memory"):
        bank(tmp_path, corpus, Failing(), "train", "text")
    assert list(tmp_path.iterdir()) == []
    assert len(bank(tmp_path, corpus, encoder, "train", "text")) == 6
    assert len(encoder.text_calls) == 2


def test_the_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    corpus = ToyCorpus()
    path = bank_path(tmp_path, corpus, CountingEncoder(), "train", "text")

    class Watching(CountingEncoder):
        def encode_texts(self, texts: list[str]) -> np.ndarray:
            assert not path.exists()
            return super().encode_texts(texts)

    bank(tmp_path, corpus, Watching(), "train", "text")
    assert list(tmp_path.iterdir()) == [path]


def test_a_bank_is_read_only_and_mapped(tmp_path: Path) -> None:
    rows = bank(tmp_path, ToyCorpus(), CountingEncoder(), "train", "text")
    assert isinstance(rows, np.memmap)
    assert rows.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 0


def test_a_bank_is_keyed_by_what_decides_it(tmp_path: Path) -> None:
    corpora = [ToyCorpus(), ToyCorpus(fingerprint="other")]
    encoders = [CountingEncoder(), CountingEncoder("other")]
    kinds: list[Modality] = ["image", "text"]
    paths = {
        bank_path(tmp_path, corpus, encoder, split, kind)
        for corpus in corpora
        for encoder in encoders
        for split in ("train", "test")
        for kind in kinds
    }
    assert len(paths) == 16
    one = bank(tmp_path, corpora[0], encoders[0], "train", "text")
    other = bank(tmp_path, corpora[0], encoders[1], "train", "text")
    assert not np.array_equal(one, other)


def test_an_unknown_split_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CapdecError, match="no split 'dev'; the splits are: train, test"):
        bank(tmp_path, ToyCorpus(), CountingEncoder(), "dev", "text")
    assert list(tmp_path.iterdir()) == []


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 5), st.integers(1, 8)),
        elements=st.floats(0.015625, 100, width=32),
    )
)
def test_unit_rows_keep_directions(rows: np.ndarray) -> None:
    found = unit_rows(rows)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert found * np.linalg.norm(rows, axis=1, keepdims=True) == pytest.approx(rows, rel=1e-4)


def test_unit_rows_leave_the_bank_as_it_is(tmp_path: Path) -> None:
    rows = bank(tmp_path, ToyCorpus(), CountingEncoder(), "train", "text")
    before = np.array(rows)
    unit_rows(rows)
    assert np.array_equal(rows, before)
