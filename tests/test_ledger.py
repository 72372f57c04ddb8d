"""The ledger's files: one row a claim, nothing lost on the way to disk and back."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capdec_core.errors import CapdecError
from capdec_core.files import write_json
from capdec_core.ledger import COLUMNS, EvidenceRow, LedgerRow, ledger_frame, read_ledger, write_ledger

SIDES = (("c0ffee", "ba5e"), ("beef",))
DECIDING = EvidenceRow(
    "Is a better?", "CIDEr", 0.12, 0.05, 0.2, 0.95, 0.004, None, "c0ffee", "02.html#cell-c0ffee", SIDES
)
EQUAL = EvidenceRow(
    "Are they equal?", "BLEU-4", 0.01, -0.02, 0.03, 0.9, 0.01, 0.05, "beef", "03.html#cell-beef", SIDES
)
ROW = LedgerRow(2, "Study A", "Noise, “added”, helps.", "supported", "It does.", (DECIDING, EQUAL))

number = st.floats(-10, 10)
text = st.text(st.characters(codec="utf-8"), max_size=20)
sides = st.lists(st.lists(text, max_size=2).map(tuple), max_size=2).map(tuple)
maybe = st.none() | number
evidence = st.builds(EvidenceRow, text, text, number, number, number, number, maybe, maybe, text, text, sides)
claims = st.builds(
    LedgerRow,
    st.integers(1, 9),
    text,
    text,
    text,
    text,
    st.lists(evidence, min_size=1, max_size=3).map(tuple),
)


@settings(max_examples=25)
@given(rows=st.lists(claims, max_size=4))
def test_what_is_written_is_read(rows: list[LedgerRow], tmp_path_factory: pytest.TempPathFactory) -> None:
    stem = tmp_path_factory.mktemp("ledger") / "scenes"
    write_ledger(rows, stem)
    assert read_ledger(stem.with_suffix(".json")) == rows


def test_the_table_shows_the_deciding_evidence(tmp_path: Path) -> None:
    write_ledger([ROW, replace(ROW, chapter=3, evidence=(EQUAL,))], tmp_path / "scenes")
    table = pd.read_csv(tmp_path / "scenes.csv")
    assert tuple(table.columns) == COLUMNS
    pd.testing.assert_frame_equal(table, ledger_frame([ROW, replace(ROW, chapter=3, evidence=(EQUAL,))]))
    assert table.claim[0] == ROW.claim
    assert (table.estimate[0], table.low[0], table.high[0], table.p[0]) == (0.12, 0.05, 0.2, 0.004)
    assert (table.cell[0], table.link[0]) == ("c0ffee", "02.html#cell-c0ffee")
    assert np.isnan(table.margin[0])
    assert table.margin[1] == 0.05


def test_the_json_file_has_the_documented_shape(tmp_path: Path) -> None:
    write_ledger([ROW], tmp_path / "scenes")
    table = json.loads((tmp_path / "scenes.json").read_text())
    assert set(table) == {"schema", "claims"}
    (claim,) = table["claims"]
    assert set(claim) == {"chapter", "source", "claim", "verdict", "reason", "evidence"}
    assert set(claim["evidence"][0]) == {
        "question", "metric", "estimate", "low", "high", "level", "p", "margin", "cell", "link", "sides",
    }  # fmt: skip


def test_a_ledger_without_rows_still_has_its_columns() -> None:
    assert tuple(ledger_frame([]).columns) == COLUMNS


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_ledger([replace(ROW, evidence=(replace(DECIDING, low=float("nan")),))], tmp_path / "scenes")
    assert list(tmp_path.iterdir()) == []


def test_a_claim_needs_evidence() -> None:
    with pytest.raises(ValueError, match="no evidence"):
        replace(ROW, evidence=())


@pytest.mark.parametrize("content", [[], {"schema": 0, "claims": []}, {"claims": []}])
def test_another_file_is_refused_by_name(content: object, tmp_path: Path) -> None:
    write_json(tmp_path / "old.json", content)
    with pytest.raises(CapdecError, match=r"old\.json is not a claims ledger"):
        read_ledger(tmp_path / "old.json")
