"""Claims of the literature and what the results say of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from capdec_core.statistics import Estimate, holm, paired_difference, paired_randomisation
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import Results

Verdict = Literal["supported", "not supported", "undecided", "artefact"]
ALPHA = 0.05


@dataclass(frozen=True)
class Contrast:
    """The difference between two conditions: `a` minus `b`, paired by image.

    Attributes:
        question: what the difference decides, in words.
        metric: its metric, in the metric's own units.
        estimate: with its interval over images and seeds.
        p_value: paired randomisation, adjusted by Holm over the chapter's contrasts.
        cell: id of the first cell of `a`.
    """

    question: str
    a: Condition
    b: Condition
    metric: str
    estimate: Estimate
    p_value: float
    cell: str

    @property
    def sign(self) -> int:
        """1 or -1 where `a` is better or worse beyond doubt (interval and corrected p agree), else 0."""
        if not self.estimate.excludes_zero or self.p_value > ALPHA:
            return 0
        return 1 if self.estimate.value > 0 else -1


@dataclass(frozen=True)
class Claim:
    """One line of the claims ledger; `contrasts` decide it."""

    source: str
    claim: str
    verdict: Verdict
    reason: str
    contrasts: tuple[Contrast, ...]


def contrasts(
    results: Results, pairs: Sequence[tuple[str, Condition, Condition]], metric: str = "CIDEr"
) -> list[Contrast]:
    """Return the contrasts of one family, their p-values corrected together.

    Args:
        results: scored conditions.
        pairs: (question, a, b); the family is all of them.
        metric: a metric whose corpus score is a mean over images.
    """
    found = [_contrast(results, question, a, b, metric) for question, a, b in pairs]
    adjusted = holm([contrast.p_value for contrast in found])
    return [replace(contrast, p_value=float(p)) for contrast, p in zip(found, adjusted, strict=True)]


def _contrast(results: Results, question: str, a: Condition, b: Condition, metric: str) -> Contrast:
    x, y = results.matrix(a, metric), results.matrix(b, metric)
    resamples = results.statistics.resamples
    estimate = paired_difference(x, y, resamples=resamples, generator=results.generator())
    p_value = paired_randomisation(x, y, resamples=resamples, generator=results.generator())
    return Contrast(question, a, b, metric, estimate, p_value, results.cells[a][0].id)


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


def ledger(claims: Sequence[Claim]) -> pd.DataFrame:
    """Return the claims ledger: one row a claim, with the cells that decide it."""
    return pd.DataFrame(
        {
            "source": claim.source,
            "claim": claim.claim,
            "verdict": claim.verdict,
            "reason": claim.reason,
            "cells": ", ".join(sorted({contrast.cell for contrast in claim.contrasts})),
        }
        for claim in claims
    )
