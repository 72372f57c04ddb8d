"""Study A's claims on heads and layers: the tests that decide them and the verdicts, the same whatever the results.

Study A says that attention heads "had minimal impact" and that layers were "mixed, no clear trend". Neither is
shown by a difference that fails to be significant, which any test set gives if it is small enough. Both are
therefore put to equivalence tests, with a margin that was settled before this chapter's captioners were trained.
"""

from collections.abc import Sequence

from capdec_core.chart_style import POINTS
from capdec_core.studies.claims import (
    Claim,
    Contrast,
    EquivalenceTest,
    Evidence,
    Verdict,
    contrasts,
    equivalences,
)
from capdec_core.studies.conditions import Condition
from capdec_core.studies.heads_layers_trends import TrendTest
from capdec_core.studies.phrases import in_points
from capdec_core.studies.results import Results

MARGIN = 0.05
"""CIDEr (5 points): a smaller difference counts as minimal.

What a design is worth in this field can be read off ClipCap's own table, whose two architectures lie 4.7 points
apart and are presented as two designs to choose from. A number of heads that matters less than that does not
matter as a design. From below, one system's CIDEr has a standard error of about 1 point even on COCO's 5000 test
images, so a margin of 1 or 2 points would ask for what published tables cannot show.
"""

READS = "Does the baseline beat the same mapper trained on shuffled embeddings by more than the margin?"
HEADS_CLAIM = "Attention heads had minimal impact."
LAYERS_CLAIM = "Layers: mixed, no clear trend."


def heads_tests(
    results: Results, others: Sequence[Condition], baseline: Condition
) -> tuple[list[EquivalenceTest], list[Contrast]]:
    """Return each number of heads against the baseline's, as equivalence tests and as contrasts.

    Holm's correction runs over the numbers of heads, in each kind of test.
    """
    equal = [(f"Do {c.label} and the baseline differ by less than the margin?", c, baseline) for c in others]
    differ = [(f"Do {c.label} differ from the baseline?", c, baseline) for c in others]
    return equivalences(results, equal, MARGIN), contrasts(results, differ)


def reading_test(results: Results, baseline: Condition, shuffled: Condition) -> Contrast:
    """Return the contrast that tells whether the baseline reads images at all.

    Where it does not, there is nothing that heads or layers could change, and equivalence means nothing
    (what trials of equivalence call assay sensitivity: ICH guideline E10, 2000).
    """
    return contrasts(results, [(READS, baseline, shuffled)])[0]


def reads(test: Contrast) -> bool:
    """Tell whether the baseline is better than the control by more than the margin, beyond doubt."""
    return test.sign > 0 and test.estimate.low > MARGIN


def heads_claim(reading: Contrast, equal: Sequence[EquivalenceTest], differ: Sequence[Contrast]) -> Claim:
    """Return the verdict on the heads: equivalent to the baseline one and all, or one beyond the margin.

    The weakest equivalence decides, or else the largest difference; both only where the baseline reads images.
    """
    if not reads(reading):
        return _nothing_read(HEADS_CLAIM, reading, [*equal, *differ])
    weakest_first = sorted(equal, key=lambda test: test.p_value or 0, reverse=True)
    evidence: list[Evidence] = [*weakest_first, *differ]
    beyond = [c for c in differ if c.sign and min(abs(c.estimate.low), abs(c.estimate.high)) > MARGIN]
    open_ones = "; ".join(test.a.label for test in equal if not test.equivalent)
    verdict: Verdict
    if beyond:
        largest = max(beyond, key=lambda contrast: abs(contrast.estimate.value))
        evidence = [largest, *(e for e in evidence if e is not largest)]
        verdict, reason = (
            "not supported",
            f"{_told(largest)}, beyond the margin of {POINTS * MARGIN:g} points.",
        )
    elif not open_ones:
        verdict = "supported"
        reason = (
            f"Every number of heads is equivalent to the baseline within {POINTS * MARGIN:g} points of CIDEr."
        )
    else:
        verdict = "undecided"
        reason = f"A difference of {POINTS * MARGIN:g} points is not ruled out for: {open_ones}."
        shown = [contrast for contrast in differ if contrast.sign]
        reason += "".join(
            f" {_told(contrast)}, which may be within the margin or beyond it." for contrast in shown
        )
    return Claim("Study A", HEADS_CLAIM, verdict, reason, (*evidence, reading))


def layers_claim(reading: Contrast, as_run: TrendTest, at_size: TrendTest) -> Claim:
    """Return the verdict on the layers: a trend as Study A ran them, none that matters, or one that size hides.

    It needs a baseline that reads images, as that on heads does.
    """
    if not reads(reading):
        return _nothing_read(LAYERS_CLAIM, reading, [as_run.flat, as_run, at_size, at_size.flat])
    verdict: Verdict
    evidence: tuple[Evidence, ...] = (as_run.flat, as_run, at_size, at_size.flat)
    if as_run.clear:
        verdict, evidence = "not supported", (as_run, as_run.flat, at_size, at_size.flat)
        reason = f"CIDEr {_direction(as_run)} with layers ({_slope(as_run)}); {_at_size(as_run, at_size)}."
    elif as_run.negligible and at_size.clear:
        verdict = "artefact"
        reason = (
            "As Study A ran them, no trend is left that matters, but depth and size work against each other: at "
            f"matched parameters CIDEr {_direction(at_size)} with layers ({_slope(at_size)})."
        )
    elif as_run.negligible:
        verdict, reason = (
            "supported",
            f"A trend of {POINTS * MARGIN:g} points over the grid is ruled out; {_levels(as_run)}.",
        )
    else:
        verdict = "undecided"
        reason = f"A trend is neither shown nor ruled out ({_slope(as_run)}); {_levels(as_run)}."
    return Claim("Study A", LAYERS_CLAIM, verdict, reason, (*evidence, reading))


def _nothing_read(claim: str, reading: Contrast, others: Sequence[Evidence]) -> Claim:
    reason = (
        f"The baseline is not shown to beat shuffled embeddings by {POINTS * MARGIN:g} points, so there is nothing "
        "that a mapper could make worse."
    )
    return Claim("Study A", claim, "undecided", reason, (reading, *others))


def _told(contrast: Contrast) -> str:
    e = contrast.estimate
    word = "better" if e.value > 0 else "worse"
    return f"{contrast.a.label} score {word} than the baseline ({in_points(e)})"


def _direction(trend: TrendTest) -> str:
    return "rises" if trend.estimate.value > 0 else "falls"


def _slope(trend: TrendTest) -> str:
    return f"{in_points(trend.estimate)} per doubling"


def _at_size(as_run: TrendTest, at_size: TrendTest) -> str:
    slope = _slope(at_size)
    if at_size.negligible:
        return f"at matched parameters no trend is left that matters ({slope}), so it is owed to size"
    if at_size.sign == as_run.sign:
        return f"at matched parameters it does so too ({slope}), so it is not owed to size"
    if at_size.sign:
        return f"at matched parameters it {_direction(at_size)} ({slope}), so it is owed to size"
    return f"at matched parameters none is shown or ruled out ({slope}), so depth and size are not told apart"


def _levels(trend: TrendTest) -> str:
    if trend.levels_differ:
        return "the numbers of layers do differ, in no steady order"
    return "nor are the numbers of layers told apart in any other order"
