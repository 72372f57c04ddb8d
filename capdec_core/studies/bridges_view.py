"""What chapter 7 shows: every way over the gap by what it looks at, its quality beside its cost, and the law."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from capdec_core.bridges import MemoryProjection, Sight
from capdec_core.statistics import Estimate, unpaired_difference
from capdec_core.studies.bridges_claims import claims, untested
from capdec_core.studies.bridges_cost import cost
from capdec_core.studies.bridges_grid import (
    GAUSSIAN,
    IMAGES,
    NEAREST,
    NOISY_PROJECTION,
    NONE,
    PROJECTION,
    PUBLISHED,
    SHAPES_OF,
    TIMED,
    WAYS,
    length_family,
    reduced_family,
    sight,
)
from capdec_core.studies.bridges_in_domain import InDomain
from capdec_core.studies.bridges_law import LawTest, NoiseCurve, law_test
from capdec_core.studies.bridges_tests import Choice, choose, family_of_tests
from capdec_core.studies.claims import Claim, Contrast, Evidence, contrast_table
from capdec_core.studies.conditions import Condition
from capdec_core.studies.decoding_view import triple
from capdec_core.studies.view import StudyView

COSTS = ("training", "speed", "memory")
"""Columns of the ranking that quality is set against: seconds, captions a second, bytes."""
UNKNOWN = Estimate(math.nan, math.nan, math.nan, 0.95, math.nan, 0, 0)
"""A score that one side of a comparison lacks."""


@dataclass(frozen=True)
class Bridges(StudyView):
    """The chapter's results.

    `spaces` holds `capdec_core.studies.bridges_law.training_cosines` of the profile's own embedding (None) and of every
    dimension that it is reduced to, which takes pairs; `in_domain` what is set beside a decoder of another corpus.
    """

    spaces: Mapping[int | None, Mapping[str, float]]
    in_domain: InDomain | None = None

    @property
    def cosines(self) -> Mapping[str, float]:
        """The cosines of the profile's own embedding."""
        return self.spaces[None]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a condition; the timed captioner, whose captions another one has, is left out."""
        return pd.DataFrame([self.results.row(c) for c in self.told]).astype({"parameter": float})

    @property
    def told(self) -> list[Condition]:
        """The conditions that tables list."""
        return [condition for condition in self.results.cells if condition.family != TIMED]

    @property
    def groups(self) -> list[str]:
        """The heading of each row of the table."""
        return [self.heading(condition) for condition in self.told]

    def heading(self, condition: Condition) -> str:
        """Return the heading under which tables list the condition."""
        if condition.dim is not None:
            return f"Gaussian noise, embedding reduced to d = {condition.dim}"
        if condition.training is not None:
            return f"Trained for {condition.family}"
        others = {PUBLISHED: "Settings as published", TIMED: "Timed alone"}
        return others.get(condition.family) or WAYS[condition.family].group

    @cached_property
    def choice(self) -> Choice:
        """What validation images choose among the settings of each way."""
        return choose(self.results, self.profile.bridges.variance)

    @property
    def gaussian(self) -> Condition:
        """Plain Gaussian noise, its variance chosen on validation images."""
        return self.choice.ways[GAUSSIAN]

    @property
    def none(self) -> Condition:
        """Training without noise."""
        return self.choice.ways[NONE]

    @property
    def ceiling(self) -> Condition | None:
        """The same captioner, trained on images; None where there are none to train on."""
        return self.choice.ways.get(IMAGES)

    @property
    def out_of_reach(self) -> list[str]:
        """Families of the ways that take training images, where there are none."""
        return [family for family in WAYS if family not in self.choice.ways]

    @cached_property
    def tests(self) -> list[Evidence]:
        """The chapter's tests, corrected together."""
        return family_of_tests(self.results, self.choice)

    @property
    def contrasts(self) -> list[Contrast]:
        """Those of them that are differences of two conditions."""
        return [test for test in self.tests if isinstance(test, Contrast)]

    @property
    def contrast_table(self) -> pd.DataFrame:
        """One row a contrast, with `sight`, that of its first side."""
        return contrast_table(self.contrasts).assign(sight=[str(sight(c.a)) for c in self.contrasts])

    @property
    def untested(self) -> list[tuple[str, str]]:
        """Who says what of the claims that take training images, where there are none."""
        return untested(self.choice, self.tests, self.laws)

    @cached_property
    def claims(self) -> list[Claim]:
        """The papers' claims and this book's hypotheses, with verdicts."""
        return claims(self.results, self.choice, self.tests, self.laws)

    def curve(self, dim: int | None = None) -> NoiseCurve:
        """Return the noise curve on validation images: of the profile's own embedding, or of a reduced one."""
        return self._curve(self.family(GAUSSIAN if dim is None else reduced_family(dim)), dim)

    def _curve(self, gaussians: Sequence[Condition], dim: int | None = None) -> NoiseCurve:
        return NoiseCurve(
            encoder=self.profile.encoder.model,
            dim=dim or self.results.dim,
            cosines=self.spaces[dim],
            variances=tuple(c.parameter or 0.0 for c in gaussians),
            scores=tuple(self.results.matrix(c, "CIDEr", "val") for c in gaussians),
            reduced=dim is not None,
        )

    @cached_property
    def laws(self) -> list[LawTest]:
        """Every curve that the law is tested on, the profile's own first."""
        return [law_test(self.curve(dim), self.profile.statistics) for dim in self.spaces]

    @property
    def law(self) -> LawTest:
        """The law's test on the profile's own embedding."""
        return self.laws[0]

    @cached_property
    def by_length(self) -> dict[int, list[Condition]]:
        """No noise, plain Gaussian noise by its variance and, where there are any, images, by steps of training."""
        own = [self.none, *self.family(GAUSSIAN), *([self.ceiling] if self.ceiling else [])]
        others = {steps: self.family(length_family(steps)) for steps in self.profile.bridges.lengths}
        return dict(sorted(({self.profile.training.steps: own} | others).items()))

    @cached_property
    def lengths(self) -> pd.DataFrame:
        """One row a captioner of `by_length`: `steps`, `series` (none, gaussian or trained on images), `variance`,
        CIDEr of test captions with its interval."""
        return pd.DataFrame(
            [
                {"steps": steps, "series": _series(c), "variance": c.parameter if c.parameter else math.nan}
                | triple("CIDEr", self.results.interval(c, "CIDEr"))
                for steps, found in self.by_length.items()
                for c in found
            ]
        )

    @cached_property
    def length_laws(self) -> dict[int, LawTest]:
        """The law's test at every number of steps, on validation captions."""
        return {steps: self._law_at(found) for steps, found in self.by_length.items()}

    def _law_at(self, found: Sequence[Condition]) -> LawTest:
        gaussians = [c for c in found if _series(c) == GAUSSIAN]
        own = gaussians == self.family(GAUSSIAN)
        return self.law if own else law_test(self._curve(gaussians), self.profile.statistics)

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """One row a way at its chosen setting, best first; `number` is its place, `gain` its lead over Gaussian noise.

        Scores, `gain` (with `_low` and `_high`) in the metric's own value; `COSTS`, `trainable` and `peak` as in
        `capdec_core.studies.bridges_cost.Cost`; `sight` as a string.
        """
        rows = [self._ranked(family, condition) for family, condition in self.choice.ways.items()]
        table = pd.DataFrame(rows).sort_values("CIDEr", ascending=False, kind="stable", ignore_index=True)
        return table.assign(number=range(1, len(table) + 1))

    def _ranked(self, family: str, condition: Condition) -> dict[str, Any]:
        row: dict[str, Any] = {"family": family, "title": WAYS[family].title, "label": condition.label}
        row |= {"sight": str(sight(condition)), "seeds": len(self.results.cells[condition])}
        row |= triple("CIDEr", self.results.interval(condition, "CIDEr"))
        if family != GAUSSIAN:
            row |= triple("gain", self.difference(condition, self.gaussian))
        return row | vars(cost(self.results, condition, self.named(TIMED)))

    def seeing(self, *sights: Sight) -> pd.DataFrame:
        """Return the ranking's rows of these sights."""
        return self.ranking[self.ranking.sight.isin([str(s) for s in sights])]

    def front(self, column: str) -> pd.DataFrame:
        """Return the Pareto front of CIDEr against one of `COSTS`, the cheapest first: no other way is as cheap and
        as good. Captions a second are cheap where they are many."""
        cheap = -1 if column == "speed" else 1
        rows = self.ranking.sort_values(
            [column, "CIDEr"], key=lambda c: c * (-1 if c.name == "CIDEr" else cheap)
        )
        return rows[rows.CIDEr > rows.CIDEr.cummax().shift(fill_value=-np.inf)]

    @cached_property
    def shapes(self) -> pd.DataFrame:
        """Noise of every shape beside the Gaussian of the same cosine, which is the first row."""
        ways = self.choice.ways
        families = [family for group in SHAPES_OF.values() for family in group if family in ways]
        shown = [self.choice.reference, *(ways[family] for family in families)]
        return pd.DataFrame([self._scored(condition) for condition in shown])

    @cached_property
    def memories(self) -> pd.DataFrame:
        """Projections by the captions that they remember, without noise and with noise of the matched variance."""
        variance = self.profile.bridges.variance
        shown = [*self.family(PROJECTION)]
        shown += [c for c in self.family(NOISY_PROJECTION) if c.parameter == variance]
        rows = [
            self._scored(c) | {"captions": self._remembered(c), "noisy": bool(c.parameter)} for c in shown
        ]
        return pd.DataFrame(rows).sort_values(["noisy", "captions"], ignore_index=True)

    def _scored(self, condition: Condition) -> dict[str, Any]:
        row: dict[str, Any] = {"label": condition.label, "sight": str(sight(condition))}
        row["cosine"] = self.results.noise(condition)["cosine"]
        return row | triple("CIDEr", self.results.interval(condition, "CIDEr"))

    def _remembered(self, condition: Condition) -> int:
        """Return how many captions a projection remembers: as many as its bytes hold, each caption being as large."""
        projections = [*self.family(PROJECTION), condition]
        sizes = {c: m.size for c in projections for m in c.across.moves if isinstance(m, MemoryProjection)}
        smallest = min((c for c in sizes if sizes[c]), key=lambda c: sizes[c] or 0)
        each = self._memory(smallest) / (sizes[smallest] or 1)
        return round(self._memory(condition) / each)

    def _memory(self, condition: Condition) -> int:
        return self.results.records(condition)[0]["bridge"]["memory"]

    @cached_property
    def beside(self) -> pd.DataFrame:
        """One row a way, the best here first, then the ceiling: its chosen setting here and in domain.

        `here`, `there` and `difference` (with `_low` and `_high`) are CIDEr in its own value, nan where a side is
        missing; `label` and `label there` are the settings, "" likewise. Empty where nothing is set beside this copy.
        """
        if self.in_domain is None:
            return pd.DataFrame()
        rows = [self._beside(family, self.in_domain) for family in (*self.ranking.family, IMAGES)]
        return pd.DataFrame(rows).drop_duplicates("family", ignore_index=True)

    def _beside(self, family: str, in_domain: InDomain) -> dict[str, Any]:
        condition = self.choice.ways.get(family)
        here = UNKNOWN if condition is None else self.results.interval(condition, "CIDEr")
        label, there = in_domain.best(family) or ("", UNKNOWN)
        row: dict[str, Any] = {"family": family, "title": WAYS[family].title, "label there": label}
        row |= {"label": "" if condition is None else condition.label}
        difference = triple("difference", unpaired_difference(here, there))
        return row | triple("here", here) | triple("there", there) | difference

    @property
    def shown(self) -> Sequence[Condition]:
        """The conditions whose captions are printed."""
        families = (NONE, GAUSSIAN, PROJECTION, "linear adapter, noise", NEAREST, IMAGES)
        return [self.choice.ways[family] for family in families if family in self.choice.ways]


def _series(condition: Condition) -> str:
    """Return which curve over the length of training a captioner belongs to."""
    if condition.train_on == "image":
        return IMAGES
    return GAUSSIAN if condition.parameter else NONE
