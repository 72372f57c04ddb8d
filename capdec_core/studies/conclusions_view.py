"""What chapter 9 shows: the claims ledger, from the claims of all other chapters."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from capdec_core import paths
from capdec_core.ledger import EvidenceRow, LedgerRow, ledger_frame, write_ledger
from capdec_core.studies import NOTEBOOKS
from capdec_core.studies.claims import Claim, Evidence
from capdec_core.studies.view import StudyView

VERDICTS = ("supported", "not supported", "artefact", "undecided")
"""In the order in which they are told."""


@dataclass(frozen=True)
class Conclusions(StudyView):
    """The chapter's results; `chapters` are the other studies by name, in the book's order."""

    chapters: Mapping[str, StudyView]

    @cached_property
    def by_chapter(self) -> dict[str, list[Claim]]:
        """Every chapter's claims by its name."""
        return {name: list(chapter.claims) for name, chapter in self.chapters.items()}

    @property
    def claims(self) -> list[Claim]:
        """All claims, in the book's order."""
        return [claim for claims in self.by_chapter.values() for claim in claims]

    @cached_property
    def rows(self) -> list[LedgerRow]:
        """The ledger, one row a claim, in the book's order."""
        return [ledger_row(name, claim) for name, claims in self.by_chapter.items() for claim in claims]

    @property
    def frame(self) -> pd.DataFrame:
        """The ledger as a table (`capdec_core.ledger.COLUMNS`)."""
        return ledger_frame(self.rows)

    @property
    def sources(self) -> list[str]:
        """Who claims, in the order of first appearance: the studies."""
        return list(dict.fromkeys(row.source.split(",")[0] for row in self.rows))

    def of(self, source: str, *verdicts: str) -> list[LedgerRow]:
        """Return a study's rows with one of these verdicts (all, where none is given)."""
        return [
            row
            for row in self.rows
            if row.source.split(",")[0] == source and row.verdict in (verdicts or VERDICTS)
        ]

    @property
    def counts(self) -> pd.DataFrame:
        """How many claims have each verdict, one row a study, the last for both."""
        rows = [{"Source": s} | {v: len(self.of(s, v)) for v in VERDICTS} for s in self.sources]
        table = pd.DataFrame(rows, columns=["Source", *VERDICTS])
        total: dict[str, object] = {v: int(table[v].sum()) for v in VERDICTS}
        return pd.concat([table, pd.DataFrame([{"Source": "All"} | total])], ignore_index=True)

    def export(self) -> list[Path]:
        """Write the ledger to results/ledger/<profile>.csv and .json and return their paths."""
        stem = paths.LEDGER / self.profile.name
        write_ledger(self.rows, stem)
        return [stem.with_suffix(".csv"), stem.with_suffix(".json")]


def ledger_row(study: str, claim: Claim) -> LedgerRow:
    """Return a study's claim as a row of the ledger, its evidence linked to the study's page."""
    evidence = tuple(_evidence(study, found) for found in claim.evidence)
    number = int(NOTEBOOKS[study][:2])
    return LedgerRow(number, claim.source, claim.claim, claim.verdict, claim.reason, evidence)


def _evidence(study: str, found: Evidence) -> EvidenceRow:
    e = found.estimate
    return EvidenceRow(
        question=found.question,
        metric=found.metric,
        estimate=e.value,
        low=e.low,
        high=e.high,
        level=e.level,
        p=found.p_value,
        margin=found.margin,
        cell=found.cell,
        link=f"{NOTEBOOKS[study]}.html#cell-{found.cell}",
        sides=found.sides,
    )
