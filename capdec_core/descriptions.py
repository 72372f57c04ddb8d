"""Alternative texts of the book's charts, written from the tables that the charts draw."""

import pandas as pd

from capdec_core.chart_parts import spoken
from capdec_core.chart_style import FAMILIES, POINTS


def of_quality(table: pd.DataFrame, metric: str = "CIDEr") -> str:
    """Describe `figures.quality_against_cosine`: each family's range and peak, each control's level."""
    parts = [_peak(table[table.family == family], family, metric) for family in FAMILIES]
    controls = table[~table.family.isin(FAMILIES)]
    levels = [f"{row.label} {POINTS * getattr(row, metric):.1f}" for row in controls.itertuples()]
    curves = "; ".join(part for part in parts if part)
    return (
        f"{metric} in points against the measured cosine of the training noise. {curves}. "
        f"Horizontal bands: {'; '.join(levels)}."
    )


def _peak(rows: pd.DataFrame, family: str, metric: str) -> str:
    if rows.empty:
        return ""
    top = rows.loc[rows[metric].idxmax()]
    reach = f"cosine {rows.cosine.max():.2f} to {rows.cosine.min():.2f}"
    return f"{family}: {reach}, highest {POINTS * top[metric]:.1f} at {top.cosine:.2f}"


def of_sweep(table: pd.DataFrame, reconstruction: pd.DataFrame, metric: str = "CIDEr") -> str:
    """Describe `figures.noise_curve`: both curves' values at each variance."""
    told = {"From images": table, "Text to text": reconstruction}
    parts = []
    for name, rows in told.items():
        gaussian = rows[rows.family == "gaussian"].sort_values("variance")
        values = ", ".join(
            f"{v:g}: {POINTS * y:.1f}" for v, y in zip(gaussian.variance, gaussian[metric], strict=True)
        )
        parts.append(f"{name}, {metric} in points by variance: {values}.")
    return " ".join(parts)


def of_forest(table: pd.DataFrame) -> str:
    """Describe `figures.contrast_forest`: each difference with its interval."""
    rows = [
        f"{row['label']}: {spoken((row['difference'], row['low'], row['high']), signed=True)}"
        for row in table.to_dict("records")
    ]
    return f"Differences in points with 95% intervals. {'; '.join(rows)}."


def of_ruler(table: pd.DataFrame) -> str:
    """Describe `figures.noise_ruler`: the range of cosines of each family."""
    rows = []
    for family in FAMILIES:
        cosines = table.cosine[table.family == family]
        if len(cosines):
            rows.append(f"{family} {cosines.min():.3f} to {cosines.max():.3f}")
    return f"Measured cosines of the training noise: {'; '.join(rows)}."
