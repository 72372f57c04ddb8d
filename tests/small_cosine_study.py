"""A chapter 4 whose scores are made up: the scenes grid with captioners that behave as a test says."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import torch
from small_study import DIM, MATERIAL, Store

from capdec_core.gap import Geometry
from capdec_core.noise import Perturbation, measure, variance_for_cosine
from capdec_core.profiles import load_profile
from capdec_core.studies import cosine_directed
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.studies.cosine_directed_grid import grid_rows
from capdec_core.studies.cosine_directed_view import CosineDirectedView
from capdec_core.studies.results import Results

ROWS = torch.nn.functional.normalize(torch.randn(64, DIM, generator=torch.Generator().manual_seed(5)), dim=1)
Quality = Callable[[Condition, float], float]


@cache
def cosine(noise: Perturbation) -> float:
    """The cosine that training with this noise would measure: the formula's, or where there is none a sample's."""
    expected = noise.describe(DIM)["expected_cosine"]
    return expected or measure(noise, ROWS, generator=torch.Generator().manual_seed(6))["cosine"]


class MeasuredStore(Store):
    """Stands in for the cell store; the cosine of directed noise is measured, since no formula gives it."""

    def record(self, cell) -> dict:
        """Return a training record."""
        return super().record(cell) | {"mean_cosine": cosine(self.conditions[cell.id].noise)}


def peaked(condition: Condition, at: float) -> float:
    """A world in which noise helps, most at cosine .55, whatever its kind."""
    return 0.3 + 0.4 * max(0.0, 1 - abs(at - 0.55) / 0.45)


def flat(condition: Condition, at: float) -> float:
    """A world in which every captioner is as good as any other."""
    return 0.0


def make_study(quality: Quality = peaked, error: float = 0.3, seeds: int = 3, **grid) -> CosineDirectedView:
    """Return the chapter of the scenes profile with made-up scores; `grid` changes its settings."""
    profile = load_profile("scenes")
    profile = replace(
        profile,
        cosine_directed=replace(profile.cosine_directed, **grid),
        statistics=replace(profile.statistics, resamples=200),
    )
    store = MeasuredStore(lambda condition, _, source: quality(condition, cosine(condition.noise)), error)
    cells = {}
    for condition in cosine_directed.conditions(profile, seeds):
        cells[condition] = cells_of(condition, profile, MATERIAL)
        for cell in cells[condition]:
            store.conditions.setdefault(cell.id, condition)
    law = variance_for_cosine(0.45, DIM)
    geometry = Geometry(100, 500, DIM, 0.45, 0.1, 0.8, 68.0, 35.0, {}, {}, law)
    results = Results(cells, store, profile.statistics, DIM)
    return CosineDirectedView(profile, results, geometry, tuple(grid_rows(profile, DIM, seeds)), ROWS)
