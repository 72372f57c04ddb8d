"""The claims ledger as a file: one row a claim, as CSV for reading and as JSON with all evidence."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd

from capdec_core.errors import CapdecError
from capdec_core.files import read_json, write_atomic, write_json

SCHEMA = 1
"""Version of the JSON file; it changes with the names or the meaning of its fields."""


@dataclass(frozen=True)
class EvidenceRow:
    """One measurement that bears on a claim.

    Attributes:
        question: what it decides, in words.
        metric, estimate, low, high: the metric, its own value (no points) and its interval.
        level: of the interval; 0.9 where two one-sided tests at 5% read it.
        p: p-value, corrected within its chapter's family.
        margin: of an equivalence test, in the metric's units; None where a difference is tested.
        cell: id of the cell that decides it.
        link: page and place in the report where that cell stands.
        sides: ids of all cells behind it, one tuple a side of a difference.
    """

    question: str
    metric: str
    estimate: float
    low: float
    high: float
    level: float
    p: float | None
    margin: float | None
    cell: str
    link: str
    sides: tuple[tuple[str, ...], ...]

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Self:
        """Return the evidence whose `dataclasses.asdict`, by way of JSON, is `table`."""
        return cls(**{**table, "sides": tuple(tuple(side) for side in table["sides"])})


@dataclass(frozen=True)
class LedgerRow:
    """A claim, its verdict and its evidence, of which the first decides.

    Attributes:
        chapter: the chapter that examines it.
        source: who claims it.
        claim, verdict, reason: as the chapter says them.
        evidence: at least one.
    """

    chapter: int
    source: str
    claim: str
    verdict: str
    reason: str
    evidence: tuple[EvidenceRow, ...]

    def __post_init__(self) -> None:
        """Refuse a claim that nothing decides."""
        if not self.evidence:
            raise ValueError(f"no evidence for the claim {self.claim!r}")

    def flat(self) -> dict[str, Any]:
        """Return the claim's line of the table: itself and its deciding evidence."""
        row = vars(self) | asdict(self.evidence[0])
        return {column: row[column] for column in COLUMNS}


COLUMNS = (
    "chapter", "source", "claim", "metric", "estimate", "low", "high", "p", "margin", "verdict", "reason",
    "cell", "link",
)  # fmt: skip
"""Columns of the table and of the CSV file, in order."""


def ledger_frame(rows: Sequence[LedgerRow]) -> pd.DataFrame:
    """Return the ledger as a table, one row a claim, with `COLUMNS`."""
    numbers = dict.fromkeys(("estimate", "low", "high", "p", "margin"), float)
    return pd.DataFrame([row.flat() for row in rows], columns=list(COLUMNS)).astype(numbers)


def write_ledger(rows: Sequence[LedgerRow], stem: Path) -> None:
    """Write `stem`.csv and `stem`.json, each atomically. ValueError for a number that is not finite."""
    write_json(stem.with_suffix(".json"), {"schema": SCHEMA, "claims": [asdict(row) for row in rows]})
    write_atomic(stem.with_suffix(".csv"), ledger_frame(rows).to_csv(index=False, lineterminator="\n"))


def read_ledger(path: Path) -> list[LedgerRow]:
    """Return the rows of a JSON ledger; CapdecError where the file is something else or of another schema."""
    table = read_json(path)
    if not isinstance(table, dict) or table.get("schema") != SCHEMA:
        raise CapdecError(f"{path} is not a claims ledger of schema {SCHEMA}: compute chapter 9 anew")
    return [
        LedgerRow(**{**row, "evidence": tuple(EvidenceRow.from_dict(entry) for entry in row["evidence"])})
        for row in table["claims"]
    ]
