"""Results of a study's conditions: score matrices from the store, and the tidy table of a chapter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from capdec_core.cell import CellConfig
from capdec_core.metrics import bleu_from_statistics
from capdec_core.profiles import StatisticsSettings
from capdec_core.statistics import Estimate, bootstrap_interval, bootstrap_statistic
from capdec_core.store import CellStore
from capdec_core.studies.conditions import Condition

MEANS = ("CIDEr", "ROUGE-L", "MiniLM")
"""Metrics whose corpus score is the mean of their per-image scores."""
CORPUS = ("METEOR", "CHAIRi", "distinct-2", "identical", "length")
"""Metrics shown without an interval, as the mean over seeds of the corpus score."""


@dataclass(frozen=True)
class Results:
    """Scores of conditions, read from the store.

    Attributes:
        cells: each condition's cells, one a seed; all are scored.
        store: where the cells are.
        statistics: resamples and seed of every interval.
        dim: the joint embedding's dimension d.
    """

    cells: Mapping[Condition, Sequence[CellConfig]]
    store: CellStore
    statistics: StatisticsSettings
    dim: int

    def scores(self, condition: Condition, split: str = "test") -> list[dict[str, Any]]:
        """Return one score table a seed."""
        return [self.store.scores(cell)[condition.evaluation(split)] for cell in self.cells[condition]]

    def matrix(self, condition: Condition, metric: str, split: str = "test") -> np.ndarray:
        """Return per-image scores (seeds, images)."""
        return np.array([table["per_image"][metric] for table in self.scores(condition, split)])

    def corpus(self, condition: Condition, metric: str, split: str = "test") -> float:
        """Return the corpus score, averaged over seeds."""
        return float(np.mean([table["corpus"][metric] for table in self.scores(condition, split)]))

    def captions(self, condition: Condition, split: str = "test") -> dict[str, str]:
        """Return {image id: caption} of the first seed."""
        found = self.store.captions(self.cells[condition][0])[condition.evaluation(split)]
        return {image: captions[0] for image, captions in found.items()}

    def cosine(self, condition: Condition) -> float:
        """Return the mean cosine between a training embedding and its perturbed copy, measured in training."""
        return float(np.mean([self.store.record(cell)["mean_cosine"] for cell in self.cells[condition]]))

    def generator(self) -> np.random.Generator:
        """Return the generator of one interval: every interval draws the same resamples."""
        return np.random.default_rng(self.statistics.seed)

    def interval(self, condition: Condition, metric: str, split: str = "test") -> Estimate:
        """Return a metric's value with its interval over images and seeds."""
        options: dict[str, Any] = {"resamples": self.statistics.resamples, "generator": self.generator()}
        if metric in MEANS:
            return bootstrap_interval(self.matrix(condition, metric, split), **options)
        if metric == "BLEU-4":
            tables = [np.array(table["statistics"]) for table in self.scores(condition, split)]
            return bootstrap_statistic(
                lambda counts: _bleu4(tables, counts), images=len(tables[0]), **options
            )
        raise ValueError(f"no interval for {metric}")

    def best(self, conditions: Sequence[Condition], metric: str = "CIDEr") -> Condition:
        """Return the condition with the highest score on the validation split."""
        return max(conditions, key=lambda condition: self.corpus(condition, metric, "val"))

    def row(self, condition: Condition) -> dict[str, Any]:
        """Return the condition's line of the chapter's table: its noise in the one currency, and its scores."""
        told = condition.noise.describe(self.dim)
        noisy = condition.train_on != "blank"
        row: dict[str, Any] = {
            "family": condition.family,
            "label": condition.label,
            "parameter": condition.parameter,
            "variance": told["variance"] if noisy else None,
            "std": told["std"] if noisy else None,
            "noise_norm": told["expected_norm"] if noisy else None,
            "cosine": self.cosine(condition) if noisy else None,
            "seeds": condition.seeds,
            "val CIDEr": self.corpus(condition, "CIDEr", "val"),
        }
        for metric in (*MEANS, "BLEU-4"):
            estimate = self.interval(condition, metric)
            row |= {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
        return row | {metric: self.corpus(condition, metric) for metric in CORPUS}

    def table(self) -> pd.DataFrame:
        """Return the tidy table, one row a condition, in the grid's order."""
        return pd.DataFrame([self.row(condition) for condition in self.cells]).astype({"parameter": float})

    def costs(self) -> pd.DataFrame:
        """Return one row a cell: what it cost and how large it is."""
        keys = ("seconds", "decoding_seconds", "trainable_parameters", "peak_memory", "device")
        records = [(cell, self.store.record(cell)) for cells in self.cells.values() for cell in cells]
        rows = {cell.id: {"cell": cell.id} | {key: facts[key] for key in keys} for cell, facts in records}
        return pd.DataFrame(list(rows.values()))


def _bleu4(tables: Sequence[np.ndarray], counts: np.ndarray) -> np.ndarray:
    return np.stack([bleu_from_statistics(table, counts)[:, 3] for table in tables], axis=1)
