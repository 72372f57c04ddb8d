"""What the chapters of trained conditions have in common: their table, examples, and claims ready for showing."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from capdec_core.chart_style import POINTS
from capdec_core.gallery import ClaimCard
from capdec_core.material import corpus_of
from capdec_core.profiles import Profile
from capdec_core.statistics import Estimate, paired_difference
from capdec_core.studies.claims import Claim, Evidence
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import Results
from capdec_core.tables import DASH, Markup, p_text, with_interval

EXAMPLES = 12
MANY = 6
"""More cells than these behind one estimate are shown in several columns."""


@dataclass(frozen=True)
class Examples:
    """Test images with a reference caption and several systems' captions, for a panel."""

    images: np.ndarray
    references: list[str]
    systems: dict[str, list[str]]


@dataclass(frozen=True)
class StudyView(ABC):
    """A chapter's results: everything that its notebook shows."""

    profile: Profile
    results: Results

    @property
    @abstractmethod
    def claims(self) -> list[Claim]:
        """The claims that this chapter tests, with their verdicts."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a condition."""
        return self.results.table()

    def heading(self, condition: Condition) -> str:
        """Return the heading under which tables list the condition."""
        return condition.family[0].upper() + condition.family[1:]

    @property
    def groups(self) -> list[str]:
        """The heading of each row of the table."""
        return [self.heading(condition) for condition in self.results.cells]

    def named(self, family: str, parameter: float | None = None) -> Condition:
        """Return the condition of a family with this parameter (the first, where None)."""
        return self.results.named(family, parameter)

    def family(self, name: str) -> list[Condition]:
        """Return a family's conditions, by their parameter."""
        found = [condition for condition in self.results.cells if condition.family == name]
        return sorted(found, key=lambda condition: condition.parameter or 0)

    def difference(self, a: Condition, b: Condition, metric: str = "CIDEr") -> Estimate:
        """Return a minus b on test captions with its interval; outside the corrected family of contrasts."""
        return difference(self.results, a, b, metric)

    def examples(self, shown: Sequence[Condition], count: int = EXAMPLES) -> Examples:
        """Return test images spread evenly over the split, with the conditions' captions (first seed)."""
        images = len(self.results.captions(shown[0]))
        return self.captioned(shown, np.linspace(0, images - 1, count).round().astype(int).tolist())

    def captioned(self, shown: Sequence[Condition], indices: Sequence[int]) -> Examples:
        """Return the test images at these indices with the conditions' captions (first seed)."""
        split = corpus_of(self.profile).split("test")
        captions = {condition.label: self.results.captions(condition) for condition in shown}
        systems = {label: [found[split.ids[i]] for i in indices] for label, found in captions.items()}
        return Examples(split.render(indices), [split.captions[i][0] for i in indices], systems)

    @property
    def claim_cards(self) -> list[ClaimCard]:
        """The claims with the evidence that decides them and links to the cells behind."""
        return [
            ClaimCard(c.source, c.claim, c.verdict, c.reason, evidence_table(c.evidence)) for c in self.claims
        ]


def difference(results: Results, a: Condition, b: Condition, metric: str) -> Estimate:
    """Return the difference of two conditions' means on test captions, `a` minus `b`, with its interval."""
    x, y = results.matrix(a, metric), results.matrix(b, metric)
    return paired_difference(x, y, **results.resampling())


def evidence_table(found: Sequence[Evidence]) -> pd.DataFrame:
    """Return evidence for reading: estimates in points, the corrected p, the margin where there is one, links."""
    rows = [
        {
            "Question": e.question,
            "Estimate": with_interval(e.estimate.value, e.estimate.low, e.estimate.high, signed=True),
            "of": e.metric,
            "p (Holm)": DASH if e.p_value is None else p_text(e.p_value),
            "Margin": DASH if e.margin is None else f"±{POINTS * e.margin:g}",
            "Cells": Markup(" − ".join(_links(side) for side in e.sides)),
        }
        for e in found
    ]
    table = pd.DataFrame(rows)
    return table.drop(columns="Margin") if all(e.margin is None for e in found) else table


def _links(ids: Sequence[str]) -> str:
    links = " ".join(f'<a href="#cell-{cell}"><code>{cell[:6]}</code></a>' for cell in ids)
    return f'<div style="min-width:13em">{links}</div>' if len(ids) > MANY else links
