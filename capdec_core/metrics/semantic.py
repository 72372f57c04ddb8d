"""Sentence similarity by all-MiniLM-L6-v2: Study A's measure of a caption.

For each image, the cosine between every reference and every generated caption (Study A: five of each),
averaged.
"""

from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np

from capdec_core.metrics.minilm import encode_sentences


class SentenceSpace:
    """Unit embeddings of a set of sentences, each distinct sentence encoded once."""

    def __init__(self, sentences: Iterable[str], *, device: str = "cpu") -> None:
        """Encode `sentences` (several hundred a second on one CPU core).

        A sentence's embedding may differ by about 1e-7 with the sentences that share its batch.
        """
        unique = sorted(set(sentences))
        self._keep(unique, encode_sentences(unique, device))

    @classmethod
    def of_rows(cls, sentences: Sequence[str], rows: np.ndarray) -> Self:
        """Return the space of sentences whose unit embeddings, one a row, are known already."""
        space = cls.__new__(cls)
        space._keep(sentences, rows)
        return space

    def _keep(self, sentences: Sequence[str], rows: np.ndarray) -> None:
        self._places = {sentence: place for place, sentence in enumerate(sentences)}
        self._rows = rows

    def embed(self, sentences: Sequence[str]) -> np.ndarray:
        """Return (n, 384) float64 unit rows; KeyError for a sentence that was not given at the start."""
        return self._rows[[self._places[sentence] for sentence in sentences]].astype(np.float64)

    def cosines(
        self, captions: Sequence[Sequence[str]], references: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Return each image's cosines (captions, references), the references embedded already."""
        rows = self.embed([caption for group in captions for caption in group])
        ends = np.cumsum([len(group) for group in captions])[:-1]
        return [own @ theirs.T for own, theirs in zip(np.split(rows, ends), references, strict=True)]
