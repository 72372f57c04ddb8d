"""From a study's grid to its view: missing cells computed, scores read."""

from collections.abc import Sequence

from capdec_core import paths
from capdec_core.device import devices_of
from capdec_core.profiles import Profile, load_profile
from capdec_core.runner import Runner
from capdec_core.store import CellStore
from capdec_core.studies import grid_of, study_named
from capdec_core.studies.conditions import Condition, all_cells, cells_of, wanted_by
from capdec_core.studies.results import Results
from capdec_core.studies.view import StudyView


def run_study(name: str, profile_name: str, device: str, seeds: int | None) -> StudyView:
    """Return a study's view, of several devices on the first; `seeds` (None: the profile's) for headline conditions."""
    profile = load_profile(profile_name, device)
    results = results_of(profile, grid_of(name, profile, seeds or profile.seeds), device)
    view: StudyView = study_named(name).view(profile, results, devices_of(device)[0])
    return view


def results_of(profile: Profile, conditions: Sequence[Condition], device: str) -> Results:
    """Return the conditions' scores; cells that the store lacks are computed first."""
    store = CellStore(paths.CELLS)
    runner = Runner(profile, store, device, wanted_by(conditions))
    runner.compute(all_cells(conditions, profile, runner.material))
    cells = {condition: cells_of(condition, profile, runner.material) for condition in conditions}
    return Results(cells, store, profile.statistics, runner.material.dim)
