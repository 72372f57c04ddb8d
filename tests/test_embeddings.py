"""The embedding bank: encoded once, whole or to be gone on with, in the order of the captions."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.lib.format import open_memmap
from small_world import CAPTIONS, CountingEncoder, ToyCorpus, die

from capdec_core import embeddings
from capdec_core.corpora import Split
from capdec_core.embeddings import Modality, bank, bank_path, unit_rows
from capdec_core.errors import CapdecError
from capdec_core.files import read_json, write_json


class Failing(CountingEncoder):
    """Fails at its third block."""

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        if len(self.text_calls) == 2:
            raise RuntimeError("out of memory")
        return super().encode_texts(texts)

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        if len(self.image_calls) == 2:
            raise RuntimeError("out of memory")
        return super().encode_images(images)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "IMAGES_A_BLOCK", 2)
    monkeypatch.setattr(embeddings, "TEXTS_A_BLOCK", 2)


def many(images: int) -> ToyCorpus:
    """A corpus of images with two captions each, no two captions alike."""
    return ToyCorpus({"train": [[f"image {i}", f"it is image {i} ."] for i in range(images)]})


def cut_off(folder: Path, corpus: ToyCorpus, modality: Modality) -> tuple[Path, Path]:
    """Encode two blocks of a bank and fail; return its partial file and its progress."""
    with pytest.raises(RuntimeError, match="out of memory"):
        bank(folder, corpus, Failing(), "train", modality)
    path = bank_path(folder, corpus, CountingEncoder(), "train", modality)
    return path.with_suffix(".partial"), path.with_suffix(".progress")


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
    rows = bank(tmp_path, many(60), encoder, "train", "image")
    assert np.array_equal(rows, np.stack([encoder.of_image(brightness) for brightness in range(1, 61)]))


@pytest.mark.parametrize("split", ["train", "test"])
def test_rows_of_captions_are_in_their_order_though_images_have_unequal_numbers(
    tmp_path: Path, split: str
) -> None:
    encoder = CountingEncoder()
    rows = bank(tmp_path, ToyCorpus(), encoder, split, "text")
    flat = [caption for group in CAPTIONS[split] for caption in group]
    assert np.array_equal(rows, np.stack([encoder.of_text(caption) for caption in flat]))


def test_captions_are_encoded_the_short_ones_first_and_none_twice(tmp_path: Path) -> None:
    groups = [["a big dog", "a dog"], ["a dog", "a cat", "a big dog"], ["a cat on a sofa"]]
    encoder = CountingEncoder()
    rows = bank(tmp_path, ToyCorpus({"train": groups}), encoder, "train", "text")
    assert encoder.text_calls == [["a cat", "a dog"], ["a big dog", "a cat on a sofa"]]
    flat = [caption for group in groups for caption in group]
    assert np.array_equal(rows, np.stack([encoder.of_text(caption) for caption in flat]))


@pytest.mark.parametrize("modality", ["image", "text"])
def test_what_was_cut_off_goes_on_behind_the_last_whole_block(tmp_path: Path, modality: Modality) -> None:
    corpus = many(9)
    cut_off(tmp_path / "cut", corpus, modality)
    assert not bank_path(tmp_path / "cut", corpus, CountingEncoder(), "train", modality).exists()
    whole, rest = CountingEncoder(), CountingEncoder()
    expected = bank(tmp_path / "whole", corpus, whole, "train", modality)
    assert np.array_equal(bank(tmp_path / "cut", corpus, rest, "train", modality), expected)
    assert rest.image_calls == whole.image_calls[2:]
    assert rest.text_calls == whole.text_calls[2:]
    assert len(list((tmp_path / "cut").iterdir())) == 1


def test_a_process_that_is_killed_loses_one_block_at_most(tmp_path: Path) -> None:
    corpus, rest = many(9), CountingEncoder()

    class Killed(CountingEncoder):
        def encode_texts(self, texts: list[str]) -> np.ndarray:
            if len(self.text_calls) == 4:
                die()
            return super().encode_texts(texts)

    child = os.fork()
    if not child:
        try:
            bank(tmp_path, corpus, Killed(), "train", "text")
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    rows = bank(tmp_path, corpus, rest, "train", "text")
    assert len(rest.text_calls) == 9 - 4
    flat = [caption for group in corpus.captions["train"] for caption in group]
    assert np.array_equal(rows, np.stack([rest.of_text(caption) for caption in flat]))


def shortened(partial: Path, progress: Path) -> None:
    partial.write_bytes(partial.read_bytes()[:-5])


def not_an_array(partial: Path, progress: Path) -> None:
    partial.write_bytes(b"PK no array")


def first_block_changed(partial: Path, progress: Path) -> None:
    open_memmap(partial, mode="r+")[:] += 1


def of_another_shape(partial: Path, progress: Path) -> None:
    np.save(partial.open("wb"), np.zeros((3, 3), np.float32))


def of_another_type(partial: Path, progress: Path) -> None:
    rows = np.load(partial)
    np.save(partial.open("wb"), rows.astype(np.float64))


def partial_gone(partial: Path, progress: Path) -> None:
    partial.unlink()


def progress_gone(partial: Path, progress: Path) -> None:
    progress.unlink()


def progress_damaged(partial: Path, progress: Path) -> None:
    progress.write_text(progress.read_text()[:-9])


def progress_foreign(partial: Path, progress: Path) -> None:
    write_json(progress, ["something else"])


def progress_of_another_plan(partial: Path, progress: Path) -> None:
    write_json(progress, read_json(progress) | {"plan": "other"})


@pytest.mark.parametrize(
    "damage",
    [
        shortened,
        not_an_array,
        first_block_changed,
        of_another_shape,
        of_another_type,
        partial_gone,
        progress_gone,
        progress_damaged,
        progress_foreign,
        progress_of_another_plan,
    ],
)
def test_a_damaged_partial_is_started_anew(tmp_path: Path, damage: Callable[[Path, Path], None]) -> None:
    corpus, encoder = many(9), CountingEncoder()
    damage(*cut_off(tmp_path, corpus, "image"))
    rows = bank(tmp_path, corpus, encoder, "train", "image")
    assert encoder.image_calls == [2, 2, 2, 2, 1]
    assert np.array_equal(rows, np.stack([encoder.of_image(brightness) for brightness in range(1, 10)]))


def test_a_damaged_block_costs_no_block_before_it(tmp_path: Path) -> None:
    corpus, encoder = many(9), CountingEncoder()
    partial, _ = cut_off(tmp_path, corpus, "image")
    open_memmap(partial, mode="r+")[3] = 0
    rows = bank(tmp_path, corpus, encoder, "train", "image")
    assert encoder.image_calls == [2, 2, 2, 1]
    assert np.array_equal(rows, np.stack([encoder.of_image(brightness) for brightness in range(1, 10)]))


def test_two_processes_encode_a_bank_once(tmp_path: Path) -> None:
    corpus, encoder = many(40), CountingEncoder()
    path = bank_path(tmp_path, corpus, encoder, "train", "text")
    started = threading.Event()

    class Slow(CountingEncoder):
        def encode_texts(self, texts: list[str]) -> np.ndarray:
            started.set()
            time.sleep(0.005)
            return super().encode_texts(texts)

    first = threading.Thread(target=bank, args=(tmp_path, corpus, Slow(), "train", "text"))
    first.start()
    started.wait()
    assert not path.exists()
    rows = bank(
        tmp_path, corpus, encoder, "train", "text"
    )  # its own open file, so the lock holds in threads too
    first.join()
    assert encoder.text_calls == []
    assert len(rows) == 80
    assert list(tmp_path.iterdir()) == [path]


def test_images_are_rendered_while_earlier_ones_are_encoded(tmp_path: Path) -> None:
    """The encoder waits for the second block's images: it would wait for ever if they came after it."""
    second = threading.Event()

    def render(indices: Sequence[int]) -> np.ndarray:
        if 2 in indices:
            second.set()
        return np.zeros((len(indices), 4, 4, 3), np.uint8)

    class Waiting(CountingEncoder):
        def encode_images(self, images: np.ndarray) -> np.ndarray:
            assert second.wait(timeout=20)
            return super().encode_images(images)

    class Slow(ToyCorpus):
        def split(self, name: str) -> Split:
            return replace(super().split(name), render=render)

    assert len(bank(tmp_path, Slow(), Waiting(), "train", "image")) == 3


def test_a_split_of_text_only_has_no_images_to_embed(tmp_path: Path) -> None:
    class Text(ToyCorpus):
        def split(self, name: str) -> Split:
            return replace(super().split(name), text_only=True)

    with pytest.raises(CapdecError, match="'train' is text only"):
        bank(tmp_path, Text(), CountingEncoder(), "train", "image")
    assert list(tmp_path.iterdir()) == []
    assert len(bank(tmp_path, Text(), CountingEncoder(), "train", "text")) == 6


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
