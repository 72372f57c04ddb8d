"""ROUGE-L by pycocoevalcap (Lin 2004; beta 1.2, best precision and best recall over the references)."""

from collections.abc import Sequence

from pycocoevalcap.rouge.rouge import Rouge


def rouge_l(references: Sequence[Sequence[str]], candidates: Sequence[str]) -> list[float]:
    """Return each image's ROUGE-L for one tokenised caption an image; the corpus score is the mean."""
    scorer = Rouge()
    return [
        float(scorer.calc_score([caption], list(captions)))
        for captions, caption in zip(references, candidates, strict=True)
    ]
