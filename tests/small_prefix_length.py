"""A chapter 5 whose scores are made up: the scenes grid with captioners as good as a test says."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache

import torch
from small_study import DIM, MATERIAL, Store

from capdec_core.mapper import MapperConfig, build_mapper
from capdec_core.profiles import load_profile
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.studies.prefix_length import conditions
from capdec_core.studies.prefix_length_view import PrefixLength
from capdec_core.studies.results import Results

LANGUAGE_MODEL = 80_000
RESAMPLES = 800
"""Enough that the smallest p-value survives the correction for all tests of the chapter."""
World = Callable[[str, bool, int], float]
"""From mapper, tuned or not, and k to the score of a captioner."""


class PrefixStore(Store):
    """A store whose records know sizes and losses."""

    def record(self, cell) -> dict:
        """Return a training record: losses fall with the score, sizes are the mappers' own."""
        condition = self.conditions[cell.id]
        score = self.quality(condition, 1.0, "image")
        size = parameters(condition) + (LANGUAGE_MODEL if condition.tuned else 0)
        return super().record(cell) | {"trainable_parameters": size, "losses": [3.0] * 90 + [2 - score] * 10}


def parameters(condition: Condition) -> int:
    """Return the number of weights of a condition's mapper."""
    width = load_profile("scenes").language_model.width
    with torch.device("meta"):
        mapper = build_mapper(MapperConfig(**asdict(condition.mapper), embedding_dim=DIM, width=width))
    return sum(weight.numel() for weight in mapper.parameters())


@cache
def make_study(world: World, error: float = 0.1, resamples: int = RESAMPLES) -> PrefixLength:
    """Return the chapter of the scenes profile with made-up scores; the same arguments give the same object."""
    profile = load_profile("scenes")
    profile = replace(profile, statistics=replace(profile.statistics, resamples=resamples))

    def quality(condition: Condition, at: float, source: str) -> float:
        mapper, tuning = condition.family.split(", ")
        return world(mapper, tuning == "tuned", int(condition.parameter))

    store = PrefixStore(quality, error)
    cells = {}
    for condition in conditions(profile, 3):
        cells[condition] = cells_of(condition, profile, MATERIAL)
        store.conditions |= {cell.id: condition for cell in cells[condition]}
    return PrefixLength(profile, Results(cells, store, profile.statistics, DIM))
