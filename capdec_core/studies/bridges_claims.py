"""What the papers behind the bridges claim, with verdicts that follow from the chapter's tests alone."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from capdec_core.bridges.shaped import Source
from capdec_core.chart_style import POINTS
from capdec_core.statistics import Estimate, smallest_detectable_difference
from capdec_core.studies.bridges_grid import GAUSSIAN, SHAPES_OF, WAYS, reduced_family
from capdec_core.studies.bridges_law import LEVEL, MATCHED, LawTest
from capdec_core.studies.bridges_tests import (
    COLLAPSE,
    DECAP,
    LINEAR,
    NOISE,
    NOISE_ENOUGH,
    SHAPE,
    SHARE,
    SHIFT,
    SHIFT_ENOUGH,
    SHIFT_GAUSSIAN,
    Choice,
    text_only_test,
)
from capdec_core.studies.claims import Claim, Contrast, Evidence, Verdict
from capdec_core.studies.phrases import capital, comparison, tested, within_sentence
from capdec_core.studies.results import Results

OWN = "This book"
_LAW = "The best Gaussian noise turns texts as far as images are turned from their captions."
_LIKE = "Noise shaped like {} is better than isotropic noise at the same cosine."
_SHAPED: dict[Source, tuple[str, str]] = {
    "pairs": ("CLOSE", _LIKE.format("the residual of pairs")),
    "clusters": (OWN, _LIKE.format("the captions of one image")),
}
"""Who says what of noise, by what its shape is learned from."""
BY_SIGN: dict[int, Verdict] = {1: "supported", -1: "not supported", 0: "undecided"}


def claims(
    results: Results, choice: Choice, found: Sequence[Evidence], laws: Sequence[LawTest]
) -> list[Claim]:
    """Return the claims of the papers and the hypotheses of this book, with verdicts, as far as they were tested."""
    tests = {test.question: test for test in found}
    shaped = [
        _shaped(results, choice, tests, source) for source in _SHAPED if SHAPES_OF[source][0] in choice.ways
    ]
    law = [_law(results, laws[0], tests[NOISE])] if MATCHED in laws[0].curve.cosines else []
    return [
        *(
            paper.judge(paper.source, paper.said, [tests[question] for question in paper.questions])
            for paper in _PAPERS
            if paper.questions[0] in tests
        ),
        *shaped,
        _text_only(text_only_test(found, choice)),
        *law,
        *_other_dimensions(results, laws[1:]),
    ]


def untested(choice: Choice, found: Sequence[Evidence], laws: Sequence[LawTest]) -> list[tuple[str, str]]:
    """Return who says what of the claims that could not be tested, since they take training images."""
    asked = {test.question for test in found}
    papers = [(paper.source, paper.said) for paper in _PAPERS if paper.questions[0] not in asked]
    shaped = [_SHAPED[source] for source in _SHAPED if SHAPES_OF[source][0] not in choice.ways]
    return [*papers, *shaped, *([] if MATCHED in laws[0].curve.cosines else [(OWN, _LAW)])]


def _enough(source: str, said: str, used: Sequence[Evidence]) -> Claim:
    """Judge by the share of the ceiling that is reached."""
    share = used[0]
    told = {1: "It reaches", -1: "It does not reach", 0: "It is open whether it reaches"}[share.sign]
    reason = (
        f"{told} {SHARE:.0%} of the CIDEr of the same captioner trained on images; the distance to that share is "
        f"{tested(share)}. "
        f"{' '.join(_sentence(test) for test in used[1:] if isinstance(test, Contrast))}"
    )
    return Claim(source, said, BY_SIGN[share.sign], reason, tuple(used))


def _better(source: str, said: str, used: Sequence[Evidence]) -> Claim:
    """Judge by the first difference."""
    reason = " ".join(_sentence(test) for test in used if isinstance(test, Contrast))
    return Claim(source, said, BY_SIGN[used[0].sign], reason, tuple(used))


class _Said(NamedTuple):
    """A paper's claim: who says what, how it is judged, and by which tests, the first of which decides."""

    source: str
    said: str
    judge: Callable[[str, str, Sequence[Evidence]], Claim]
    questions: tuple[str, ...]


_PAPERS = (
    _Said(
        "CapDec",
        "Noise is enough: a decoder trained on texts with noise reads images as one that is trained on them.",
        _enough,
        (NOISE_ENOUGH, NOISE),
    ),
    _Said(
        "DrML",
        "The gap is a constant vector: once it is shifted away, texts stand for images.",
        _enough,
        (SHIFT_ENOUGH, SHIFT, SHIFT_GAUSSIAN),
    ),
    _Said("DeCap", "Projection on a memory of captions is better than noise.", _better, (DECAP,)),
    _Said("C3", "Collapse and corrupt is better than noise alone.", _better, (COLLAPSE,)),
    _Said("CLOSE", "A linear adapter with noise is better than noise alone.", _better, (LINEAR,)),
)


