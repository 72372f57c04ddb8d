"""A chapter 1 of made-up measures: heads whose gap follows the scale as a test says, and made pairs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from capdec_core.gap import Geometry
from capdec_core.gap.files import Pairs
from capdec_core.gap.heads import KINDS, HeadRun
from capdec_core.profiles import load_profile
from capdec_core.store import CellStore
from capdec_core.studies.geometry_view import GeometryStudy
from capdec_core.studies.results import Results

Gap = Callable[[str, float], float]
"""Maps a kind of heads and a scale to the gap norm after training."""


def made_pairs(images: int = 40, captions: int = 3, d: int = 16, gap: float = 1.0) -> Pairs:
    """Pairs with a constant gap and noise between image and caption."""
    rng = np.random.default_rng(0)
    meaning, owners = rng.normal(size=(images, d)), np.repeat(np.arange(images), captions)
    offset = gap * np.linspace(-1, 1, d)
    texts = meaning[owners] + 0.4 * rng.normal(size=(len(owners), d)) - offset
    return (meaning + offset).astype(np.float32), texts.astype(np.float32), owners


def geometry_of(gap: float, matched: float = 0.5) -> Geometry:
    """A geometry of which only these two numbers matter."""
    return Geometry(40, 120, 16, matched, 0.1, gap, 1.0, 1.0, {1: 0.5}, {1: 0.4}, 0.1)


def made_heads(gap: Gap, error: float = 0.01, seeds: int = 3, scales: tuple = (10, 30, 100)) -> list[HeadRun]:
    """Heads of both kinds at three scales, each seed a little off."""
    rng = np.random.default_rng(0)
    return [
        HeadRun(
            kind, scale, seed, geometry_of(0.7), geometry_of(gap(kind, scale) + error * rng.normal()), 0.4
        )
        for kind in KINDS
        for scale in scales
        for seed in range(seeds)
    ]


def make_study(gap: Gap, pairs: Pairs | None = None, seeds: int = 3, error: float = 0.01) -> GeometryStudy:
    """Return the chapter with made-up heads and pairs; nothing is embedded or trained."""
    profile = load_profile("scenes")
    profile = replace(profile, statistics=replace(profile.statistics, resamples=100))
    study = GeometryStudy(profile, Results({}, CellStore(Path("nowhere")), profile.statistics, 16), "cpu")
    study.__dict__.update(heads=made_heads(gap, error, seeds), pairs=made_pairs() if pairs is None else pairs)
    return study
