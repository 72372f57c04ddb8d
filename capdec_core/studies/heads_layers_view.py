"""What chapter 3 shows: its arms with sizes and training losses, the tests, and the claims."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from capdec_core.cell import CellConfig, Imported
from capdec_core.mapper import MapperConfig
from capdec_core.matching import parameter_count
from capdec_core.studies.claims import Claim, Contrast, EquivalenceTest
from capdec_core.studies.conditions import Condition
from capdec_core.studies.heads_layers_claims import (
    MARGIN,
    heads_claim,
    heads_tests,
    layers_claim,
    reading_test,
)
from capdec_core.studies.heads_layers_trends import TrendTest, trend_tests
from capdec_core.studies.pretrained_capdec import PRETRAINED, published
from capdec_core.studies.view import StudyView

CONTROL, BASELINE = "mapper control", "mapper baseline"
HEADS, LAYERS, MATCHED = "heads", "layers", "layers, matched"

HEADINGS = {
    CONTROL: "Control",
    BASELINE: "Baseline",
    HEADS: "Heads, at the baseline's layers",
    LAYERS: "Layers, at the baseline's heads",
    MATCHED: "Layers, at the baseline's heads and parameters",
    PRETRAINED: "Study A's baseline",
}
WINDOWS = 20
"""A curve of training losses is drawn as the means of this many equal stretches of the steps."""


@dataclass(frozen=True)
class HeadsLayers(StudyView):
    """The chapter's results: everything that the notebook shows."""

    def heading(self, condition: Condition) -> str:
        """Return the heading under which tables list the condition."""
        return HEADINGS[condition.family]

    @cached_property
    def baseline(self) -> Condition:
        """The mapper that every arm varies."""
        return self.named(BASELINE)

    def value(self, condition: Condition, arm: str) -> int:
        """Return the condition's number of heads in the arm of heads, of layers in the others."""
        mapper = self.mapper(condition)
        return mapper.heads if arm == HEADS else mapper.layers

    def arm(self, name: str) -> list[Condition]:
        """Return an arm's conditions with the baseline among them, in order of heads or layers."""
        members = [*self.family(name), self.baseline]
        return sorted(members, key=lambda condition: self.value(condition, name))

    def mapper(self, condition: Condition) -> MapperConfig:
        """Return the mapper as its cells have it."""
        cell = self.results.cells[condition][0]
        if isinstance(cell, Imported):
            return MapperConfig(**self.results.store.record(cell)["mapper"])
        assert isinstance(cell, CellConfig)  # nothing in this chapter is decoded anew
        return MapperConfig(**cell.mapper)

    def curves(self, name: str) -> pd.DataFrame:
        """Return the training loss (nats a token) of an arm over the steps, in `WINDOWS` means over all seeds.

        Columns: value (heads or layers), step (the middle of the window), loss.
        """
        parts = []
        for condition in self.arm(name):
            losses = np.mean([record["losses"] for record in self.results.records(condition)], axis=0)
            windows = np.array_split(np.arange(len(losses)), min(WINDOWS, len(losses)))
            rows = [(self.value(condition, name), steps.mean(), losses[steps].mean()) for steps in windows]
            parts.append(pd.DataFrame(rows, columns=["value", "step", "loss"]))
        return pd.concat(parts, ignore_index=True)

    def arm_table(self, name: str) -> pd.DataFrame:
        """Return one row a condition of an arm, for figures.

        Columns: value (heads or layers), parameters (the mapper's), losses (final, one a seed), and the three
        of CIDEr.
        """
        return pd.DataFrame([self._arm_row(condition, name) for condition in self.arm(name)])

    def _arm_row(self, condition: Condition, name: str) -> dict[str, object]:
        score = self.results.interval(condition, "CIDEr")
        return {
            "value": self.value(condition, name),
            "parameters": parameter_count(self.mapper(condition)),
            "losses": self.results.final_losses(condition),
            "CIDEr": score.value,
            "CIDEr_low": score.low,
            "CIDEr_high": score.high,
        }

    @property
    def shapes(self) -> pd.DataFrame:
        """One row a condition for reading: the mapper's shape and size, and a cell's median seconds."""
        return pd.DataFrame([self._shape(condition) for condition in self.results.cells])

    def _shape(self, condition: Condition) -> dict[str, object]:
        mapper, width = self.mapper(condition), self.mapper(condition).block_width
        return {
            "Condition": condition.label,
            "Heads": mapper.heads,
            "Layers": mapper.layers,
            "Width": width,
            "Head": width // mapper.heads,
            "Hidden": int(width * mapper.mlp_ratio),
            "Parameters": f"{parameter_count(mapper):,}",
            "Seconds": f"{self.results.seconds(condition):.1f}",
        }

    @cached_property
    def _heads_tests(self) -> tuple[list[EquivalenceTest], list[Contrast]]:
        return heads_tests(self.results, self.family(HEADS), self.baseline)

    @property
    def heads_equivalences(self) -> list[EquivalenceTest]:
        """Each other number of heads against the baseline: is the difference within the margin?"""
        return self._heads_tests[0]

    @property
    def heads_contrasts(self) -> list[Contrast]:
        """Each other number of heads against the baseline: is there a difference?"""
        return self._heads_tests[1]

    @property
    def variances(self) -> tuple[float, float]:
        """What images and what one seed add to the variance of a difference between numbers of heads, on average.

        In squared CIDEr, over the tests of heads: the images' part is of the mean over all seeds, the seeds' part
        is of one training on each side.
        """
        pairs = [[self.results.matrix(c, "CIDEr") for c in (t.a, t.b)] for t in self.heads_equivalences]
        by_image = [(a.mean(axis=0) - b.mean(axis=0)).var() / a.shape[1] for a, b in pairs]
        by_seed = [sum(scores.mean(axis=1).var(ddof=1) for scores in pair) for pair in pairs]
        return float(np.mean(by_image)), float(np.mean(by_seed))

    @cached_property
    def trends(self) -> tuple[TrendTest, TrendTest]:
        """The trend over layers as they come, and at the baseline's parameters."""
        arms = {"layers as they come": self.arm(LAYERS), "layers of matched parameters": self.arm(MATCHED)}
        as_run, at_size = trend_tests(self.results, arms, self.layers, MARGIN)
        return as_run, at_size

    @property
    def layers(self) -> Sequence[int]:
        """The numbers of layers, in order."""
        return [self.value(condition, LAYERS) for condition in self.arm(LAYERS)]

    @cached_property
    def reading(self) -> Contrast:
        """The baseline against the same mapper trained on shuffled embeddings: does it read images at all?"""
        return reading_test(self.results, self.baseline, self.named(CONTROL))

    @cached_property
    def claims(self) -> list[Claim]:
        """Study A's two claims with their verdicts."""
        return [heads_claim(self.reading, *self._heads_tests), layers_claim(self.reading, *self.trends)]

    @property
    def shown(self) -> list[Condition]:
        """The conditions whose captions are printed: the baseline and each arm's extremes."""
        heads, layers, matched = (self.arm(name) for name in (HEADS, LAYERS, MATCHED))
        extremes = [heads[0], heads[-1], layers[0], layers[-1], matched[-1]]
        return list(dict.fromkeys([self.baseline, *extremes, *published(self.results)]))


def counted(number: int, thing: str) -> str:
    """Return "1 layer", "4 layers"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
