"""A chapter 3 whose scores are made up: the scenes grid with mappers that behave as a test says."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from small_study import DIM, MATERIAL, Store

from capdec_core.profiles import load_profile
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.studies.heads_layers import grid
from capdec_core.studies.heads_layers_view import HeadsLayers
from capdec_core.studies.results import Results

Quality = Callable[[Condition], float]
STEPS, FLOOR = 20, 0.1


class MapperStore(Store):
    """Cells whose training loss falls from 2 to a level that the test says."""

    def __init__(self, quality: Quality, error: float, loss: Quality) -> None:
        super().__init__(lambda condition, cosine, source: _read(quality, condition), error)
        self.loss = loss

    def record(self, cell) -> dict:
        """Return a training record with losses; deeper mappers take longer."""
        condition = self.conditions[cell.id]
        level = self.loss(condition) + 0.01 * cell.seed
        losses = [*np.linspace(2, level, STEPS - 2), level - 0.005, level + 0.005]
        return super().record(cell) | {"losses": losses, "seconds": 2.0 * condition.mapper.layers + cell.seed}


def _read(quality: Quality, condition: Condition) -> float:
    return FLOOR if condition.family == "mapper control" else quality(condition)


def level(_: Condition) -> float:
    """A world in which no mapper is better than another."""
    return 0.8


def doublings(condition: Condition) -> float:
    """Return how often the baseline's 8 layers are doubled in the condition."""
    return float(np.log2(condition.mapper.layers / 8))


def make_study(quality: Quality = level, error: float = 0.2, loss: Quality = lambda _: 0.5) -> HeadsLayers:
    """Return the chapter of the scenes profile with made-up scores (own value of CIDEr) and final losses."""
    profile = load_profile("scenes")
    profile = replace(profile, statistics=replace(profile.statistics, resamples=200))
    store, cells = MapperStore(quality, error, loss), {}
    for condition in grid(profile, 3, DIM):
        cells[condition] = cells_of(condition, profile, MATERIAL)
        store.conditions |= {cell.id: condition for cell in cells[condition]}
    return HeadsLayers(profile, Results(cells, store, profile.statistics, DIM))
