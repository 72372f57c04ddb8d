"""Chapter 8's tables for reading."""

import pandas as pd

from capdec_core.studies.protocol_claims import EFFECT, Compared, of_protocol
from capdec_core.studies.protocol_scores import PROTOCOLS, PUBLISHED, SEED, WHOLE
from capdec_core.studies.protocol_view import ProtocolStudy
from capdec_core.tables import p_text, score_columns, with_interval

COMPARED = {
    PUBLISHED: "Own captions",
    SEED: "Another seed",
    WHOLE: "All images",
    EFFECT: "Effect",
}
"""Titles of the columns of `advantages`."""


def systems(study: ProtocolStudy) -> pd.DataFrame:
    """Return one row a system: its trainings, and its CIDEr on all test images in points."""
    rows = []
    for condition in study.systems:
        found = study.results.interval(condition, "CIDEr")
        rows.append(
            {
                "System": condition.label,
                "Seeds": condition.seeds,
                "CIDEr, all test images": with_interval(found.value, found.low, found.high),
            }
        )
    return pd.DataFrame(rows)


def scores(study: ProtocolStudy) -> pd.DataFrame:
    """Return one row a system: MiniLM in points under every protocol."""
    return score_columns(study.scores, PROTOCOLS)


def advantages(study: ProtocolStudy) -> pd.DataFrame:
    """Return one row an alternative of Study A: the baseline's advantage in points, and two corrected p-values."""
    found = {name: of_protocol(study.contrasts, name, study.baseline) for name in COMPARED}
    rows = []
    for b in found[WHOLE]:
        row = {"Baseline minus": b.label}
        row |= {title: _starred(found[name][b]) for name, title in COMPARED.items()}
        row |= {
            f"p, {what}": p_text(found[name][b].p_value or 0)
            for name, what in ((WHOLE, "all"), (EFFECT, "effect"))
        }
        rows.append(row)
    return pd.DataFrame(rows)


def advantage_groups(study: ProtocolStudy) -> list[str]:
    """Return the heading of each row of `advantages`."""
    return [study.heading(b) for b in of_protocol(study.contrasts, WHOLE, study.baseline)]


def choosers(study: ProtocolStudy) -> pd.DataFrame:
    """Return ranks by who chooses, the chooser's own rank with how often it comes first over resamples."""
    table = study.choosers
    rows = []
    for row in table.to_dict("records"):
        own = row["chooser"]
        told = {
            name: f"{row[name]} ({100 * row['often']:.0f}%)" if name == own else str(row[name])
            for name in table.columns[1:-1]
        }
        rows.append({"Images chosen by": own} | told)
    return pd.DataFrame(rows)


def _starred(contrast: Compared) -> str:
    """Return the difference with its interval; a star where interval and corrected p agree that it is not 0."""
    e = contrast.estimate
    value, interval = with_interval(e.value, e.low, e.high, signed=True).split(" ", maxsplit=1)
    return f"{value}{'*' if contrast.sign else ''} {interval}"
