"""A chapter 7 whose scores are made up: what a way over the gap is worth is said by a test."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from small_study import DIM, IMAGES, MATERIAL, Store

from capdec_core.bridges import MemoryProjection, ShapedNoise
from capdec_core.cell import CellConfig
from capdec_core.noise import Gaussian, cosine_for_variance, variance_for_cosine
from capdec_core.profiles import load_profile
from capdec_core.studies.bridges import conditions
from capdec_core.studies.bridges_law import CAPTIONS as ALIKE
from capdec_core.studies.bridges_law import CENTRED, MATCHED
from capdec_core.studies.bridges_view import Bridges
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.studies.results import Results

CAPTIONS = 20_000
"""Training captions of the made-up corpus."""
EACH = 4 * DIM + 8
"""Bytes of a remembered caption."""
Worth = Callable[[Condition], float]


def curve(condition: Condition, best: float = 0.004, height: float = 0.8) -> float:
    """Plain Gaussian noise is best at this variance and halves within four doublings."""
    variance = condition.parameter or 1e-5
    return height * 2 ** -((np.log2(variance / best) / 4) ** 2)


def world(levels: dict[str, float] | None = None, best: float = 0.004) -> Worth:
    """Return what a condition is worth: its family's level; Gaussian noise follows `curve`, all else .5."""
    table = {"none": 0.2, "trained on images": 1.0, "nearest caption": 0.3} | (levels or {})

    def worth(condition: Condition) -> float:
        if condition.family == "gaussian" and "gaussian" not in table:
            return curve(condition, best)
        return table.get(condition.family, 0.5)

    return worth


class BridgeStore(Store):
    """Cells of any bridge whose scores follow a `Worth`."""

    def __init__(self, worth: Worth, error: float) -> None:
        super().__init__(lambda condition, at, source: worth(condition), error)

    def record(self, cell) -> dict:
        """Return a record, with what the bridge keeps and its noise as it would have been measured."""
        bridge = self.conditions[cell.id].across
        held = next((m.size or CAPTIONS for m in bridge.moves if isinstance(m, MemoryProjection)), 0)
        found = {
            "mean_cosine": _cosine(bridge.noise),
            "losses": [2.0, 1.0],
            "seconds": 10.0 + cell.seed,
            "decoding_seconds": 1.0,
            "trainable_parameters": 0 if bridge.retrieves else 10**6,
            "peak_memory": 2**30,
            "device": "cpu",
            "versions": {"torch": "2.9"},
            "bridge": {"memory": held * EACH},
        }
        if bridge.learns:
            variance = variance_for_cosine(_cosine(bridge.noise), DIM)
            found["bridge"] |= {"variance": variance, "std": variance**0.5, "norm": (DIM * variance) ** 0.5}
            found["bridge"]["cosine"] = _cosine(bridge.noise)
        if isinstance(cell, CellConfig):
            return found
        return found | {"images_per_second": 500.0 if bridge.moves else 800.0}

    def _table(self, cell, split: str, source: str) -> dict:
        condition = self.conditions[cell.id]
        own = np.random.default_rng(list(f"{condition.label} {cell.seed} {split} {source}".encode()))
        shared = np.random.default_rng(7).normal(0, 0.3, IMAGES[split])
        mean = self.quality(condition, 1.0, source) + self.error * own.normal(0, 0.01)
        images = mean + self.error * (shared + own.normal(0, 0.1, IMAGES[split]))
        hits = np.clip(images[:, None] * [6, 4, 3, 2], 0, [10, 9, 8, 7]).astype(int)
        counts = np.hstack([hits, np.tile([10, 9, 8, 7, 10, 10], (len(hits), 1))])
        corpus = dict.fromkeys(["METEOR", "CHAIRi", "distinct-2", "identical", "length"], 0.25)
        return {
            "per_image": dict.fromkeys(["CIDEr", "ROUGE-L", "MiniLM"], images.tolist()),
            "corpus": corpus | {"CIDEr": float(np.mean(images))},
            "statistics": counts.tolist(),
            "signature": f"split:scenes/{split}",
        }


def _cosine(noise) -> float:
    if isinstance(noise, ShapedNoise):
        return noise.cosine or 0.6
    return cosine_for_variance(noise.variance, DIM) if isinstance(noise, Gaussian) else 1.0


def make_bridges(
    worth: Worth | None = None, matched: float = 0.57, error: float = 0.3, seeds: int = 3, **grid
) -> Bridges:
    """Return the chapter of the scenes profile with made-up scores; `grid` changes its settings."""
    profile = load_profile("scenes")
    profile = replace(
        profile,
        bridges=replace(profile.bridges, **grid),
        statistics=replace(profile.statistics, resamples=600),
    )
    store, cells = BridgeStore(worth or world(), error), {}
    for condition in conditions(profile, seeds):
        cells[condition] = cells_of(condition, profile, MATERIAL)
        for cell in cells[condition]:
            store.conditions.setdefault(cell.id, condition)
    cosines = {MATCHED: matched, CENTRED: 0.65, ALIKE: 0.9}
    spaces = dict.fromkeys((None, *profile.calibration.dims), cosines)
    return Bridges(profile, Results(cells, store, profile.statistics, DIM), spaces)
