"""A chapter's numbers as one tidy table: a line has one number, with its interval where it has one.

The column `kind` says what a line is about:
    score     a metric of a condition's captions: over all seeds with its interval, and of each seed alone
    noise     the perturbation of a condition in the common currency
    cell      what one cell cost, how large it is, its measured cosine and its final loss
    geometry  of the encoder's gap, where the chapter speaks of it
    test      an estimate that was put to a test, its p-value corrected over the chapter's family
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pandas as pd

from capdec_core.cell import CellConfig
from capdec_core.statistics import Estimate
from capdec_core.studies.claims import Evidence
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import MEANS, Results
from capdec_core.studies.view import StudyView

COLUMNS = (
    "kind", "family", "condition", "parameter", "split", "seed", "cell", "question", "metric",
    "estimate", "low", "high", "level", "p", "margin", "images", "seeds",
)  # fmt: skip
"""Columns in order. `estimate` and its bounds are in the metric's own units, not in points, over `images` and
`seeds`. `seed` and `cell` are empty where a line is of several; `cell` of a test is the first of those behind it."""

INTERVALS = (*MEANS, "BLEU-4")
"""Metrics whose intervals the chapters show."""

NOISE = {
    "variance": "variance",
    "std": "standard deviation",
    "noise_norm": "norm",
    "cosine": "cosine",
}
"""What is known of the noise: per coordinate, beside an embedding of norm 1."""

Row = dict[str, Any]


def tidy(study: StudyView) -> pd.DataFrame:
    """Return the chapter's tidy table with `COLUMNS`; conditions of the same captions stand there once."""
    results = study.results
    conditions: dict[tuple, Condition] = {}
    for condition in results.cells:
        conditions.setdefault((results.ids(condition), condition.evaluate), condition)
    rows = [row for c in conditions.values() for part in (_scores, _noise) for row in part(results, c)]
    rows += [*_cells(results), *_geometry(study), *_tests(study)]
    whole = dict.fromkeys(("seed", "images", "seeds"), "Int64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole | {"parameter": float})


def _scores(results: Results, condition: Condition) -> Iterator[Row]:
    decoded = {e.split for e in results.cells[condition][0].evaluations if e.source == condition.evaluate}
    for split in sorted(decoded):
        tables = results.scores(condition, split)
        about = _about(condition) | {
            "kind": "score",
            "split": split,
            "images": len(tables[0]["per_image"]["CIDEr"]),
        }
        for metric in tables[0]["corpus"]:
            yield (
                about
                | {"metric": metric, "seeds": len(tables)}
                | _over_seeds(results, condition, metric, split)
            )
            for cell, table in zip(results.cells[condition], tables, strict=True):
                own = {"seed": cell.seed, "cell": cell.id, "estimate": table["corpus"][metric]}
                yield about | {"metric": metric, "seeds": 1} | own


def _over_seeds(results: Results, condition: Condition, metric: str, split: str) -> Row:
    if split == "test" and metric in INTERVALS:
        return _bounds(results.interval(condition, metric))
    return {"estimate": results.corpus(condition, metric, split)}


def _noise(results: Results, condition: Condition) -> Iterator[Row]:
    told = results.noise(condition)
    for key, name in NOISE.items():
        if told[key] is not None:
            yield _about(condition) | {"kind": "noise", "metric": name, "estimate": told[key]}


def _cells(results: Results) -> Iterator[Row]:
    """Every number of every cell's record, each cell once."""
    seen: set[str] = set()
    for condition, cells in results.cells.items():
        trained = all(isinstance(cell, CellConfig) for cell in cells)
        losses = results.final_losses(condition) if trained else [None] * len(cells)
        for cell, record, loss in zip(cells, results.records(condition), losses, strict=True):
            if cell.id not in seen:
                about = _about(condition) | {"kind": "cell", "seed": cell.seed, "cell": cell.id}
                numbers = _numbers(record) | ({"final loss": loss} if trained else {})
                yield from (about | {"metric": name, "estimate": value} for name, value in numbers.items())
            seen.add(cell.id)


def _numbers(record: Row) -> Row:
    numbers = {name: value for name, value in sorted(record.items()) if isinstance(value, int | float)}
    return {name.replace("_", " "): value for name, value in numbers.items()}


def _geometry(study: StudyView) -> Iterator[Row]:
    """The numbers of the encoder's gap; retrieval by its k."""
    found = getattr(study, "geometry", None)
    for name, value in ({} if found is None else asdict(found)).items():
        ranks = value if isinstance(value, dict) else {None: value}
        for k, number in ranks.items():
            metric = name.replace("_", " ") + ("" if k is None else f", k = {k}")
            yield {"kind": "geometry", "metric": metric, "estimate": number}


def _tests(study: StudyView) -> Iterator[Row]:
    """The evidence of every claim, then the rest of the chapter's family of contrasts."""
    family: list[Evidence] = [e for claim in study.claims for e in claim.evidence]
    family += getattr(study, "contrasts", [])
    for e in dict.fromkeys(family):
        about = {"kind": "test", "question": e.question, "metric": e.metric, "cell": e.cell}
        counts = {"images": e.estimate.n_images, "seeds": e.estimate.n_seeds}
        yield about | counts | _bounds(e.estimate) | {"p": e.p_value, "margin": e.margin}


def _about(condition: Condition) -> Row:
    return {"family": condition.family, "condition": condition.label, "parameter": condition.parameter}


def _bounds(e: Estimate) -> Row:
    return {"estimate": e.value, "low": e.low, "high": e.high, "level": e.level}
