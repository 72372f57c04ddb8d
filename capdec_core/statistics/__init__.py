"""Intervals and tests for captioners: images and training seeds are both samples, not the world.

Scores are arrays (seeds, images), in the units of their metric. Every random step takes a
`numpy.random.Generator`: the same generator state gives the same answer.
"""

from capdec_core.statistics.contrasts import (
    Equivalence,
    equivalence,
    holm,
    paired_randomisation,
    smallest_detectable_difference,
)
from capdec_core.statistics.corpus import paired_corpus_randomisation, paired_statistic_equivalence
from capdec_core.statistics.intervals import (
    Estimate,
    Statistic,
    bootstrap_interval,
    bootstrap_statistic,
    paired_difference,
    paired_statistic_difference,
    unpaired_difference,
)
from capdec_core.statistics.trend import (
    LevelDifferences,
    Trend,
    level_differences,
    linear_trend,
    slope_equivalence,
)

__all__ = [
    "Equivalence",
    "Estimate",
    "LevelDifferences",
    "Statistic",
    "Trend",
    "bootstrap_interval",
    "bootstrap_statistic",
    "equivalence",
    "holm",
    "level_differences",
    "linear_trend",
    "paired_corpus_randomisation",
    "paired_difference",
    "paired_randomisation",
    "paired_statistic_difference",
    "paired_statistic_equivalence",
    "slope_equivalence",
    "smallest_detectable_difference",
    "unpaired_difference",
]
