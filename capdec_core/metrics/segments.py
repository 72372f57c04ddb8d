"""BLEU's statistics, ROUGE-L and CIDEr of single captions, each made once however many systems say it."""

from collections.abc import Sequence
from typing import NamedTuple

from capdec_core.metrics.bleu import ReferenceBleu
from capdec_core.metrics.cider import ReferenceCider
from capdec_core.metrics.ngrams import count_ngrams
from capdec_core.metrics.rouge import ReferenceRouge


class Segment(NamedTuple):
    """What a caption gets on its image: `bleu` is a row of `capdec_core.metrics.bleu.STATISTICS`."""

    bleu: list[int]
    rouge: float
    cider: float


class Segments:
    """The n-gram metrics against one set of references; remembers every caption that it has scored."""

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        """Prepare the references' side; `references` is tokenised, one non-empty list an image."""
        counted = [[count_ngrams(caption) for caption in captions] for captions in references]
        self._bleu, self._cider = ReferenceBleu(counted), ReferenceCider(counted)
        self._rouge = ReferenceRouge(references)
        self._known: dict[tuple[int, str], Segment] = {}

    def score(self, captions: Sequence[str]) -> list[Segment]:
        """Score one tokenised caption an image, in the references' order."""
        return [self._segment(image, caption) for image, caption in enumerate(captions)]

    def _segment(self, image: int, caption: str) -> Segment:
        found = self._known.get((image, caption))
        if found is None:
            ngrams = count_ngrams(caption)
            found = Segment(
                self._bleu.row(image, ngrams), self._rouge.of(image, caption), self._cider.of(image, ngrams)
            )
            self._known[image, caption] = found
        return found
