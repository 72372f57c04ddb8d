"""Chapter 7's tests: what validation images choose, and the contrasts that decide claims, whatever the results."""

from collections.abc import Sequence
from dataclasses import dataclass

from capdec_core.bridges import Sight
from capdec_core.statistics import paired_difference, paired_randomisation
from capdec_core.studies.bridges_grid import (
    GAUSSIAN,
    IMAGES,
    NEAREST,
    NOISY_PROJECTION,
    NONE,
    PROJECTION,
    SHAPES_OF,
    SHIFTS,
    WAYS,
    sight,
)
from capdec_core.studies.claims import Contrast, Evidence, contrasts, corrected
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import Results

SHARE = 0.9
"""A way is enough where it reaches this share of the CIDEr of training on images. Fixed in advance."""

NOISE = "Is Gaussian noise better than no noise?"
NOISE_ENOUGH = f"Does Gaussian noise reach {SHARE:.0%} of training on images?"
SHIFT = "Is a shift without noise better than nothing?"
SHIFT_ENOUGH = f"Does a shift without noise reach {SHARE:.0%} of training on images?"
SHIFT_GAUSSIAN = "Is a shift without noise better than Gaussian noise?"
DECAP = "Is projection on a memory better than Gaussian noise?"
COMBINED = "Is projection with noise in training better than Gaussian noise alone?"
RETRIEVAL = "Is Gaussian noise better than the nearest training caption?"
COLLAPSE = "Is collapse with noise better than Gaussian noise?"
LINEAR = "Is a linear adapter with noise better than Gaussian noise?"
SHAPE = "Is noise of the shape “{}” better than Gaussian noise at the same cosine?"
TEXT_ONLY = "Is the best of the other ways that never see an image better than Gaussian noise?"


@dataclass(frozen=True)
class Choice:
    """What validation images choose among the settings of each way.

    Attributes:
        ways: the chosen setting by family, in the order of `WAYS`; settings as published are not in it, nor are ways
            that take training images where there are none.
        reference: the Gaussian that noise of every shape is matched with in cosine.
        shift: the best shift without noise; None where all of them are out of reach.
        text_only: the best setting of all ways that never see an image and let the decoder speak, Gaussian noise and
            no noise left out.
    """

    ways: dict[str, Condition]
    reference: Condition
    shift: Condition | None
    text_only: Condition


def choose(results: Results, variance: float) -> Choice:
    """Return what validation images choose; `variance` is the reference's."""
    by_family: dict[str, list[Condition]] = {family: [] for family in WAYS}
    for condition in results.cells:
        if condition.family in WAYS:
            by_family[condition.family].append(condition)
    ways = {family: results.best(found) for family, found in by_family.items() if found}
    plain = (NONE, GAUSSIAN, NEAREST)
    never = [c for family, c in ways.items() if family not in plain and sight(c) is Sight.NEVER]
    shifts = [ways[family] for family in SHIFTS if family in ways]
    return Choice(
        ways,
        results.named(GAUSSIAN, variance),
        results.best(shifts) if shifts else None,
        results.best(never),
    )


def family_of_tests(results: Results, found: Choice) -> list[Evidence]:
    """Return the chapter's tests, corrected together: contrasts, then shares of training on images.

    What asks for a way that is out of reach is not asked.
    """
    ways, gaussian = found.ways, found.ways[GAUSSIAN]
    shapes = [family for families in SHAPES_OF.values() for family in families]
    asked = [
        (NOISE, gaussian, ways[NONE]),
        (SHIFT, found.shift, ways[NONE]),
        (SHIFT_GAUSSIAN, found.shift, gaussian),
        (DECAP, ways[PROJECTION], gaussian),
        (COMBINED, ways[NOISY_PROJECTION], gaussian),
        (RETRIEVAL, gaussian, ways[NEAREST]),
        (COLLAPSE, ways.get("collapse, noise"), gaussian),
        (LINEAR, ways.get("linear adapter, noise"), gaussian),
        *((SHAPE.format(WAYS[shape].title), ways.get(shape), found.reference) for shape in shapes),
    ]
    pairs = [(question, a, b) for question, a, b in asked if a is not None]
    if (found.text_only, gaussian) not in [(a, b) for _, a, b in pairs]:
        pairs.append((TEXT_ONLY, found.text_only, gaussian))
    shares = [
        _share(results, question, condition, ways[IMAGES])
        for question, condition in ((NOISE_ENOUGH, gaussian), (SHIFT_ENOUGH, found.shift))
        if condition is not None and IMAGES in ways
    ]
    single = [contrasts(results, [pair])[0] for pair in pairs]  # a family of one is not corrected
    return corrected([*single, *shares])


def text_only_test(tests: Sequence[Evidence], choice: Choice) -> Contrast:
    """Return the contrast of the best text-only way with Gaussian noise, whichever question asks for it."""
    sides = (choice.text_only, choice.ways[GAUSSIAN])
    return next(test for test in tests if isinstance(test, Contrast) and (test.a, test.b) == sides)


def _share(results: Results, question: str, condition: Condition, ceiling: Condition) -> Evidence:
    """Return a condition's CIDEr minus `SHARE` of the ceiling's, with its own p-value, not corrected yet."""
    x, y = results.matrix(condition, "CIDEr"), SHARE * results.matrix(ceiling, "CIDEr")
    return Evidence(
        question=question,
        metric="CIDEr",
        estimate=paired_difference(x, y, **results.resampling()),
        p_value=paired_randomisation(x, y, **results.resampling()),
        sides=(results.ids(condition), results.ids(ceiling)),
    )
