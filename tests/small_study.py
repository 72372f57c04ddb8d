"""A chapter 2 whose scores are made up: the scenes grid with captioners that behave as a test says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from capdec_core.gap import Geometry
from capdec_core.material import Material
from capdec_core.noise import variance_for_cosine
from capdec_core.profiles import EncoderSettings, load_profile
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.studies.noise_types import conditions
from capdec_core.studies.noise_types_view import NoiseTypes
from capdec_core.studies.results import Results

DIM = 512
IMAGES = {"val": 40, "test": 80}
ENCODER = EncoderSettings("miniature")
_WHOLE = Material("corpus", "encoder", "tokenizer", DIM, 100, {}, Path("nowhere"), ENCODER)
_DIMS = [dim for name in ("scenes", "smoke") for dim in load_profile(name).calibration.dims]
MATERIAL = replace(
    _WHOLE, reduced={dim: replace(_WHOLE, encoder=f"reduced to {dim}", dim=dim) for dim in _DIMS}
)
Quality = Callable[[Condition, float, str], float]


class Store:
    """Stands in for the cell store: what each cell's captioner would have scored."""

    def __init__(self, quality: Quality, error: float) -> None:
        self.quality, self.error = quality, error
        self.conditions: dict[str, Condition] = {}

    def record(self, cell) -> dict:
        """Return a training record."""
        return {
            "mean_cosine": cosine(self.conditions[cell.id]),
            "seconds": 10.0,
            "decoding_seconds": 1.0,
            "trainable_parameters": 10**6,
            "peak_memory": 2**30,
            "device": "cpu",
            "versions": {"torch": "2.9"},
        }

    def scores(self, cell) -> dict:
        """Return {evaluation: scores}, drawn anew but the same for the same cell and evaluation."""
        return {e.key: self._table(cell, e.split, e.source) for e in cell.evaluations}

    def captions(self, cell) -> dict:
        """Return {evaluation: {image id: captions}}."""
        return {
            e.key: {f"scenes-{e.split}-{i:06d}": ["a <dog>"] for i in range(IMAGES[e.split])}
            for e in cell.evaluations
        }

    def _table(self, cell, split: str, source: str) -> dict:
        condition = self.conditions[cell.id]
        mean = self.quality(condition, cosine(condition), source)
        own = np.random.default_rng(list(f"{condition.label} {cell.seed} {split} {source}".encode()))
        shared = np.random.default_rng(7).normal(0, 0.3, IMAGES[split])
        images = mean + self.error * (shared + own.normal(0, 0.1, IMAGES[split]) + own.normal(0, 0.01))
        hits = np.clip(images[:, None] * [6, 4, 3, 2], 0, [10, 9, 8, 7]).astype(int)
        counts = np.hstack([hits, np.tile([10, 9, 8, 7, 10, 10], (len(hits), 1))])
        per_image = {"CIDEr": images.tolist(), "ROUGE-L": images.tolist(), "MiniLM": images.tolist()}
        corpus = dict.fromkeys(["METEOR", "CHAIRi", "distinct-2", "identical", "length"], 0.25)
        corpus |= {"CIDEr": float(np.mean(images))}
        return {
            "per_image": per_image,
            "corpus": corpus,
            "statistics": counts.tolist(),
            "signature": f"split:scenes/{split}",
        }


def cosine(condition: Condition) -> float:
    """Return the cosine of a condition's noise; the gradient's is a random direction's."""
    told = condition.noise.describe(DIM)
    norm = told["expected_norm"] or 0.0
    return told["expected_cosine"] or 1 / np.sqrt(1 + norm**2)


def peaked(condition: Condition, at: float, source: str) -> float:
    """A world as the calibration law has it: reading images is best at cosine .45, reading texts at 1."""
    if condition.family in ("shuffled", "language model alone"):
        return 0.15
    if condition.family == "trained on images":
        return 1.2
    if source == "text":
        return 0.3 + 1.1 * at
    return 0.2 + 0.7 * np.exp(-(((np.arccos(at) - np.arccos(0.45)) / 0.7) ** 2)) * (at > 0.1)


def flat(condition: Condition, at: float, source: str) -> float:
    """A world in which every captioner is as good as any other."""
    return 0.0


def make_study(quality: Quality = peaked, matched: float = 0.45, error: float = 0.3, **grid) -> NoiseTypes:
    """Return the chapter of the scenes profile with made-up scores; `grid` changes its noise settings."""
    profile = load_profile("scenes")
    profile = replace(
        profile,
        noise_types=replace(profile.noise_types, **grid),
        statistics=replace(profile.statistics, resamples=400),
    )
    store = Store(quality, error)
    cells = {}
    for condition in conditions(profile, 3):
        cells[condition] = cells_of(condition, profile, MATERIAL)
        store.conditions |= {cell.id: condition for cell in cells[condition]}
    law = variance_for_cosine(matched, DIM) if matched > 0 else float("nan")
    geometry = Geometry(100, 500, DIM, matched, 0.1, 0.8, 10.0, 10.0, {}, {}, law)
    return NoiseTypes(profile, Results(cells, store, profile.statistics, DIM), geometry)
