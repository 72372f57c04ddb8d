"""Chapter 9, conclusions: every claim that the other chapters test, in one ledger.

Nothing is trained or tested here: the verdicts are the chapters' own, computed anew from the same cells.
"""

from dataclasses import replace

from capdec_core.profiles import Profile
from capdec_core.studies import GATHERING, book_of, grid_of, study_named
from capdec_core.studies.conclusions_view import Conclusions
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import Results
from capdec_core.studies.view import StudyView


def chapters(profile: Profile) -> list[str]:
    """Return the studies whose claims are collected, in the book's order."""
    return [name for name in book_of(profile) if name not in GATHERING]


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return the conditions of all other chapters, each once."""
    found = (c for name in chapters(profile) for c in grid_of(name, profile, seeds))
    return list(dict.fromkeys(found))


def view(profile: Profile, results: Results, device: str) -> Conclusions:
    """Return what the chapter shows."""
    seeds = results.named("none").seeds  # a headline condition of chapter 2
    told = {name: _chapter(name, profile, results, device, seeds) for name in chapters(profile)}
    return Conclusions(profile, results, told)


def _chapter(name: str, profile: Profile, results: Results, device: str, seeds: int) -> StudyView:
    """Return another chapter's view, with that chapter's conditions alone."""
    cells = {condition: results.cells[condition] for condition in grid_of(name, profile, seeds)}
    return study_named(name).view(profile, replace(results, cells=cells), device)
