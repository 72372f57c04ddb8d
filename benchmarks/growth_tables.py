"""Curves of what is made of scores: cells and tables, resamples, rankings, and images in pairs."""

import os
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.growth_curve import Curve, Prepare, Work, doubled, growing
from benchmarks.growth_fit import LINEAR, Theory
from benchmarks.growth_models import profile, shape
from capdec_core.cell import CellConfig, Evaluation
from capdec_core.files import write_json
from capdec_core.gap import geometry
from capdec_core.matching import matched_parameters
from capdec_core.metrics import bleu_from_statistics
from capdec_core.noise import Gaussian
from capdec_core.profiles import StatisticsSettings
from capdec_core.protocol import Captioners, Drawn, agreement_of_halves, as_published, draw, turned_pairs
from capdec_core.runner import Runner
from capdec_core.statistics import (
    bootstrap_interval,
    bootstrap_statistic,
    level_differences,
    paired_randomisation,
)
from capdec_core.store import CellStore
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import CORPUS, MEANS, Results

IMAGES, SEEDS, RESAMPLES, SYSTEMS, LEVELS = 400, 3, 500, 10, 6
TABLE_IMAGES, TABLE_RESAMPLES, CHOSEN, DIM = 50, 100, 15, 128
CAPTIONS_AN_IMAGE = 5

BLOCKS = Theory(1, "draws come in blocks of one size, and of each only its score is kept")
PAIRS = Theory(2, "every pair is looked at once", least=2)
ROWS_ONLY = Theory(1, "pairs are looked at block by block, and of each block only a number a row is kept")


class FinishedRunner(Runner):
    """A runner whose cells are all there already: what is left is to ask for each of them."""

    def __init__(self, store: CellStore) -> None:
        self.profile, self.store, self.device = profile(), store, "cpu"


def cells(count: int) -> list[CellConfig]:
    """Return cells that differ in their noise."""
    tables: dict[str, Any] = {
        name: {} for name in ("mapper", "language_model", "pretraining", "training", "decoding")
    }
    test = (Evaluation("test", "image", TABLE_IMAGES),)
    first = CellConfig("corpus", "encoder", "tokenizer", "text", {}, **tables, evaluations=test, seed=0)
    return [replace(first, bridge={"variance": float(i + 1)}) for i in range(count)]


def asking(size: int, device: str) -> Work:
    """Name `size` cells and find them computed and scored."""
    folder = _store(size)

    def work() -> None:
        FinishedRunner(CellStore(Path(folder.name))).compute(cells(size))

    return work


def table(size: int, device: str) -> Work:
    """Read the scores of `size` conditions of one cell each and make the chapter's table and the costs."""
    folder = _store(size)
    conditions = [Condition("growth", f"{i}", Gaussian(float(i + 1)), splits=("test",)) for i in range(size)]
    found = {condition: [cell] for condition, cell in zip(conditions, cells(size), strict=True)}

    def work() -> None:
        settings = StatisticsSettings(TABLE_RESAMPLES, 0)
        results = Results(found, CellStore(Path(folder.name)), settings, DIM)
        results.table()
        results.costs()

    return work


def _store(count: int) -> tempfile.TemporaryDirectory:
    """Return a folder of `count` finished cells, whose files are one and the same; it goes with its last user."""
    folder = tempfile.TemporaryDirectory()
    first, *others = (Path(folder.name) / cell.id for cell in cells(count))
    write_json(first / "record.json", _record())
    write_json(first / "scores.json", {"test/image": _scores()})
    for other in others:
        other.mkdir()
        for name in ("record.json", "scores.json"):
            os.link(first / name, other / name)
    return folder


def _record() -> dict[str, Any]:
    facts = {"mean_cosine": 0.5, "seconds": 1.0, "decoding_seconds": 0.1, "device": "cpu"}
    return facts | {"trainable_parameters": 1, "peak_memory": 1, "losses": [1.0] * profile().training.steps}


def _scores() -> dict[str, Any]:
    values = np.random.default_rng(0).random((TABLE_IMAGES, CAPTIONS_AN_IMAGE, CAPTIONS_AN_IMAGE))
    return {
        "corpus": dict.fromkeys((*MEANS, *CORPUS), 0.5),
        "per_image": {name: values[:, 0, 0].tolist() for name in (*MEANS, "METEOR", "BLEU-4")},
        "statistics": _counts(TABLE_IMAGES).tolist(),
        "similarities": values.round(4).tolist(),
        "signature": "",
    }


def _counts(images: int) -> np.ndarray:
    """Return BLEU's statistics of captions of ten words, of which most n-grams are right."""
    return np.tile([9, 7, 5, 3, 10, 9, 8, 7, 10, 10], (images, 1))


