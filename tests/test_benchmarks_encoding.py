"""The encoding part of the benchmark: it runs, and both sides encode the same things to the same embeddings."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import encoding
from benchmarks.encoding_corpus import MadeCorpus, miniature
from capdec_core.embeddings import bank


def test_both_sides_give_the_same_embeddings(tmp_path: Path) -> None:
    encoder, corpus = miniature("cpu"), MadeCorpus(30, 5, tmp_path)
    texts = bank(tmp_path, corpus, encoder, "train", "text")
    assert len(set(corpus.texts)) == len(texts) == 30
    for batch in (1, 8):
        assert encoding.padded_texts(encoder, corpus, batch) == pytest.approx(texts, rel=1e-4, abs=1e-5)
    images = bank(tmp_path, corpus, encoder, "train", "image")
    for batch in (1, 8):
        found = encoding.photographs_in_turn(encoder, corpus, batch)
        cosines = (found * images).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(images, axis=1)
        assert cosines.min() > 0.9  # ours are squeezed into a square, the reference's are cropped


def test_the_part_runs() -> None:
    result = encoding.run("cpu", quick=True)
    assert [found["unit"] for found in result["comparisons"]] == [
        "caption",
        "caption",
        "photograph",
        "photograph",
    ]
    assert all(found["ratio"]["median"] > 0 for found in result["comparisons"])
    assert result["tables"][0]["rows"][0][1] < 1e-5
