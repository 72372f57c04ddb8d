"""One system's scores, and how they are written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np


@dataclass
class Scores:
    """One system's scores.

    corpus: score by metric name. per_image: by metric name, aligned with `ids`; their mean is the corpus
    score for CIDEr, ROUGE-L and MiniLM, not for BLEU and METEOR. statistics: int64 (images, 10), for
    `bleu_from_statistics`. similarities: MiniLM's cosine of each caption with each reference, one matrix
    (captions, references) an image, to four decimals. not_computed: reason by metric name. BLEU, METEOR,
    ROUGE-L, CHAIR and shares are in [0, 1], CIDEr in [0, 10], MiniLM in [-1, 1].
    """

    corpus: dict[str, float]
    per_image: dict[str, list[float]]
    ids: list[str]
    signature: str
    statistics: np.ndarray
    similarities: list[list[list[float]]] = field(default_factory=list)
    not_computed: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, dicts, strings and numbers, for JSON."""
        return {**vars(self), "statistics": self.statistics.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the scores that `to_dict` gave."""
        return cls(**{**values, "statistics": np.array(values["statistics"], dtype=np.int64).reshape(-1, 10)})
