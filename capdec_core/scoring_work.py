"""What a process of a scoring does. It imports no model but MiniLM, so a process is soon at work."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from capdec_core.metrics.captions import Aligned
from capdec_core.metrics.judges import Objects, Wording, lexical_scores, selection_scores
from capdec_core.metrics.minilm import encode_sentences
from capdec_core.metrics.scores import Scores

JUDGED_SPLITS = ("test",)
"""Splits whose captions are scored by every metric; selection on the others is by CIDEr and needs no more."""


@dataclass(frozen=True)
class Task:
    """The systems of one split, told as they are; a system goes by the words of its key.

    `objects` is what CHAIR reads, None where the corpus knows no objects.
    """

    split: str
    told: Aligned
    wording: Wording
    objects: Objects | None

    @property
    def judged(self) -> bool:
        """Whether every metric is asked for, not only the one that settings are chosen by."""
        return self.split in JUDGED_SPLITS

    def parts(self, count: int) -> list[list[str]]:
        """Deal the systems into up to `count` parts."""
        names = list(self.told.answers)
        return [part for part in (names[start::count] for start in range(count)) if part]


def embed(sentences: Sequence[str], device: str) -> np.ndarray:
    """Return MiniLM's unit embeddings (n, 384) of sentences, float32, by one thread."""
    torch.set_num_threads(1)
    return encode_sentences(sentences, device).astype(np.float32)


def score_part(task: Task, tokens: Aligned) -> dict[str, Scores]:
    """Score a task's systems by what reads words; `tokens` are its captions tokenised."""
    if not task.judged:
        return selection_scores(task.told, tokens, task.wording)
    return lexical_scores(task.told, tokens, task.wording, task.objects)
