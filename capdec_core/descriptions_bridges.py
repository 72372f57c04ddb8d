"""Alternative texts of chapter 7's charts, written from what they draw."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from capdec_core.chart_parts import spoken
from capdec_core.studies.bridges_grid import WAYS
from capdec_core.studies.bridges_law import LawTest


def of_ways(ranking: pd.DataFrame) -> str:
    """Describe `figures_bridges.ways_figure`: every way's score, the best first, with what it looks at."""
    rows = [f"{row['title']} ({row['sight']}) {_score(row)}" for row in ranking.to_dict("records")]
    return f"CIDEr in points with 95% intervals, by way and where it looks at images. {'; '.join(rows)}."


def of_shapes(shapes: pd.DataFrame) -> str:
    """Describe `figures_bridges.shapes_figure`: every shape's score."""
    rows = [f"{row['label']} {_score(row)}" for row in shapes.to_dict("records")]
    return f"CIDEr in points with 95% intervals, noise of one mean cosine by shape. {'; '.join(rows)}."


def of_memories(memories: pd.DataFrame) -> str:
    """Describe `figures_bridges.memory_figure`: both curves' values."""
    parts = []
    for noisy, rows in memories.groupby("noisy"):
        values = ", ".join(f"{row['captions']:,}: {_score(row)}" for row in rows.to_dict("records"))
        parts.append(f"{'With' if noisy else 'Without'} noise in training, by captions remembered: {values}")
    return f"CIDEr in points with 95% intervals of projections. {'. '.join(parts)}."


def of_pareto(fronts: Mapping[str, pd.DataFrame]) -> str:
    """Describe `figures_bridges.pareto_figure`: who lies on each front, the cheapest first."""
    parts = [f"{column}: {', '.join(front.title)}" for column, front in fronts.items()]
    return f"CIDEr against cost. On the Pareto fronts, the cheapest first, by {'; by '.join(parts)}."


def of_law(tests: Sequence[LawTest]) -> str:
    """Describe `figures_bridges.law_figure`: best variance, its interval and the prediction of each encoder."""
    rows = [
        f"{t.curve.encoder}, d = {t.curve.dim}: best {t.best:.3g} ({t.low:.3g} to {t.high:.3g})"
        + (f", predicted {t.curve.predicted:.3g}" if math.isfinite(t.curve.predicted) else "")
        for t in tests
    ]
    return f"Validation CIDEr against the variance of Gaussian noise. {'; '.join(rows)}."


def of_lengths(lengths: pd.DataFrame, laws: Mapping[int, LawTest]) -> str:
    """Describe `figures_bridges.lengths_figure`: every curve's values, then the best variance at each length."""
    curves = []
    for (series, variance), rows in lengths.groupby(["series", "variance"], dropna=False, sort=False):
        name = f"variance {variance:g}" if math.isfinite(variance) else WAYS[series].title
        values = ", ".join(f"{row['steps']:,}: {_score(row)}" for row in rows.to_dict("records"))
        curves.append(f"{name}: {values}")
    best = [f"{steps:,}: {test.best:.3g} ({test.low:.3g} to {test.high:.3g})" for steps, test in laws.items()]
    return (
        f"CIDEr in points with 95% intervals by steps of training. {'; '.join(curves)}. "
        f"Best variance on validation images by steps: {', '.join(best)}."
    )


def of_beside(table: pd.DataFrame) -> str:
    """Describe `figures_bridges.beside_figure`: every way's score on either side."""
    rows = [
        f"{row['title']}: "
        + ", ".join(
            f"{spoken((row[name], row[f'{name}_low'], row[f'{name}_high']))} {where}"
            for name, where in (("here", "across corpora"), ("there", "in domain"))
            if math.isfinite(row[name])
        )
        for row in table.to_dict("records")
    ]
    return f"CIDEr in points with 95% intervals, by way, across corpora and in domain. {'; '.join(rows)}."


def of_tests(table: pd.DataFrame) -> str:
    """Describe `figures_bridges.tests_figure`: each difference with its interval."""
    rows = [
        f"{row['label']}: {spoken((row['difference'], row['low'], row['high']), signed=True)}"
        for row in table.to_dict("records")
    ]
    return f"Differences in CIDEr in points with 95% intervals. {'; '.join(rows)}."


def _score(row: Mapping) -> str:
    return spoken((row["CIDEr"], row["CIDEr_low"], row["CIDEr_high"]))
