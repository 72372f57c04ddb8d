"""How long the scores of a grid take at most: by rates that were measured once, as if no two captions were the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from capdec_core.cell import Decoded, Retrieved, StoredCell
from capdec_core.decoding import Sampling, decoding_from_dict
from capdec_core.scoring_work import JUDGED_SPLITS

METEOR, WORDS, SELECTION, MINILM = 2.1e-3, 0.3e-3, 0.1e-3, 2.9e-3
"""Seconds of a core: METEOR's Java, all else that reads words, CIDEr alone, each of one image's caption; MiniLM, of a
sentence. On an Intel Xeon of 2025 on captions of the generated world, by their slope; starting is not counted."""


@dataclass(frozen=True)
class Judging:
    """Seconds of one core: METEOR's, which one process does alone, and what any number of processes share."""

    meteor: float
    shared: float

    def wall(self, processes: int) -> float:
        """Return the seconds that it takes with so many processes beside METEOR's."""
        return max(self.meteor, (self.meteor + self.shared) / processes)


def judging(cells: Sequence[StoredCell], device: str) -> Judging:
    """Return how long the scores of cells take at most: each distinct caption is read once, and here all are distinct.

    A GPU embeds sentences so fast that it is not counted.
    """
    tested, selected, sentences = 0, 0, 0
    for cell in cells:
        for evaluation in cell.evaluations:
            if evaluation.split in JUDGED_SPLITS:
                tested += evaluation.images
                sentences += evaluation.images * _told(cell)
            else:
                selected += evaluation.images
    embedding = MINILM * sentences if device == "cpu" else 0.0
    return Judging(METEOR * tested, WORDS * tested + SELECTION * selected + embedding)


def _told(cell: StoredCell) -> int:
    """Return how many captions of an image a cell keeps: the beam's or the sample's, or its one answer."""
    if isinstance(cell, Retrieved):
        return 1
    if isinstance(cell, Decoded):
        way = decoding_from_dict(cell.decoding)
        return way.n if isinstance(way, Sampling) else 1
    return int(cell.decoding["beams"])  # type: ignore[attr-defined]
