"""Tables of chapter 4: every row of the grid, the cosine of a candidate, the repaired method beside the Gaussian."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from capdec_core.shares import scientific, share_text
from capdec_core.statistics import Estimate
from capdec_core.studies.claims import Evidence
from capdec_core.studies.cosine_directed_view import CosineDirectedView
from capdec_core.studies.phrases import asked
from capdec_core.tables import DASH, Markup, p_text, with_interval


def grid_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Return every row of the grid for reading, from `CosineDirectedView.rows`."""
    triples = zip(rows.CIDEr, rows.CIDEr_low, rows.CIDEr_high, strict=True)
    return pd.DataFrame(
        {
            "Threshold and N": [f"t {t:g}, N {n}" for t, n in zip(rows.threshold, rows.n, strict=True)],
            "Kept, predicted": [share_text(value) for value in rows.predicted],
            "Kept, measured": [share_text(value) for value in rows.measured],
            "Variance left": [variance_text(value) for value in rows.variance],
            "Cosine": [row_cosine_text(row) for row in rows.to_dict("records")],
            "CIDEr": [with_interval(*triple) for triple in triples],
            "Seeds": rows.seeds,
            "Same training as": [_owner(row) for row in rows.to_dict("records")],
        }
    )


def grid_groups(rows: pd.DataFrame) -> list[str]:
    """Return the heading of each row of `grid_columns`: its arm and beta."""
    return [f"{place(norm)}, β = {beta:g}" for norm, beta in zip(rows.norm, rows.beta, strict=True)]


def place(norm: float) -> str:
    """Return how an arm is called: "Unit norm" or "Norm 10"."""
    return "Unit norm" if norm == 1 else f"Norm {norm:g}"


def cosine_text(value: float) -> str:
    """Return a cosine with four decimals; ">0.9999" for what would round to 1."""
    return ">0.9999" if value >= 0.99995 else f"{value:.4f}".replace("-", "−")


def row_cosine_text(row: Mapping[str, Any]) -> str:
    """Return the cosine of a row of the grid; exactly 1 where nothing is kept."""
    return "1" if row["kept"] == "nothing" else cosine_text(row["cosine"])


def variance_text(value: float | None) -> str:
    """Return a variance per coordinate, as a power of ten where it is tiny; a dash for none."""
    return DASH if value is None or pd.isna(value) else scientific(value)


def _owner(row: Mapping[str, Any]) -> Markup:
    """Return whose training a row is, without what the two have in common, and a link to its cell."""
    own = row["label"].split(", ")
    told = [part for part in row["same as"].split(", ") if part not in own]
    link = f'<a href="#cell-{row["cell"]}"><code>{row["cell"][:6]}</code></a>'
    return Markup(f"{', '.join(told) or DASH} {link}")


def candidate_cosines(study: CosineDirectedView) -> pd.DataFrame:
    """Return the mean cosine of one candidate with its embedding, by beta: a column a norm and dimension."""
    table = study.acceptance
    first = table[table.threshold == table.threshold.min()]
    shown = first.pivot(index="beta", columns=["norm", "dim"], values="cosine").sort_index(axis=1)
    shown.columns = [f"{place(norm)}, d = {dim}" for norm, dim in shown.columns]
    shown = shown.map(cosine_text)
    shown.insert(0, "β", [f"{beta:g}" for beta in shown.index])
    return shown.reset_index(drop=True)


def repaired_columns(study: CosineDirectedView) -> pd.DataFrame:
    """Return noise at a fixed cosine beside Gaussian noise, a line a cosine: scores, difference, equivalence."""
    return pd.DataFrame(
        {
            "Cosine": f"{test.a.parameter:g} (variance {variance_text(test.b.parameter)})",
            "CIDEr, fixed": _with_interval(study.score(test.a)),
            "CIDEr, Gaussian": _with_interval(study.score(test.b)),
            "Difference": _with_interval(asked(study.contrasts, test.question).estimate, signed=True),
            "p (Holm)": _p(asked(study.contrasts, test.question)),
            "Difference, 90% interval": _with_interval(test.estimate, signed=True),
            "p, equivalence (Holm)": _p(test),
        }
        for test in study.equivalences
    )


def _with_interval(estimate: Estimate, *, signed: bool = False) -> str:
    return with_interval(estimate.value, estimate.low, estimate.high, signed=signed)


def _p(evidence: Evidence) -> str:
    return DASH if evidence.p_value is None else p_text(evidence.p_value)
