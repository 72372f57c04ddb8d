"""Chapter 5's tests: the same whatever the results, and corrected together.

CIDEr is tested by image, BLEU-4 on the corpus: made anew from summed n-gram counts on resampled images for its
intervals, and after exchanging the systems' names on random images for its p-values.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from capdec_core.metrics import bleu_from_statistics
from capdec_core.statistics import (
    linear_trend,
    paired_corpus_randomisation,
    paired_statistic_difference,
    paired_statistic_equivalence,
)
from capdec_core.studies.claims import (
    Contrast,
    EquivalenceTest,
    Evidence,
    Pair,
    contrasts,
    corrected,
)
from capdec_core.studies.conditions import Condition
from capdec_core.studies.prefix_length_grid import (
    FAMILIES,
    FIXED_AT,
    STUDY_B,
    TUNED,
    family_of,
    title_of,
    tuning_of,
)
from capdec_core.studies.results import Results

BLEU = "BLEU-4"
CIDER = "CIDEr"
PER_DOUBLING = "CIDEr per doubling of k"
SHORTEST, MIDDLE, LONGEST = STUDY_B
MARGIN = 0.02
"""BLEU-4 (2 points): a smaller difference between k = 20 and k = 10 is called none.

Study B's three lengths lie 3.3 points apart, and it reads 1.1 points as a difference; two points are what one of
its conclusions could rest on. Fixed before any result was seen.
"""


@dataclass(frozen=True)
class Findings:
    """The chapter's family of tests, all p-values corrected together by Holm's method.

    trends: slope of CIDEr over log2(k), Study B's lengths, by family. whole_range: BLEU-4 at k = 20 minus at
    k = 1, the MLP's two families. step, step_cider: k = 20 minus k = 10, by family. equal: that this step is
    smaller than `MARGIN`, by family. tuning: language model tuned minus frozen, MLP at k = 10, by metric. size: CIDEr
    of the MLP minus the fixed-width MLP, k = 20, by "frozen" and "tuned".
    """

    trends: dict[str, Evidence]
    whole_range: dict[str, Contrast]
    step: dict[str, Contrast]
    step_cider: dict[str, Contrast]
    equal: dict[str, EquivalenceTest]
    tuning: dict[str, Contrast]
    size: dict[str, Contrast]

    @property
    def tests(self) -> list[Evidence]:
        """Every test of the family."""
        return [test for field in fields(self) for test in getattr(self, field.name).values()]


def findings(results: Results) -> Findings:
    """Return the chapter's tests, made and corrected."""
    steps = {family: _pair(results, family, LONGEST, MIDDLE) for family in FAMILIES}
    mlps = [family_of("mlp", tuned) for tuned in TUNED]
    whole = {family: _pair(results, family, LONGEST, SHORTEST) for family in mlps}
    tuning = _tuning_pair(results)
    raw = Findings(
        trends={family: trend(results, family) for family in FAMILIES},
        whole_range={family: bleu_contrast(results, pair) for family, pair in whole.items()},
        step={family: bleu_contrast(results, pair) for family, pair in steps.items()},
        step_cider={family: _cider_contrast(results, pair) for family, pair in steps.items()},
        equal={family: _equivalence(results, family) for family in FAMILIES},
        tuning={BLEU: bleu_contrast(results, tuning), CIDER: _cider_contrast(results, tuning)},
        size={tuning_of(tuned): _cider_contrast(results, _size_pair(results, tuned)) for tuned in TUNED},
    )
    return _corrected(raw)


def trend(results: Results, family: str, lengths: tuple[int, ...] = STUDY_B) -> Evidence:
    """Return the slope of a family's CIDEr over log2(k), not corrected."""
    levels = [results.named(family, k) for k in lengths]
    found = linear_trend(
        [results.matrix(condition, CIDER) for condition in levels],
        np.log2(lengths).tolist(),
        **results.resampling(),
    )
    return Evidence(
        question=f"{title_of(family)}: do captions get better with every doubling of k?",
        metric=PER_DOUBLING,
        estimate=found.slope,
        p_value=found.p_value,
        sides=(tuple(cell for condition in levels for cell in results.ids(condition)),),
    )


def bleu_contrast(results: Results, pair: Pair) -> Contrast:
    """Return a difference in corpus BLEU-4 with its interval and randomisation p, not corrected."""
    question, a, b = pair
    tables_a, tables_b = _statistics(results, a), _statistics(results, b)
    difference = paired_statistic_difference(
        results.bleu(a, BLEU), results.bleu(b, BLEU), images=len(tables_a[0]), **results.resampling()
    )
    p_value = paired_corpus_randomisation(tables_a, tables_b, _bleu4, **results.resampling())
    sides = results.ids(a), results.ids(b)
    return Contrast(
        question=question, metric=BLEU, estimate=difference, p_value=p_value, sides=sides, a=a, b=b
    )


def _statistics(results: Results, condition: Condition) -> list[np.ndarray]:
    """Return one table of BLEU's sufficient statistics (images, 10) a seed."""
    return [np.array(table["statistics"], dtype=np.float64) for table in results.scores(condition)]


def _bleu4(table: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return bleu_from_statistics(table, counts)[:, 3]


def _cider_contrast(results: Results, pair: Pair) -> Contrast:
    return contrasts(results, [pair], CIDER)[0]  # alone in its family: corrected with the chapter's, later


def _equivalence(results: Results, family: str) -> EquivalenceTest:
    a, b = results.named(family, LONGEST), results.named(family, MIDDLE)
    found = paired_statistic_equivalence(
        results.bleu(a, BLEU),
        results.bleu(b, BLEU),
        images=len(_statistics(results, a)[0]),
        margin=MARGIN,
        **results.resampling(),
    )
    return EquivalenceTest(
        question=f"{title_of(family)}: are k = {LONGEST} and k = {MIDDLE} equally good?",
        metric=BLEU,
        estimate=found.difference,
        p_value=found.p_value,
        margin=MARGIN,
        sides=(results.ids(a), results.ids(b)),
        a=a,
        b=b,
    )


def _pair(results: Results, family: str, longer: int, shorter: int) -> Pair:
    question = f"{title_of(family)}: is k = {longer} better than k = {shorter}?"
    return question, results.named(family, longer), results.named(family, shorter)


def _tuning_pair(results: Results) -> Pair:
    tuned, frozen = (results.named(family_of("mlp", tuned), FIXED_AT) for tuned in (True, False))
    question = f"MLP, k = {FIXED_AT}: is a tuned language model better than a frozen one?"
    return question, tuned, frozen


def _size_pair(results: Results, tuned: bool) -> Pair:
    mlp, fixed = (results.named(family_of(mapper, tuned), LONGEST) for mapper in ("mlp", "fixed mlp"))
    question = (
        f"k = {LONGEST}, language model {tuning_of(tuned)}: is the MLP better than that of fixed width?"
    )
    return question, mlp, fixed


def _corrected(raw: Findings) -> Findings:
    tests = iter(corrected(raw.tests))
    groups: dict[str, Any] = {
        field.name: {key: next(tests) for key in getattr(raw, field.name)} for field in fields(raw)
    }
    return Findings(**groups)
