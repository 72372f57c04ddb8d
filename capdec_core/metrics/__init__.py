"""Caption metrics: pycocoevalcap's, MiniLM, diversity and CHAIR, with per-image scores and one signature."""

from capdec_core.metrics.bleu import bleu_from_statistics
from capdec_core.metrics.scores import Scores
from capdec_core.metrics.scoring import score

__all__ = ["Scores", "bleu_from_statistics", "score"]
