"""Chapter 10, the full grid: what paper scale takes on one GPU and on many, and what limits it.

Nothing is trained for this chapter: the cells of all others are its measurements. Their cost is set against what a
timing of some seconds predicted; by the same prediction the grid of profile `coco` is dealt to GPUs.
"""

from capdec_core.planning.choice import PAPER
from capdec_core.planning.cluster import Campaign, assumed
from capdec_core.planning.grid import grid
from capdec_core.planning.stored import measured
from capdec_core.planning.timings import speed_of
from capdec_core.profiles import Profile, load_profile
from capdec_core.studies import conclusions
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import Results
from capdec_core.studies.scaling_view import Scaling


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return the conditions of all other chapters, whose cells are what was measured."""
    return conclusions.conditions(profile, seeds)


def view(profile: Profile, results: Results, device: str) -> Scaling:
    """Return what the chapter shows."""
    speed = speed_of(profile.name, grid(profile).trained, device)
    return Scaling(profile, results, speed, campaign(results, device))


def campaign(results: Results, device: str) -> Campaign:
    """Return the whole grid of paper scale: at the speed of the GPU that is here, or of one that is assumed."""
    paper = load_profile(PAPER, "cuda")
    whole = grid(paper)
    speed = assumed() if device == "cpu" else speed_of(PAPER, whole.trained, device)
    return Campaign(paper, whole, speed, measured(whole.cells, results.store))
