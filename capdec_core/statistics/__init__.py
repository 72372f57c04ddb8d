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
from capdec_core.statistics.intervals import (
    Estimate,
    Statistic,
    bootstrap_interval,
    bootstrap_statistic,
    paired_difference,
    paired_statistic_difference,
)

__all__ = [
    "Equivalence",
    "Estimate",
    "Statistic",
    "bootstrap_interval",
    "bootstrap_statistic",
    "equivalence",
    "holm",
    "paired_difference",
    "paired_randomisation",
    "paired_statistic_difference",
    "smallest_detectable_difference",
]
