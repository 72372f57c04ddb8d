"""A chapter 8 whose scores are made up: what is luck, what suits the baseline and what helps all is said by a test."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from small_study import IMAGES, MATERIAL, Store

from capdec_core.profiles import load_profile
from capdec_core.studies import protocol
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.studies.pretrained_capdec import BASELINE_VARIANCE
from capdec_core.studies.protocol_view import ProtocolStudy
from capdec_core.studies.results import Results

CAPTIONS, REFERENCES = 5, 5


@dataclass(frozen=True)
class World:
    """Standard deviations over images of a score's parts: luck of one training, its captions' own, what suits a
    family, and what makes an image easy for all; `quality` is a condition's mean."""

    quality: Callable[[Condition], float] = lambda condition: 0.5
    luck: float = 0.1
    captions: float = 0.1
    suits: float = 0.0
    easy: float = 0.1


def normal(key: str, *shape: int) -> np.ndarray:
    """Standard normal numbers that depend on the key alone."""
    return np.random.default_rng(list(key.encode())).standard_normal(shape)


class CosineStore(Store):
    """Cells whose MiniLM cosines follow a `World`."""

    def __init__(self, world: World) -> None:
        super().__init__(lambda condition, at, source: world.quality(condition), 0.1)
        self.world = world

    def _table(self, cell, split: str, source: str) -> dict:
        table, world, condition = super()._table(cell, split, source), self.world, self.conditions[cell.id]
        images, own = IMAGES[split], f"{condition.label} {cell.seed} {split}"
        mean = world.quality(condition) + world.easy * normal(f"easy {split}", images)
        family = "baseline" if is_baseline(condition) else condition.family
        mean = mean + world.suits * normal(f"{family} {split}", images) + world.luck * normal(own, images)
        captions = world.captions * normal(f"{own} captions", images, CAPTIONS, 1)
        cosines = mean[:, None, None] + captions + np.zeros((1, 1, REFERENCES))
        table["similarities"] = cosines.tolist()
        table["per_image"]["MiniLM"] = cosines.mean(axis=(1, 2)).tolist()
        return table


def is_baseline(condition: Condition) -> bool:
    """Whether a condition stands for the pre-trained CapDec."""
    return condition.family == "gaussian" and condition.parameter == BASELINE_VARIANCE


@cache
def grid(seeds: int) -> tuple[Condition, ...]:
    """The chapter's conditions at the scenes profile."""
    return tuple(protocol.conditions(load_profile("scenes"), seeds))


def make_protocol(world: World, seeds: int = 3, resamples: int = 400) -> ProtocolStudy:
    """Return chapter 8 of the scenes profile in this world, with 15 of 80 test images chosen."""
    profile = load_profile("scenes")
    profile = replace(
        profile,
        statistics=replace(profile.statistics, resamples=resamples),
        protocol=replace(profile.protocol, halves=20),
    )
    store = CosineStore(world)
    cells = {}
    for condition in grid(seeds):
        cells[condition] = cells_of(condition, profile, MATERIAL)
        for cell in cells[condition]:
            store.conditions.setdefault(cell.id, condition)
    return protocol.view(profile, Results(cells, store, profile.statistics, MATERIAL.dim), "cpu")
