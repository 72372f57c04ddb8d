"""Study A's evaluation protocol as arithmetic on per-image scores: who chooses the images, and what that does.

Study A compares systems on the 15 test images on which its baseline scored best. Everything here works on
scores in the units of their metric, reads no file, and takes a `numpy.random.Generator` wherever it draws.
"""

from capdec_core.protocol.ranks import (
    Turn,
    agreement_of_halves,
    kendall_tau,
    ranks,
    turned_pairs,
)
from capdec_core.protocol.regression import (
    expected_top_mean,
    reliability,
    selection_effect,
    slope,
    uplift,
)
from capdec_core.protocol.replicates import Drawn, advantages, draw, mean_scores
from capdec_core.protocol.rounds import (
    another_seed,
    as_published,
    other_captions,
    other_references,
    whole_test_set,
)
from capdec_core.protocol.selection import Captioners, Round, best_images

__all__ = [
    "Captioners",
    "Drawn",
    "Round",
    "Turn",
    "advantages",
    "agreement_of_halves",
    "another_seed",
    "as_published",
    "best_images",
    "draw",
    "expected_top_mean",
    "kendall_tau",
    "mean_scores",
    "other_captions",
    "other_references",
    "ranks",
    "reliability",
    "selection_effect",
    "slope",
    "turned_pairs",
    "uplift",
    "whole_test_set",
]
