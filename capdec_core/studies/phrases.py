"""Phrases that every chapter's computed sentences are made of: estimates in points, and what a sign is called."""

from collections.abc import Sequence

from capdec_core.chart_style import POINTS
from capdec_core.statistics import Estimate, smallest_detectable_difference
from capdec_core.studies.claims import Claim, Contrast, Evidence
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import Results
from capdec_core.tables import p_phrase, with_interval


def asked(found: Sequence[Contrast], question: str) -> Contrast:
    """Return the contrast that answers a question; StopIteration if none does."""
    return next(contrast for contrast in found if contrast.question == question)


def comparison(contrast: Evidence) -> str:
    """Return "is better than", "is worse than" or "is not separated from", as interval and corrected p agree."""
    return {1: "is better than", -1: "is worse than", 0: "is not separated from"}[contrast.sign]


def tested(test: Evidence) -> str:
    """Return an estimate and its corrected p: "+9.8 [+5.3, +14.5] points, p = 0.005"."""
    assert test.p_value is not None
    return f"{in_points(test.estimate)}, {p_phrase(test.p_value)}"


def in_points(estimate: Estimate) -> str:
    """Return a difference with its interval: "+9.8 [+5.3, +14.5] points"."""
    return with_interval(estimate.value, estimate.low, estimate.high, signed=True) + " points"


def holding_zero(estimate: Estimate) -> str:
    """Return what an exploratory difference's interval says, to be put behind it: nothing where it excludes 0."""
    return "" if estimate.excludes_zero else ", an interval that holds 0"


def score(results: Results, condition: Condition, metric: str = "CIDEr") -> str:
    """Return a condition's score with its interval: "71.2 [69.0, 73.4] points"."""
    estimate = results.interval(condition, metric)
    return with_interval(estimate.value, estimate.low, estimate.high) + " points"


def verdicts(claims: Sequence[Claim]) -> list[str]:
    """Return one bold line a claim with its verdict and the reason."""
    return [f"**{c.source}: “{c.claim.rstrip('.')}”: {c.verdict}.** {c.reason}" for c in claims]


def listed(lines: Sequence[str]) -> str:
    """Return lines as a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def number(value: float) -> str:
    """Return a number with two decimals and a typographic minus."""
    return f"{value:.2f}".replace("-", "−")


def within_sentence(condition: Condition) -> str:
    """Return the label as it stands in the middle of a sentence: only Gauss and Student keep their capital."""
    label = condition.label
    return label if label.startswith(("Gaussian", "Student")) else label[0].lower() + label[1:]


def capital(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[0].upper() + text[1:]


def detectable(found: Sequence[Contrast], metric: str = "CIDEr") -> str:
    """Return the smallest difference that contrasts can find, between its extremes."""
    errors = {c.estimate.standard_error for c in found}
    smallest, largest = (
        POINTS * smallest_detectable_difference(error) for error in (min(errors), max(errors))
    )
    return (
        f"With {found[0].estimate.n_images} test images, and the seeds that each contrast has, a true difference must "
        f"be between {smallest:.1f} and {largest:.1f} points of {metric}, depending on the pair, to be found in four "
        f"of five repetitions at the 5% level, before the correction for {len(found)} contrasts. What is smaller is "
        f"beyond this test set."
    )
