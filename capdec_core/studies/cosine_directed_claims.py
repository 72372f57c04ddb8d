"""Study A's claim on cosine-directed noise, in its two halves: the contrasts that decide them, and the verdicts."""

from collections.abc import Mapping, Sequence

from capdec_core.noise import NoNoise, variance_for_cosine
from capdec_core.studies.claims import Claim, Contrast, Pair, Verdict
from capdec_core.studies.conditions import Condition
from capdec_core.studies.cosine_directed_grid import FIXED, GAUSSIAN, RAW, UNIT, GridRow
from capdec_core.studies.results import Results

LITERAL_NONE = "Is the best row of the grid at unit norm better than no noise?"
LITERAL_GAUSSIAN = (
    "Is the best row of the grid at unit norm better than Gaussian noise at the best of the cosines?"
)
RAW_LITERAL = "Is the best row of the grid at raw norm better than that at unit norm?"
RAW_GAUSSIAN = (
    "Is the best row of the grid at raw norm better than Gaussian noise at the best of the cosines?"
)
REPAIRED_LITERAL = "Is noise at a fixed cosine better than the best row of the grid at unit norm?"
REPAIRED_GAUSSIAN = "Is noise at a fixed cosine of {:g} better than Gaussian noise at that cosine?"

UNMOVED = 0.99
"""A row whose measured mean cosine is above this (8 degrees) leaves the embedding as it was, or nearly."""

POOR = "Cosine-directed noise: results were poor."
TUNING = "Further tuning could potentially enhance the effectiveness of cosine-directed noise."


def best_row(results: Results, grid: Sequence[GridRow], family: str) -> Condition:
    """Return an arm's row that scores highest on validation images, among those that decide the contrasts.

    These are the rows of the smallest N, which have several seeds, without those that are proved to be
    no noise; where nothing else is left, no noise itself.
    """
    fewest = min(row.n for row in grid)
    rows = [row.condition for row in grid if row.family == family and row.n == fewest]
    return results.best([row for row in rows if row.noise != NoNoise()] or rows)


def pairs(results: Results, grid: Sequence[GridRow]) -> list[Pair]:
    """Return the chapter's family of contrasts: (question, a, b).

    Rows of the grid and cosines are chosen on validation images. A pair whose two sides are the same cells
    is no question and is left out.
    """
    none, literal, raw = results.named("none"), *(best_row(results, grid, arm) for arm in (UNIT, RAW))
    families = ([c for c in results.cells if c.family == name] for name in (GAUSSIAN, FIXED))
    gaussian, fixed = map(results.best, families)
    asked = [
        (LITERAL_NONE, literal, none),
        (LITERAL_GAUSSIAN, literal, gaussian),
        (RAW_LITERAL, raw, literal),
        (RAW_GAUSSIAN, raw, gaussian),
        (REPAIRED_LITERAL, fixed, literal),
        *at_equal_cosine(results),
    ]
    distinct: dict[tuple, Pair] = {}
    for question, a, b in asked:
        distinct.setdefault((results.ids(a), results.ids(b)), (question, a, b))
    return [pair for (a, b), pair in distinct.items() if a != b]


def at_equal_cosine(results: Results) -> list[Pair]:
    """Return noise at a fixed cosine against Gaussian noise whose expected cosine is the same."""
    fixed = [c for c in results.cells if c.family == FIXED]
    return [
        (
            REPAIRED_GAUSSIAN.format(c.parameter),
            c,
            results.named(GAUSSIAN, variance_for_cosine(c.parameter or 0, results.dim)),
        )
        for c in fixed
    ]


def claims(found: Sequence[Contrast], cosines: Sequence[float], chosen: Condition) -> list[Claim]:
    """Return the two verdicts.

    Args:
        found: the chapter's contrasts.
        cosines: measured mean cosine of each row of the grid at unit norm.
        chosen: the fixed cosine that scores highest on validation images.
    """
    by_question = {contrast.question: contrast for contrast in found}
    against = by_question[REPAIRED_GAUSSIAN.format(chosen.parameter)]
    unmoved = sum(cosine > UNMOVED for cosine in cosines) / len(cosines)
    return [_poor(by_question, unmoved), _tuning(by_question, against)]


def _poor(found: Mapping[str, Contrast], unmoved: float) -> Claim:
    """Poor is worse than plain Gaussian noise; an artefact where it is the noise that was missing."""
    used = [found[q] for q in (LITERAL_GAUSSIAN, LITERAL_NONE, REPAIRED_LITERAL) if q in found]
    gaussian, none, repaired = (_sign(found, q) for q in (LITERAL_GAUSSIAN, LITERAL_NONE, REPAIRED_LITERAL))
    beside = {1: "better than", 0: "not separated from", -1: "worse than"}[none]
    verdict: Verdict
    if gaussian > 0:
        verdict, reason = "not supported", "Its best row beats Gaussian noise."
    elif gaussian == 0:
        verdict = "undecided"
        reason = f"Its best row is not separated from Gaussian noise, and {beside} no noise."
    elif unmoved > 0.5 and repaired > 0:
        verdict = "artefact"
        reason = (
            f"Its best row is worse than Gaussian noise, and {beside} no noise. But {unmoved:.0%} of its rows leave "
            f"the embedding at a mean cosine above {UNMOVED:g}, since no candidate passes or all do and average out, "
            "and noise that does reach a chosen cosine is better: the method was poor because it was hardly applied."
        )
    else:
        verdict, reason = "supported", f"Its best row is worse than Gaussian noise, and {beside} no noise."
    return Claim("Study A", POOR, verdict, reason, tuple(used))


def _tuning(found: Mapping[str, Contrast], against: Contrast) -> Claim:
    """Tuning helps where the raw norm does, or where a fixed cosine does more than plain Gaussian noise."""
    raw, repaired = _sign(found, RAW_LITERAL), _sign(found, REPAIRED_LITERAL)
    first, second = (RAW_LITERAL, REPAIRED_LITERAL) if raw > 0 else (REPAIRED_LITERAL, RAW_LITERAL)
    used = [*(found[q] for q in (first, second) if q in found), against]
    plain = {1: "better than", 0: "not separated from", -1: "worse than"}[against.sign]
    at_raw = (
        "The same grid at raw norm gives no better captions"
        if RAW_LITERAL in found
        else "The same grid at raw norm has the same best captioner, so gives no better captions"
    )
    verdict: Verdict
    if raw > 0:
        verdict, reason = "supported", "The same grid beside embeddings of raw norm has a better best row."
    elif repaired > 0 and against.sign > 0:
        verdict = "supported"
        reason = (
            f"{at_raw}, but noise at a fixed cosine is better, and better than Gaussian noise at that cosine."
        )
    elif repaired > 0:
        verdict = "artefact"
        reason = (
            f"{at_raw}. Noise at a fixed cosine is better, but {plain} plain Gaussian noise at that cosine: what "
            "helps is that there is more noise, not that it is directed."
        )
    elif raw < 0 and repaired < 0:
        verdict, reason = "not supported", "Neither the raw norm nor a fixed cosine gives better captions."
    else:
        verdict, reason = "undecided", f"{at_raw}, and neither does a fixed cosine beyond doubt."
    return Claim("Study A", TUNING, verdict, reason, tuple(used))


def _sign(found: Mapping[str, Contrast], question: str) -> int:
    """Return the contrast's sign; 0 where both sides are the same cells."""
    return found[question].sign if question in found else 0
