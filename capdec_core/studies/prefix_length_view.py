"""What chapter 5 shows: its curves over k, its tables, and the tests behind its claims."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from capdec_core.cell import CellConfig
from capdec_core.studies.claims import Claim, Evidence
from capdec_core.studies.conditions import Condition
from capdec_core.studies.prefix_length_claims import claims
from capdec_core.studies.prefix_length_evidence import Findings, findings, trend
from capdec_core.studies.prefix_length_grid import (
    FAMILIES,
    MAPPERS,
    STUDY_B,
    STUDY_B_FAMILY,
    TUNED,
    family_of,
    title_of,
)
from capdec_core.studies.published import METRICS, Published, as_printed, load_published
from capdec_core.studies.results import BLEU
from capdec_core.studies.view import StudyView, evidence_table
from capdec_core.tables import with_interval


class PrefixLength(StudyView):
    """The chapter's results: everything that the notebook shows."""

    @cached_property
    def findings(self) -> Findings:
        """The chapter's tests, corrected together."""
        return findings(self.results)

    @cached_property
    def claims(self) -> list[Claim]:
        """Study B's claims with their verdicts."""
        return claims(self.findings)

    @property
    def dim(self) -> int:
        """Dimension d of the embeddings that the captioners read."""
        cell = next(iter(self.results.cells.values()))[0]
        assert isinstance(cell, CellConfig)  # this chapter decodes nothing anew
        return int(cell.mapper["embedding_dim"])

    @cached_property
    def published(self) -> Published:
        """Scores as published, with their sources."""
        return load_published()

    def heading(self, condition: Condition) -> str:
        """Return the heading under which tables list the condition."""
        return title_of(condition.family)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a condition; beside the scores its mapper, tuning, k, trainable parameters, seconds and loss.

        `mapper` is a key of `MAPPERS`; `loss` is the mean training loss of the last steps, nats a token.
        """
        facts = pd.DataFrame([self._facts(condition) for condition in self.results.cells])
        return pd.concat([self.results.table(), facts], axis=1)

    def _facts(self, condition: Condition) -> dict[str, Any]:
        return {
            "mapper": condition.family.split(", ")[0],
            "tuned": bool(condition.tuned),
            "k": int(condition.parameter or 0),
            "trainable": self.results.records(condition)[0]["trainable_parameters"],
            "seconds": self.results.seconds(condition),
            "loss": float(np.mean(self.results.final_losses(condition))),
        }

    def line(self, family: str) -> pd.DataFrame:
        """Return the rows of one curve, by k."""
        return self.table[self.table.family == family].sort_values("k")

    @cached_property
    def lengths(self) -> list[int]:
        """The prefix lengths of the grid, in order."""
        return sorted(set(self.table.k.tolist()))

    @cached_property
    def language_model_parameters(self) -> int:
        """The language model's own weights: what tuning adds to the trainable ones."""
        frozen, tuned = (self.line(family_of("linear", t)).trainable.iloc[0] for t in TUNED)
        return int(tuned - frozen)

    @cached_property
    def trends_over_all(self) -> dict[str, Evidence]:
        """Each curve's slope over all lengths, outside the corrected family: some have one training only."""
        lengths = tuple(self.lengths)
        return {family: trend(self.results, family, lengths) for family in FAMILIES}

    @cached_property
    def front(self) -> pd.DataFrame:
        """The Pareto front: conditions that none with as few or fewer trainable parameters beats in CIDEr."""
        rows = self.table.drop_duplicates(["mapper", "tuned", "k"]).sort_values(
            ["trainable", "CIDEr"], ascending=[True, False]
        )
        return rows[rows.CIDEr > rows.CIDEr.cummax().shift(fill_value=-np.inf)]

    def sizes(self) -> pd.DataFrame:
        """Return the mappers' parameters in thousands, one row a mapper, one column a length."""
        rows = []
        for mapper, name in MAPPERS.items():
            line = self.line(family_of(mapper, False))
            cells = {f"k = {row.k}": f"{row.trainable / 1e3:,.1f}" for row in line.itertuples()}
            rows.append({"Mapper": name} | cells)
        return pd.DataFrame(rows)

    def seconds(self) -> pd.DataFrame:
        """Return the median seconds of a cell's training and decoding, one row a curve, one column a length."""
        return pd.DataFrame(
            [
                {"Mapper": title_of(family)}
                | {f"k = {row.k}": f"{row.seconds:.1f}" for row in self.line(family).itertuples()}
                for family in FAMILIES
            ]
        )

    def study_b_table(self) -> tuple[pd.DataFrame, list[str]]:
        """Return Study B's table in its form, published rows first, and the heading of each row."""
        published = [
            {"System": row.system} | {metric: as_printed(row.scores.get(metric)) for metric in BLEU}
            for row in self.published.prefix_lengths
        ]
        families = [family_of("mlp", tuned) for tuned in TUNED]
        ours = [self._bleu_row(condition) for family in families for condition in self._study_b(family)]
        groups = ["Published, on COCO"] * len(published)
        groups += [f"Here: {title_of(family)}" for family in families for _ in STUDY_B]
        return pd.DataFrame(published + ours), groups

    def _study_b(self, family: str) -> list[Condition]:
        return [self.named(family, k) for k in STUDY_B]

    def _bleu_row(self, condition: Condition) -> dict[str, str]:
        estimates = {metric: self.results.interval(condition, metric) for metric in BLEU}
        scores = {metric: with_interval(e.value, e.low, e.high) for metric, e in estimates.items()}
        return {"System": f"k = {condition.parameter:g}"} | scores

    def comparison_table(self) -> pd.DataFrame:
        """Return Study B's table of ClipCap beside other captioners, as published."""
        return self.published.reading_table(self.published.comparison, METRICS[3:])

    def later_table(self) -> pd.DataFrame:
        """Return systems published since, as published."""
        return self.published.reading_table(self.published.later, METRICS[3:])

    def tests_table(self) -> pd.DataFrame:
        """Return every test of the corrected family for reading."""
        return evidence_table(self.findings.tests).drop(columns="Cells")

    @property
    def shown(self) -> Sequence[Condition]:
        """The conditions whose captions are printed: Study B's, its tuned one, and two other mappers."""
        return [
            *self._study_b(STUDY_B_FAMILY),
            self.named(family_of("mlp", True), STUDY_B[1]),
            self.named(family_of("linear", False), STUDY_B[1]),
            self.named(family_of("transformer", False), STUDY_B[1]),
        ]
