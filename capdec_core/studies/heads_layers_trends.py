"""Trends over the number of layers: what is asked of each arm of chapter 3, every question corrected over the arms."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capdec_core.statistics import (
    Equivalence,
    LevelDifferences,
    Trend,
    holm,
    level_differences,
    linear_trend,
    slope_equivalence,
)
from capdec_core.studies.claims import ALPHA, Evidence
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import Results

METRIC = "CIDEr per doubling of layers"


@dataclass(frozen=True, kw_only=True)
class TrendTest(Evidence):
    """The slope of CIDEr over log2 of the layers in one arm, with what else is asked of the levels.

    Attributes:
        flat: the same slope held to a margin, two one-sided tests; its interval is at 90%.
        spread: standard deviation of the levels' means, in CIDEr.
        p_levels: that the levels do not differ at all, in whatever order; corrected.
    """

    flat: Evidence
    spread: float
    p_levels: float

    @property
    def negligible(self) -> bool:
        """Whether a slope as steep as the margin is ruled out."""
        return self.flat.significant

    @property
    def clear(self) -> bool:
        """Whether there is a trend beyond doubt that is not negligible."""
        return self.sign != 0 and not self.negligible

    @property
    def levels_differ(self) -> bool:
        """Whether the levels differ beyond doubt, in whatever order."""
        return self.p_levels <= ALPHA


def slope_margin(margin: float, layers: Sequence[int]) -> float:
    """Return the slope, per doubling of layers, that adds up to `margin` from the fewest layers to the most.

    It is rounded down to a tenth of a point.
    """
    return math.floor(1000 * margin / math.log2(max(layers) / min(layers))) / 1000


def trend_tests(
    results: Results, arms: Mapping[str, Sequence[Condition]], layers: Sequence[int], margin: float
) -> list[TrendTest]:
    """Return each arm's tests; Holm's correction runs over the arms, in each kind of test.

    Args:
        results: scored conditions.
        arms: what each arm is called in a question, and its conditions, one a number of layers.
        layers: the numbers of layers, in the arms' order.
        margin: CIDEr that a negligible trend stays below over the whole grid.
    """
    steepest = slope_margin(margin, layers)
    measured = [_measure(results, members, layers, steepest) for members in arms.values()]
    corrected = [holm([found.p_value for found in kind]) for kind in zip(*measured, strict=True)]
    return [
        _evidence(results, arm, measures, p)
        for arm, measures, p in zip(arms.items(), measured, np.transpose(corrected).tolist(), strict=True)
    ]


Measures = tuple[Trend, Equivalence, LevelDifferences]


def _measure(
    results: Results, members: Sequence[Condition], layers: Sequence[int], steepest: float
) -> Measures:
    levels = [results.matrix(condition, "CIDEr") for condition in members]
    doublings = np.log2(layers).tolist()
    return (
        linear_trend(levels, doublings, **results.resampling()),
        slope_equivalence(levels, doublings, margin=steepest, **results.resampling()),
        level_differences(levels, **results.resampling()),
    )


def _evidence(
    results: Results, arm: tuple[str, Sequence[Condition]], measured: Measures, p: Sequence[float]
) -> TrendTest:
    name, members = arm
    trend, equivalence, levels = measured
    sides = (tuple(cell for condition in members for cell in results.ids(condition)),)
    flat = Evidence(
        question=f"Is the trend of CIDEr over {name} within the margin?",
        metric=METRIC,
        estimate=equivalence.difference,
        p_value=p[1],
        margin=equivalence.margin,
        sides=sides,
    )
    return TrendTest(
        question=f"Does CIDEr rise or fall over {name}?",
        metric=METRIC,
        estimate=trend.slope,
        p_value=p[0],
        sides=sides,
        flat=flat,
        spread=levels.spread,
        p_levels=p[2],
    )
