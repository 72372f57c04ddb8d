"""Claims of the literature, the evidence that decides them, and how differences are put to the test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import pandas as pd

from capdec_core.statistics import Estimate, equivalence, holm, paired_difference, paired_randomisation
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import Results

Verdict = Literal["supported", "not supported", "undecided", "artefact"]
ALPHA = 0.05


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One estimate that a claim is decided by.

    Attributes:
        question: what it decides, in words.
        metric: what the estimate is in, the metric's own units ("CIDEr", "CIDEr per doubling of layers").
        estimate: with its interval over images and seeds.
        p_value: corrected over the chapter's family, where a test was made.
        margin: the equivalence margin that the p-value is for, in the units of the estimate.
        sides: ids of the cells behind it, one tuple a side of a difference.
    """

    question: str
    metric: str
    estimate: Estimate
    p_value: float | None = None
    margin: float | None = None
    sides: tuple[tuple[str, ...], ...]

    @property
    def cell(self) -> str:
        """The first cell behind the estimate: where a link leads."""
        return self.sides[0][0]

    @property
    def significant(self) -> bool:
        """Whether the corrected p rejects: a difference of 0, or, with a margin, one as large as that."""
        return self.p_value is not None and self.p_value <= ALPHA

    @property
    def sign(self) -> int:
        """1 or -1 where the estimate is above or below 0 beyond doubt (interval and corrected p agree), else 0."""
        if not self.estimate.excludes_zero or not self.significant:
            return 0
        return 1 if self.estimate.value > 0 else -1


@dataclass(frozen=True, kw_only=True)
class Contrast(Evidence):
    """The difference between two conditions, `a` minus `b`, paired by image; p from paired randomisation."""

    a: Condition
    b: Condition


@dataclass(frozen=True, kw_only=True)
class EquivalenceTest(Evidence):
    """Whether two conditions differ by less than the margin: two one-sided tests, the interval at 90%."""

    a: Condition
    b: Condition

    @property
    def equivalent(self) -> bool:
        """Whether a difference as large as the margin is ruled out, correction included."""
        return self.significant


@dataclass(frozen=True)
class Claim:
    """One line of the claims ledger; `evidence` decides it, the first of it above all."""

    source: str
    claim: str
    verdict: Verdict
    reason: str
    evidence: tuple[Evidence, ...]


E = TypeVar("E", bound=Evidence)
Pair = tuple[str, Condition, Condition]
"""A question and the two conditions whose difference answers it."""


def contrasts(results: Results, pairs: Sequence[Pair], metric: str = "CIDEr") -> list[Contrast]:
    """Return the contrasts of one family, their p-values corrected together.

    Args:
        results: scored conditions.
        pairs: (question, a, b); the family is all of them.
        metric: a metric whose corpus score is a mean over images.
    """
    return corrected([_contrast(results, question, a, b, metric) for question, a, b in pairs])


def equivalences(
    results: Results, pairs: Sequence[Pair], margin: float, metric: str = "CIDEr"
) -> list[EquivalenceTest]:
    """Return the equivalence tests of one family, their p-values corrected together.

    Args:
        results: scored conditions.
        pairs: (question, a, b); the family is all of them.
        margin: in the metric's own units, stated before looking.
        metric: a metric whose corpus score is a mean over images.
    """
    return corrected([_equivalence(results, question, a, b, margin, metric) for question, a, b in pairs])


def corrected(found: Sequence[E]) -> list[E]:
    """Return one family of tests with their p-values adjusted together by Holm's method.

    ValueError for evidence without a p-value.
    """
    p_values = [test.p_value for test in found if test.p_value is not None]
    if len(p_values) != len(found):
        raise ValueError("evidence without a p-value belongs to no family of tests")
    return [replace(test, p_value=p) for test, p in zip(found, holm(p_values).tolist(), strict=True)]


def _contrast(results: Results, question: str, a: Condition, b: Condition, metric: str) -> Contrast:
    x, y = results.matrix(a, metric), results.matrix(b, metric)
    return Contrast(
        question=question,
        metric=metric,
        estimate=paired_difference(x, y, **results.resampling()),
        p_value=paired_randomisation(x, y, **results.resampling()),
        sides=(results.ids(a), results.ids(b)),
        a=a,
        b=b,
    )


def _equivalence(
    results: Results, question: str, a: Condition, b: Condition, margin: float, metric: str
) -> EquivalenceTest:
    x, y = results.matrix(a, metric), results.matrix(b, metric)
    found = equivalence(x, y, margin=margin, **results.resampling())
    return EquivalenceTest(
        question=question,
        metric=metric,
        estimate=found.difference,
        p_value=found.p_value,
        margin=margin,
        sides=(results.ids(a), results.ids(b)),
        a=a,
        b=b,
    )


def contrast_table(found: Sequence[Contrast]) -> pd.DataFrame:
    """Return one row a contrast, in the metric's own units."""
    return pd.DataFrame(
        {
            "question": c.question,
            "a": c.a.label,
            "b": c.b.label,
            "family": c.a.family,
            "label": f"{c.a.label} − {c.b.label}",
            "difference": c.estimate.value,
            "low": c.estimate.low,
            "high": c.estimate.high,
            "p (Holm)": c.p_value,
            "sign": c.sign,
            "cell": c.cell,
        }
        for c in found
    )