def _sentence(test: Contrast) -> str:
    """Return a contrast in words: which is better, by how much."""
    names = [within_sentence(condition) for condition in (test.a, test.b)]
    return f"{capital(names[0])} {comparison(test)} {names[1]}: {tested(test)}."


def _shaped(results: Results, choice: Choice, tests: Mapping[str, Evidence], source: Source) -> Claim:
    """Judge shaped noise by the shape that validation images choose among those learned from `source`."""
    shapes = SHAPES_OF[source]
    best = results.best([choice.ways[shape] for shape in shapes])
    used = [tests[SHAPE.format(WAYS[shape].title)] for shape in shapes]
    used.sort(key=lambda test: test.question != SHAPE.format(WAYS[best.family].title))
    counted = [sum(test.sign == sign for test in used) for sign in (1, -1, 0)]
    rest = (
        f"Of {len(used)} shapes {counted[0]} are better, {counted[1]} worse and {counted[2]} not separated."
    )
    first = used[0]
    assert isinstance(first, Contrast)
    return Claim(*_SHAPED[source], BY_SIGN[first.sign], f"{_sentence(first)} {rest}", tuple(used))


def _text_only(test: Contrast) -> Claim:
    """Judge whether anything that never sees an image beats plain noise; else say what could have been found."""
    reason = _sentence(test)
    if test.sign <= 0:
        least = POINTS * smallest_detectable_difference(test.estimate.standard_error)
        reason += (
            f" A true advantage of {least:.1f} points would have been found in four of five repetitions, before "
            "the correction."
        )
    said = "Without any image a decoder has a better way over the gap than calibrated Gaussian noise."
    return Claim(OWN, said, BY_SIGN[test.sign], reason, (test,))


def _law(results: Results, law: LawTest, noise: Evidence) -> Claim:
    """Judge the calibration law by the interval of the best variance."""
    if math.isnan(law.curve.predicted):
        return Claim(OWN, _LAW, "undecided", "The law has no solution for this encoder.", (noise,))
    return Claim(OWN, _LAW, law.verdict, law_reason(law), (_distance(results, law),))


def _other_dimensions(results: Results, laws: Sequence[LawTest]) -> list[Claim]:
    """Judge the law at the dimensions to which the embedding is reduced: it must fail at none."""
    solved = [law for law in laws if not math.isnan(law.curve.predicted)]
    if not solved:
        return []
    verdicts = [law.verdict for law in solved]
    verdict: Verdict = "supported" if set(verdicts) == {"supported"} else "undecided"
    if "not supported" in verdicts:
        verdict = "not supported"
    told = "; ".join(
        f"at d = {law.curve.dim} it asks for {law.curve.predicted:.3g}, and the best lies between {law.low:.3g} and "
        f"{law.high:.3g} ({law.verdict})"
        for law in solved
    )
    said = "The same law tells the best variance whatever the dimension of the embedding."
    return [Claim(OWN, said, verdict, f"{capital(told)}.", tuple(_distance(results, law) for law in solved))]


def law_reason(law: LawTest) -> str:
    """Return where the law's variance lies to the interval of the best one, and what is missing to decide."""
    predicted = law.curve.predicted
    place = "below" if predicted < law.low else "above" if predicted > law.high else "inside"
    text = (
        f"The law asks for variance {predicted:.3g}. The best on validation images is {law.best:.3g}, with an interval "
        f"from {law.low:.3g} to {law.high:.3g}; the law's lies {place} it."
    )
    if law.verdict != "undecided":
        return text
    why = "reaches the edge of the grid" if any(law.at_edge) else "is too wide to confirm anything"
    return f"{text} The interval {why}."


def _distance(results: Results, law: LawTest) -> Evidence:
    """Return how many doublings lie between v* and the best variance, with the interval of the best variance."""
    value, low, high = (math.log2(v / law.curve.predicted) for v in (law.best, law.low, law.high))
    family = reduced_family(law.curve.dim) if law.curve.reduced else GAUSSIAN
    best, nearest = (results.named(family, variance) for variance in (law.best, law.nearest))
    images, seeds = law.curve.scores[0].shape[1], min(len(scores) for scores in law.curve.scores)
    return Evidence(
        question=f"How many doublings of the variance is the best one from the law's at d = {law.curve.dim}?",
        metric="doublings of the variance",
        estimate=Estimate(value, low, high, LEVEL, law.spread, images, seeds),
        sides=(results.ids(best), results.ids(nearest)),
    )
