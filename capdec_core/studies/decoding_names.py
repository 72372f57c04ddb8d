"""What chapter 6 calls the ways of decoding; their settings stand in its first table alone."""

from capdec_core.decoding import Beam, Decoding, Reranked, Sampling
from capdec_core.studies.conditions import Condition
from capdec_core.studies.phrases import capital

NAMES = {
    "greedy": "greedy search",
    "top-k": "top-k sampling",
    "nucleus": "nucleus sampling",
    "contrastive": "contrastive search",
    "re-ranked samples": "re-ranking samples",
}


def way(condition: Condition) -> Decoding:
    """Return how a condition's captions are decoded; ValueError for a captioner as it was trained."""
    if condition.decoding is None:
        raise ValueError(f"{condition.label} is not decoded anew")
    return condition.decoding


def kind(decoding: Decoding) -> str:
    """Return how figures mark a way of decoding: its method, sampling by its cut, re-ranking by its pool."""
    if isinstance(decoding, Reranked):
        return f"re-ranked {'beam' if isinstance(decoding.candidates, Beam) else 'samples'}"
    if isinstance(decoding, Sampling):
        return "nucleus" if decoding.top_p < 1 else "top-k"
    return decoding.method


def name(decoding: Decoding) -> str:
    """Return the name of a way of decoding inside a sentence: "beam 5", "re-ranking beam 10"."""
    if isinstance(decoding, Reranked) and isinstance(decoding.candidates, Beam):
        return f"re-ranking {name(decoding.candidates)}"
    return f"beam {decoding.beams}" if isinstance(decoding, Beam) else NAMES[kind(decoding)]


def title(decoding: Decoding) -> str:
    """Return the name with which a row of a table begins."""
    return capital(name(decoding))
