"""A chapter 6 whose scores are made up: the scenes grid with ways of decoding that do as a test says."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from small_study import DIM, MATERIAL

from capdec_core.cell import Decoded
from capdec_core.decoding import Sampling, decoding_from_dict
from capdec_core.profiles import load_profile
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.studies.decoding import conditions
from capdec_core.studies.decoding_names import name
from capdec_core.studies.decoding_view import DecodingStudy
from capdec_core.studies.results import Results

IMAGES = 60
SEED_EFFECTS = (0.0, 0.5, -0.4)
"""What a training happens to be worth, in CIDEr: far more than any way of decoding is."""
Quality = Callable[[str, str], float]


class Store:
    """Stands in for the cell store; `quality` maps captioner and way of decoding to mean CIDEr.

    `objects` says whether the images' objects are known.
    """

    def __init__(self, quality: Quality, objects: bool = True) -> None:
        self.quality, self.objects = quality, objects
        self.conditions: dict[str, Condition] = {}

    def told(self, cell) -> tuple[str, str]:
        """Return captioner and way of decoding."""
        way = name(decoding_from_dict(cell.decoding)) if isinstance(cell, Decoded) else "beam 5"
        return self.conditions[cell.id].family, way

    def record(self, cell) -> dict:
        """Return a record; beams are the slower the wider, seeds differ by a tenth."""
        _, way = self.told(cell)
        slow = float(way.removeprefix("beam ")) if way.startswith("beam") else 1.0
        return {
            "mean_cosine": 0.5,
            "seconds": 10.0,
            "decoding_seconds": 1.0,
            "images_per_second": 1000 / slow * (1 + 0.1 * cell.seed),
            "trainable_parameters": 10**6,
            "peak_memory": 2**30,
            "device": "cpu",
            "threads": 1,
            "versions": {"torch": "2.9"},
        }

    def captions(self, cell) -> dict:
        """Return {evaluation: {image id: captions}}; greedy search and beam 1 say the same, others another thing."""
        _, way = self.told(cell)
        said = "greedy search" if way == "beam 1" else way
        return {e.key: {f"scenes-test-{i:06d}": [f"<{said}>"] for i in range(400)} for e in cell.evaluations}

    def scores(self, cell) -> dict:
        """Return {evaluation: scores}; an image is worth the same to all, and a training to all its ways."""
        return {e.key: self._table(cell) for e in cell.evaluations}

    def _table(self, cell) -> dict:
        captioner, way = self.told(cell)
        own = np.random.default_rng(list(f"{captioner} {way} {cell.seed}".encode()))
        shared = np.random.default_rng(7).normal(0, 0.3, IMAGES)
        images = self.quality(captioner, way) + SEED_EFFECTS[cell.seed] + shared + own.normal(0, 0.05, IMAGES)
        hits = np.clip(2 + images[:, None] * [2, 1, 1, 1], 0, [10, 9, 8, 7]).astype(int)
        counts = np.hstack([hits, np.tile([10, 9, 8, 7, 10, 10], (len(hits), 1))])
        corpus = dict.fromkeys(["METEOR", "CHAIRs", "distinct-1", "identical"], 0.25)
        corpus |= {"CIDEr": float(images.mean()), "vocabulary": 50.0, "length": 9.5}
        corpus["distinct-2"] = 0.01 * len(way) + 0.001 * cell.seed
        decoding = decoding_from_dict(cell.decoding) if isinstance(cell, Decoded) else None
        if decoding is None or isinstance(decoding, Sampling):
            corpus["self-BLEU"] = 0.9 if decoding is None else 0.3
        per_image = dict.fromkeys(["CIDEr", "ROUGE-L", "MiniLM"], images.tolist())
        if self.objects:
            per_image |= {"mentioned objects": [2.0, 0.0] * (IMAGES // 2)}
            per_image |= {"hallucinated objects": [1.0, 0.0, 0.0, 0.0] * (IMAGES // 4)}
        return {
            "per_image": per_image,
            "corpus": corpus,
            "statistics": counts.tolist(),
            "ids": list(range(IMAGES)),
            "signature": f"decoding:{way}",
        }


def make_study(quality: Quality, objects: bool = True, **grid) -> DecodingStudy:
    """Return the chapter of the scenes profile with made-up scores; `grid` changes its settings."""
    profile = load_profile("scenes")
    profile = replace(
        profile,
        decoding_grid=replace(profile.decoding_grid, **grid),
        statistics=replace(profile.statistics, resamples=2000),
    )
    store, cells = Store(quality, objects), {}
    for condition in conditions(profile, 3):
        cells[condition] = cells_of(condition, profile, MATERIAL)
        store.conditions |= {cell.id: condition for cell in cells[condition]}
    return DecodingStudy(profile, Results(cells, store, profile.statistics, DIM))
