"""Chapter 1, the modality gap: how do images and captions lie in the joint space, and what makes the gap?

No captioner is trained for this chapter; the small heads of its temperature experiment take seconds.
"""

from capdec_core.profiles import Profile
from capdec_core.studies.conditions import Condition
from capdec_core.studies.geometry_view import GeometryStudy
from capdec_core.studies.results import Results


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return none: the chapter measures embeddings."""
    return []


def view(profile: Profile, results: Results, device: str) -> GeometryStudy:
    """Return what the chapter shows; everything is computed when it is asked for."""
    return GeometryStudy(profile, results, device)
