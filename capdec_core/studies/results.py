"""Results of a study's conditions: score matrices from the store, and the tidy table of a chapter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from capdec_core.cell import StoredCell
from capdec_core.metrics import bleu_from_statistics
from capdec_core.noise import Perturbation
from capdec_core.profiles import StatisticsSettings
from capdec_core.statistics import Estimate, Statistic, bootstrap_interval, bootstrap_statistic
from capdec_core.store import CellStore
from capdec_core.studies.conditions import Condition

MEANS = ("CIDEr", "ROUGE-L", "MiniLM")
"""Metrics whose corpus score is the mean of their per-image scores."""
BLEU = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4")
"""Metrics recomputed from n-gram counts summed over the drawn images."""
CORPUS = ("METEOR", "CHAIRi", "distinct-2", "identical", "length")
"""Metrics shown without an interval, as the mean over seeds of the corpus score; CHAIRi where objects are known."""

END = 0.1
"""The training loss at the end is the mean over this last share of the steps, since one batch says little."""


@dataclass(frozen=True)
class Results:
    """Scores of conditions, read from the store.

    Attributes:
        cells: each condition's cells, one a seed; all are scored.
        store: where the cells are.
        statistics: resamples and seed of every interval.
        dim: the joint embedding's dimension d.
    """

    cells: Mapping[Condition, Sequence[StoredCell]]
    store: CellStore
    statistics: StatisticsSettings
    dim: int
    _read: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)
    _intervals: dict[tuple, Estimate] = field(default_factory=dict, repr=False, compare=False)

    def named(self, family: str, parameter: float | None = None) -> Condition:
        """Return the condition of a family with this parameter (the first, where None); StopIteration if none."""
        return next(c for c in self.cells if c.family == family and parameter in (None, c.parameter))

    def ids(self, condition: Condition) -> tuple[str, ...]:
        """Return the ids of a condition's cells, one a seed."""
        return tuple(cell.id for cell in self.cells[condition])

    def scores(self, condition: Condition, split: str = "test") -> list[dict[str, Any]]:
        """Return one score table a seed: what the store has, numbers of single images as arrays, no similarities."""
        return [self._scores(cell)[condition.evaluation(split)] for cell in self.cells[condition]]

    def _scores(self, cell: StoredCell) -> dict[str, Any]:
        if cell.id not in self._read:
            self._read[cell.id] = {name: _packed(table) for name, table in self.store.scores(cell).items()}
        return self._read[cell.id]

    def similarities(self, condition: Condition, split: str = "test") -> np.ndarray:
        """Return MiniLM's cosines (seeds, images, captions, references), to four decimals; read anew each time."""
        tables = [self.store.scores(cell)[condition.evaluation(split)] for cell in self.cells[condition]]
        return np.array([table["similarities"] for table in tables])

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

    def records(self, condition: Condition) -> list[dict[str, Any]]:
        """Return one record a seed: losses, measured cosine, cost, versions."""
        return [self.store.record(cell) for cell in self.cells[condition]]

    def final_losses(self, condition: Condition) -> list[float]:
        """Return each seed's training loss (nats a token) at the end: the mean over the last tenth of the steps."""
        losses = [record["losses"] for record in self.records(condition)]
        return [float(np.mean(run[-max(1, round(END * len(run))) :])) for run in losses]

    def seconds(self, condition: Condition) -> float:
        """Return the median over seeds of a cell's seconds of training and decoding."""
        return float(np.median([record["seconds"] for record in self.records(condition)]))

    def cosine(self, condition: Condition) -> float:
        """Return the mean cosine between a training embedding and its perturbed copy, measured in training."""
        return float(np.mean([record["mean_cosine"] for record in self.records(condition)]))

    def generator(self) -> np.random.Generator:
        """Return the generator of one interval: every interval draws the same resamples."""
        return np.random.default_rng(self.statistics.seed)

    def resampling(self) -> dict[str, Any]:
        """Return what every interval and test takes: `resamples` and a fresh `generator`."""
        return {"resamples": self.statistics.resamples, "generator": self.generator()}

    def interval(self, condition: Condition, metric: str, split: str = "test") -> Estimate:
        """Return a metric's value with its interval over images and seeds; ValueError where none can be made."""
        key = (self.ids(condition), condition.evaluation(split), metric)
        if key not in self._intervals:
            self._intervals[key] = self._interval(condition, metric, split)
        return self._intervals[key]

    def _interval(self, condition: Condition, metric: str, split: str) -> Estimate:
        if metric in MEANS:
            return bootstrap_interval(self.matrix(condition, metric, split), **self.resampling())
        statistic = self.bleu(condition, metric, split)
        images = len(self.scores(condition, split)[0]["statistics"])
        return bootstrap_statistic(statistic, images=images, **self.resampling())

    def bleu(self, condition: Condition, metric: str, split: str = "test") -> Statistic:
        """Return BLEU as a function of how often each image is drawn; ValueError for another metric."""
        if metric not in BLEU:
            raise ValueError(f"no interval for {metric}")
        order = BLEU.index(metric)
        tables = [table["statistics"] for table in self.scores(condition, split)]
        return lambda counts: np.stack(
            [bleu_from_statistics(table, counts)[:, order] for table in tables], axis=1
        )

    def best(self, conditions: Sequence[Condition], metric: str = "CIDEr") -> Condition:
        """Return the condition with the highest score on the validation split.

        The mean is over the seeds that all of them have: one training's luck must not be set against the mean of
        several.
        """
        shared = min(len(self.cells[condition]) for condition in conditions)

        def score(condition: Condition) -> float:
            tables = self.scores(condition, "val")[:shared]
            return float(np.mean([table["corpus"][metric] for table in tables]))

        return max(conditions, key=score)

    def row(self, condition: Condition) -> dict[str, Any]:
        """Return the condition's line of the chapter's table: its noise in the one currency, and its scores."""
        row: dict[str, Any] = {
            "family": condition.family,
            "label": condition.label,
            "parameter": condition.parameter,
            **self.noise(condition),
            "seeds": condition.seeds,
        }
        if "val" in condition.splits:
            row["val CIDEr"] = self.corpus(condition, "CIDEr", "val")
        for metric in (*MEANS, "BLEU-4"):
            estimate = self.interval(condition, metric)
            row |= {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
        known = self.scores(condition)[0]["corpus"]
        return row | {m: self.corpus(condition, m) if m in known else np.nan for m in CORPUS}

    def noise(self, condition: Condition) -> dict[str, float | None]:
        """Return a condition's noise in the one currency; None where embeddings say nothing or nothing is trained."""
        bridge = condition.across
        if condition.train_on == "blank" or bridge.retrieves:
            return dict.fromkeys(("variance", "std", "noise_norm", "cosine"))
        if bridge.moves_text or not isinstance(bridge.noise, Perturbation):
            return self._measured_noise(condition)
        told = bridge.noise.describe(condition.dim or self.dim)
        return {
            "variance": told["variance"],
            "std": told["std"],
            "noise_norm": told["expected_norm"],
            "cosine": self.cosine(condition),
        }

    def _measured_noise(self, condition: Condition) -> dict[str, float | None]:
        """Return a bridge's noise as its cells measured it on what its moves return."""
        told = [record["bridge"] for record in self.records(condition)]
        keys = {"variance": "variance", "std": "std", "noise_norm": "norm", "cosine": "cosine"}
        return {name: float(np.mean([one[key] for one in told])) for name, key in keys.items()}

    def table(self) -> pd.DataFrame:
        """Return the tidy table, one row a condition, in the grid's order."""
        return pd.DataFrame([self.row(condition) for condition in self.cells]).astype({"parameter": float})

    def costs(self) -> pd.DataFrame:
        """Return one row a cell: what it cost and how large it is."""
        keys = ("seconds", "decoding_seconds", "trainable_parameters", "peak_memory", "device")
        records = [(cell, self.store.record(cell)) for cells in self.cells.values() for cell in cells]
        rows = {cell.id: {"cell": cell.id} | {key: facts[key] for key in keys} for cell, facts in records}
        return pd.DataFrame(list(rows.values()))


def _packed(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a score table with arrays for lists: the interpreter looks through millions of numbers again and again."""
    per_image = {metric: np.array(values) for metric, values in table["per_image"].items()}
    packed = {"per_image": per_image, "statistics": np.array(table["statistics"])}
    return {name: value for name, value in table.items() if name != "similarities"} | packed
