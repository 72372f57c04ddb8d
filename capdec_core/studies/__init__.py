"""Studies: one module a chapter, each with its grid, its contrasts and its claims.

A study module has `conditions(profile, seeds)`, its grid as a list of `Condition`, and
`view(profile, results, device)`, what the chapter's notebook shows (a `capdec_core.studies.view.StudyView`).
`grid_of` is the part of the grid that a profile's corpus can fill.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from capdec_core.corpora import trains_on_text
from capdec_core.errors import CapdecError
from capdec_core.profiles import Profile

if TYPE_CHECKING:
    from capdec_core.studies.conditions import Condition

NOTEBOOKS: dict[str, str] = {
    "geometry": "01_geometry",
    "noise_types": "02_noise_types",
    "heads_layers": "03_heads_layers",
    "cosine_directed": "04_cosine_directed",
    "prefix_length": "05_prefix_length",
    "decoding": "06_decoding",
    "bridges": "07_bridges",
    "protocol": "08_protocol",
    "conclusions": "09_conclusions",
    "scaling": "10_scaling",
}
"""Every study by the name that `make study NAME=` takes, with the chapter that tells it, in the book's order."""

GATHERING = ("conclusions", "scaling")
"""Those without an experiment of their own: they gather what the others have computed."""


def book_of(profile: Profile) -> dict[str, str]:
    """Return the studies of a profile's book with their notebooks: all, or those that it names.

    CapdecError names a study that there is not.
    """
    for name in profile.chapters or ():
        study_named(name)
    return {name: NOTEBOOKS[name] for name in NOTEBOOKS if name in (profile.chapters or NOTEBOOKS)}


def study_named(name: str) -> ModuleType:
    """Return a study's module; CapdecError names the right ones."""
    if name not in NOTEBOOKS:
        raise CapdecError(f"no study {name!r}; NAME is one of: {', '.join(NOTEBOOKS)}")
    return import_module(f"capdec_core.studies.{name}")


def grid_of(name: str, profile: Profile, seeds: int) -> "list[Condition]":
    """Return a study's conditions; where the training split is text only, those that take no training image.

    CapdecError for a study that there is not, or, in that case, one that the profile's book leaves out.
    """
    found: list[Condition] = study_named(name).conditions(profile, seeds)
    if not trains_on_text(profile.corpus.name):
        return found
    if name not in book_of(profile):
        raise CapdecError(
            f"the study {name!r} is not in the book of {profile.name}, whose corpus trains on captions without "
            f"photographs; it has: {', '.join(book_of(profile))}"
        )
    return [condition for condition in found if not condition.needs_images]


def run(name: str, profile: str, device: str = "cpu", seeds: int | None = None) -> Any:
    """Return what a chapter shows; cells that the store lacks are computed first.

    `seeds` (the profile's, where None) is the number of trainings of each headline condition.
    """
    from capdec_core.studies.running import run_study

    return run_study(name, profile, device, seeds)
