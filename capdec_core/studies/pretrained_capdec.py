"""Study A's baseline, pre-trained CapDec: the published captioner where a profile names it, else one trained here."""

from capdec_core.noise import Gaussian
from capdec_core.profiles import Profile
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import Results

PRETRAINED = "pretrained"
LABEL = "Pre-trained CapDec"
BASELINE_VARIANCE = 0.05
"""Variance of the pre-trained CapDec that Study A compares with ("N(0, 0.05)")."""


def pretrained_capdec(profile: Profile) -> list[Condition]:
    """Return the published captioner as a condition, alone, or none where the profile names none.

    It is decoded from images of both splits in every chapter that shows it, so that all share its cell.
    """
    wanted = profile.pretrained_capdec
    if wanted is None:
        return []
    return [Condition(PRETRAINED, LABEL, Gaussian(wanted.variance), wanted.variance, checkpoint=wanted)]


def published(results: Results) -> list[Condition]:
    """Return the published captioner among a study's conditions, alone, or none."""
    return [condition for condition in results.cells if condition.checkpoint is not None]


def retrained(results: Results) -> Condition:
    """Return what is trained here as the baseline was: Gaussian noise of its variance."""
    return results.named("gaussian", BASELINE_VARIANCE)


def baseline_of(results: Results) -> Condition:
    """Return Study A's baseline: the published captioner, or else what is trained here as it was."""
    found = published(results)
    return found[0] if found else retrained(results)