def interval(size: int, device: str, *, grows: str) -> Work:
    """Bootstrap a mean score such as CIDEr; `grows` is "resamples" or "images"."""
    resamples, images = (size, IMAGES) if grows == "resamples" else (RESAMPLES, size)
    scores = _matrix(SEEDS, images)
    return lambda: bootstrap_interval(scores, resamples=resamples, generator=np.random.default_rng(0))


def bleu_interval(size: int, device: str) -> Work:
    """Bootstrap corpus BLEU with `size` resamples."""
    statistics = _counts(IMAGES)

    def score(counts: np.ndarray) -> np.ndarray:
        return bleu_from_statistics(statistics, counts)[:, 3:]

    return lambda: bootstrap_statistic(
        score, images=IMAGES, resamples=size, generator=np.random.default_rng(0)
    )


def randomisation(size: int, device: str) -> Work:
    """Test the difference of two systems with `size` resamples."""
    a, b = _matrix(SEEDS, IMAGES), _matrix(SEEDS, IMAGES) + 0.01
    return lambda: paired_randomisation(a, b, resamples=size, generator=np.random.default_rng(0))


def differences(size: int, device: str) -> Work:
    """Test whether several levels differ at all with `size` resamples."""
    levels = list(_matrix(LEVELS * SEEDS, IMAGES).reshape(LEVELS, SEEDS, IMAGES))
    return lambda: level_differences(levels, resamples=size, generator=np.random.default_rng(0))


def protocol(size: int, device: str) -> Work:
    """Apply Study A's protocol to `size` resamples of the test set."""
    captioners = _captioners()
    rounds = {"published": as_published(captioners, CHOSEN)}
    return lambda: draw(rounds, captioners.owner, resamples=size, generator=np.random.default_rng(0))


def halves(size: int, device: str) -> Work:
    """Rank the systems on both halves of the test set, parted `size` times."""
    captioners = _captioners()
    rounds = as_published(captioners, CHOSEN)
    return lambda: agreement_of_halves(
        rounds, captioners.owner, halves=size, generator=np.random.default_rng(0)
    )


def turns(size: int, device: str) -> Work:
    """Find the pairs of `size` systems that two protocols rank in opposite order."""
    drawn = [Drawn(scores[0], scores) for scores in np.random.default_rng(0).random((2, RESAMPLES, size))]
    return lambda: turned_pairs(*drawn)


def pairs(size: int, device: str) -> Work:
    """Measure the gap of `size` images with five captions each, retrieval included."""
    generator = np.random.default_rng(0)
    images, captions = (generator.standard_normal((rows, DIM)) for rows in (size, CAPTIONS_AN_IMAGE * size))
    owners = np.repeat(np.arange(size), CAPTIONS_AN_IMAGE)
    return lambda: geometry(images, captions, owners)


def matching(size: int, device: str) -> Work:
    """Find the mapper of `size` layers that has a baseline's parameters."""
    baseline = shape(layers=2 * size).mapper
    return lambda: matched_parameters(baseline, size)


def _matrix(rows: int, images: int) -> np.ndarray:
    return np.random.default_rng(0).random((rows, images))


def _captioners() -> Captioners:
    return Captioners(_matrix(SYSTEMS * SEEDS, IMAGES), np.repeat(np.arange(SYSTEMS), SEEDS))


def of_tables() -> list[Curve]:
    """Return the curves of cells, layers to match, and things in pairs."""
    by_images = partial(interval, grows="images")
    build = Theory(1, "a mapper is built to be counted, layer by layer, some times")
    return [
        growing("cells", "Finding finished cells", "cells", doubled(32, 6), asking, LINEAR),
        growing("cells", "Results table", "conditions", doubled(64, 6), table, LINEAR),
        growing("cells", "Pairs that two rankings turn", "systems", doubled(8, 5), turns, PAIRS, ROWS_ONLY),
        growing("images", "Geometry and retrieval", "images", doubled(64, 6), pairs, PAIRS, ROWS_ONLY),
        growing("images", "Interval of a mean", "images", doubled(512, 6), by_images, LINEAR, BLOCKS),
        growing("layers", "Matching a mapper's size", "mapper layers", doubled(2, 5), matching, build),
    ]


def of_resamples() -> list[Curve]:
    """Return the curves of resamples."""
    by_resamples = partial(interval, grows="resamples")
    works: list[tuple[str, Prepare, tuple[int, ...]]] = [
        ("Interval of a mean", by_resamples, doubled(500, 6)),
        ("Interval of BLEU", bleu_interval, doubled(500, 6)),
        ("Randomisation test", randomisation, doubled(500, 6)),
        ("Differences of levels", differences, doubled(125, 6)),
        ("Study A's protocol", protocol, doubled(125, 6)),
    ]
    found = [
        growing("resamples", name, "resamples", sizes, work, LINEAR, BLOCKS) for name, work, sizes in works
    ]
    return [
        *found,
        growing("resamples", "Agreement of halves", "halvings", doubled(125, 6), halves, LINEAR),
    ]
