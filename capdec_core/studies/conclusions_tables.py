"""Chapter 9's tables for reading."""

from html import escape

import pandas as pd

from capdec_core.chart_style import POINTS
from capdec_core.ledger import LedgerRow
from capdec_core.studies import NOTEBOOKS
from capdec_core.studies.conclusions_view import VERDICTS, Conclusions
from capdec_core.tables import DASH, Markup, p_text, with_interval


def ledger(study: Conclusions) -> pd.DataFrame:
    """Return one row a claim: verdict, deciding estimate in points, corrected p or margin, a link to its cell."""
    return pd.DataFrame([_line(row) for row in study.rows])


def ledger_groups(study: Conclusions) -> list[str]:
    """Return the heading of each row of `ledger`: source and chapter."""
    return [f"{row.source} (chapter {row.chapter})" for row in study.rows]


def counts(study: Conclusions) -> pd.DataFrame:
    """Return how many claims have each verdict, one row a study."""
    return study.counts.rename(columns={verdict: verdict.capitalize() for verdict in VERDICTS})


def work(study: Conclusions) -> pd.DataFrame:
    """Return one row a chapter: conditions, captioners behind them, and how many of those no earlier chapter has.

    Seconds are wall-clock time of training and decoding of the captioners that the chapter is the first to use.
    """
    seen: set[str] = set()
    rows = []
    for name, chapter in study.chapters.items():
        cells = {cell.id: cell for found in chapter.results.cells.values() for cell in found}
        new = [cell for cell in cells.values() if cell.id not in seen]
        seconds = sum(chapter.results.store.record(cell)["seconds"] for cell in new)
        seen |= set(cells)
        rows.append(
            {
                "Chapter": f"{int(NOTEBOOKS[name][:2])}, {name.replace('_', ' ')}",
                "Conditions": len(chapter.results.cells),
                "Cells": len(cells),
                "First used here": len(new),
                "Seconds": f"{seconds:.0f}",
                "Claims": len(study.by_chapter[name]),
            }
        )
    return pd.DataFrame(rows)


def _line(row: LedgerRow) -> dict[str, object]:
    e = row.evidence[0]
    verdict = f'<strong class="verdict {row.verdict.replace(" ", "-")}">{escape(row.verdict)}</strong>'
    return {
        "Claim": row.claim,
        "Verdict": Markup(verdict),
        "Deciding estimate": with_interval(e.estimate, e.low, e.high, signed=True),
        "of": e.metric,
        "p (Holm)": DASH if e.p is None else p_text(e.p),
        "Margin": DASH if e.margin is None else f"±{POINTS * e.margin:.3g}",
        "Cell": Markup(f'<a href="{escape(e.link)}"><code>{escape(e.cell[:6])}</code></a>'),
    }
