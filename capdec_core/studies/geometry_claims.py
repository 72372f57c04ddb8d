"""Chapter 1's claims: what Liang et al. 2022 say makes the gap, put to the test by small heads trained here."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from capdec_core.gap.heads import HeadRun
from capdec_core.statistics import Estimate
from capdec_core.studies.claims import Claim, Evidence, Verdict, corrected
from capdec_core.studies.phrases import capital

LEVEL = 0.95
SOURCE = "Liang et al. 2022"
SLOPE = "Does the gap of heads with a hidden layer widen with the contrastive scale?"
CONE = "Is the gap at the largest scale wider for heads that begin in cones of their own?"


def head_tests(heads: Sequence[HeadRun]) -> list[Evidence]:
    """Return the family of both tests, over training seeds, corrected together.

    Intervals and p are Student's over seeds: the trainings are the sample, the held-out pairs are the same for all.
    """
    layered = [run for run in heads if run.kind == "hidden layer"]
    seeds = sorted({run.seed for run in layered})
    slopes = [slope([run for run in layered if run.seed == seed]) for seed in seeds]
    largest = max(run.scale for run in heads)
    with_cone, without = (
        sorted((run for run in heads if run.kind == kind and run.scale == largest), key=lambda run: run.seed)
        for kind in ("hidden layer", "linear")
    )
    wider = [a.after.gap_norm - b.after.gap_norm for a, b in zip(with_cone, without, strict=True)]
    images = heads[0].after.images
    return corrected(
        [
            _evidence(SLOPE, "gap norm per doubling of the scale", slopes, images, [layered]),
            _evidence(CONE, "gap norm", wider, images, [with_cone, without]),
        ]
    )


def slope(runs: Sequence[HeadRun]) -> float:
    """Return the least-squares slope of the trained gap's norm on log2 of the scale."""
    return float(np.polyfit(np.log2([run.scale for run in runs]), [run.after.gap_norm for run in runs], 1)[0])


def _evidence(
    question: str, metric: str, values: Sequence[float], images: int, sides: Sequence[Sequence[HeadRun]]
) -> Evidence:
    test = stats.ttest_1samp(values, 0)
    interval = test.confidence_interval(LEVEL)
    error = float(stats.sem(values))
    return Evidence(
        question=question,
        metric=metric,
        estimate=Estimate(
            float(np.mean(values)),
            float(interval.low),
            float(interval.high),
            LEVEL,
            error,
            images,
            len(values),
        ),
        p_value=float(test.pvalue),
        sides=tuple(tuple(run.id for run in side) for side in sides),
    )


def claims(found: Sequence[Evidence]) -> list[Claim]:
    """Return both claims with the verdicts that the tests come to."""
    widening, cone = found
    told = {1: "the gap widens with the scale", -1: "the gap narrows with the scale"}
    ends = {
        1: "heads that begin in cones end further apart than linear ones at the largest scale",
        -1: "heads that begin in cones end closer together than linear ones at the largest scale",
    }
    return [
        Claim(
            SOURCE, "A lower temperature of the contrastive loss leaves a wider gap", _verdict(widening),
            _reason(widening, told, "in gap norm per doubling"), (widening,),
        ),
        Claim(
            SOURCE, "The gap begins as a cone of each network before any training", _verdict(cone),
            _reason(cone, ends, "in gap norm"), (cone,),
        ),
    ]  # fmt: skip


def _verdict(test: Evidence) -> Verdict:
    verdicts: dict[int, Verdict] = {1: "supported", -1: "not supported", 0: "undecided"}
    return verdicts[test.sign]


def _reason(test: Evidence, told: Mapping[int, str], unit: str) -> str:
    e = test.estimate
    numbers = f"{e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}]".replace("-", "−")
    said = told.get(test.sign, f"{e.n_seeds} trainings do not tell whether {told[1]}")
    return f"{capital(said)}: {numbers} {unit}."
