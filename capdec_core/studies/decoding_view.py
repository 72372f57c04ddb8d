"""What chapter 6 shows: each captioner under each way of decoding, its quality, diversity and speed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from capdec_core.decoding import Beam, Decoding, Greedy, Sampling
from capdec_core.statistics import Estimate, bootstrap_statistic
from capdec_core.studies.claims import Claim, Contrast, EquivalenceTest
from capdec_core.studies.conditions import Condition
from capdec_core.studies.decoding_claims import (
    against_beam,
    against_greedy,
    by_captioner,
    claims,
    paired_contrasts,
    width_equivalences,
    width_pairs,
)
from capdec_core.studies.decoding_names import kind, title, way
from capdec_core.studies.view import Examples, StudyView

CAPDEC = "CapDec"
CLIPCAP_TUNED = "Tuned ClipCap"
CLIPCAP_FROZEN = "Frozen ClipCap"

INTERVALS = ("CIDEr", "BLEU-4", "MiniLM")
PLAIN = ("METEOR", "distinct-1", "vocabulary", "identical", "length")
IMAGES_SHOWN = 6


@dataclass(frozen=True)
class DecodingStudy(StudyView):
    """The chapter's results: everything that the notebook shows."""

    @cached_property
    def ways(self) -> dict[str, list[Condition]]:
        """The re-decodings of each captioner, by its name."""
        return by_captioner(self.results)

    @property
    def captioners(self) -> list[Condition]:
        """The captioners as they were trained, decoded by the profile's own beam."""
        return [condition for condition in self.results.cells if condition.decoding is None]

    def of(self, captioner: str, decoding: Decoding) -> Condition:
        """Return a captioner under a way of decoding; StopIteration if the grid lacks it."""
        return next(c for c in self.ways[captioner] if c.decoding == decoding)

    @property
    def default(self) -> Beam:
        """The beam that all others are compared with: the one that every other chapter decodes by."""
        return Beam(self.profile.decoding.beams, self.profile.decoding.max_tokens)

    @property
    def compared_with(self) -> str:
        """The title of that beam."""
        return title(self.default)

    @property
    def greedy(self) -> Greedy:
        """Greedy search at the profile's length."""
        return Greedy(self.profile.decoding.max_tokens)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a captioner and way of decoding: scores, diversity, captions a second."""
        return pd.DataFrame(
            [self._row(condition) for conditions in self.ways.values() for condition in conditions]
        )

    @property
    def groups(self) -> list[str]:
        """The captioner of each row of the table."""
        return self.table.captioner.tolist()

    def _row(self, condition: Condition) -> dict[str, Any]:
        decoding = way(condition)
        row: dict[str, Any] = {"captioner": condition.family, "label": title(decoding), "way": kind(decoding)}
        row["width"] = decoding.beams if isinstance(decoding, Beam) else None
        row["looks twice"] = decoding.looks_twice
        for metric in INTERVALS:
            row |= triple(metric, self.results.interval(condition, metric))
        if self.knows_objects:
            row |= triple("CHAIRi", self.hallucination(condition))
        row |= {metric: self.results.corpus(condition, metric) for metric in PLAIN}
        row |= over_seeds("distinct-2", self._corpus(condition, "distinct-2"))
        row["self-BLEU"] = self._self_bleu(condition)
        return row | over_seeds("speed", self.speeds(condition))

    def _corpus(self, condition: Condition, metric: str) -> list[float]:
        return [table["corpus"][metric] for table in self.results.scores(condition)]

    def _self_bleu(self, condition: Condition) -> float | None:
        """Return self-BLEU where a way gives several captions; the default beam's five are the trained cell's."""
        if condition.decoding == self.default:
            condition = next(c for c in self.captioners if c.family == condition.family)
        elif not isinstance(condition.decoding, Sampling):
            return None
        return self.results.corpus(condition, "self-BLEU")

    def speeds(self, condition: Condition) -> list[float]:
        """Return captions a second, one a training seed: answers, and of sampling every caption drawn."""
        decoding = way(condition)
        each = decoding.n if isinstance(decoding, Sampling) else 1
        return [each * record["images_per_second"] for record in self.results.records(condition)]

    @property
    def knows_objects(self) -> bool:
        """Whether the corpus says which objects its images hold, without which there is no CHAIR."""
        return "mentioned objects" in self.results.scores(self.captioners[0])[0]["per_image"]

    def hallucination(self, condition: Condition) -> Estimate:
        """Return CHAIRi, the share of mentioned objects that the image does not hold, with its interval.

        KeyError where nobody knows the images' objects.
        """
        tables = [
            np.array([table["per_image"][f"{kind} objects"] for kind in ("hallucinated", "mentioned")])
            for table in self.results.scores(condition)
        ]
        return bootstrap_statistic(
            lambda counts: np.stack([chair_i(counts @ table.T) for table in tables], axis=1),
            images=tables[0].shape[1],
            resamples=self.results.statistics.resamples,
            generator=self.results.generator(),
        )

    @cached_property
    def contrasts(self) -> list[Contrast]:
        """The chapter's family of contrasts, corrected together: against the default beam and greedy search."""
        width = self.default.beams
        return paired_contrasts(
            self.results, [*against_beam(self.results, width), *against_greedy(self.results)]
        )

    @property
    def contrast_table(self) -> pd.DataFrame:
        """One row a contrast, captioner by captioner, for figure and table."""
        rows = [
            {
                "captioner": c.a.family,
                "label": title(way(c.a)),
                "way": kind(way(c.a)),
                "against": title(way(c.b)),
                "question": c.question.partition(": ")[2].capitalize(),
                "difference": c.estimate.value,
                "low": c.estimate.low,
                "high": c.estimate.high,
                "p (Holm)": c.p_value,
                "sign": c.sign,
            }
            for c in self.contrasts
        ]
        order = {captioner: place for place, captioner in enumerate(self.ways)}
        return pd.DataFrame(rows).sort_values("captioner", key=lambda names: names.map(order), kind="stable")

    @cached_property
    def widths(self) -> list[EquivalenceTest]:
        """The tests that other beam widths are equivalent to the default; a family of their own."""
        return width_equivalences(self.results, width_pairs(self.results, self.default.beams))

    @cached_property
    def claims(self) -> list[Claim]:
        """Answers to Study B's open question with their verdicts."""
        return claims(self.contrasts, self.default.beams)

    def same_answers(self, a: Decoding, b: Decoding) -> float:
        """Return the share of test images that two ways caption with the same words, over captioners and seeds."""
        equal = [
            first[0] == second[0]
            for captioner in self.ways
            for one, other in zip(*(self._captions(self.of(captioner, way)) for way in (a, b)), strict=True)
            for first, second in zip(one.values(), other.values(), strict=True)
        ]
        return float(np.mean(equal))

    def _captions(self, condition: Condition) -> list[dict[str, list[str]]]:
        """Return {image id: captions} of test images, one a seed."""
        key = condition.evaluation("test")
        return [self.results.store.captions(cell)[key] for cell in self.results.cells[condition]]

    def panel(self, captioner: str) -> Examples:
        """Return test images with the answers of one captioner under every way of decoding (first seed)."""
        found = self.examples(self.ways[captioner], IMAGES_SHOWN)
        labels = [title(way(condition)) for condition in self.ways[captioner]]
        return replace(found, systems=dict(zip(labels, found.systems.values(), strict=True)))


def triple(name: str, estimate: Estimate) -> dict[str, float]:
    """Return a table's three columns of an estimate."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def over_seeds(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return a table's three columns of a number that is known once a seed: the mean, the least, the most."""
    return {name: float(np.mean(values)), f"{name}_low": min(values), f"{name}_high": max(values)}


def chair_i(sums: np.ndarray) -> np.ndarray:
    """Return CHAIRi from summed counts (resamples, 2) of hallucinated and of mentioned objects."""
    return sums[:, 0] / np.maximum(sums[:, 1], 1)
