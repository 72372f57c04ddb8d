"""Alternative text of chapter 9's chart."""

import pandas as pd

from capdec_core.tables import points


def of_estimates(frame: pd.DataFrame) -> str:
    """Return what `figures_conclusions.deciding_estimates` shows: every claim's verdict and deciding estimate."""
    rows = [
        f"{row['claim'].rstrip('.')}: {row['verdict']}, {points(row['estimate'], signed=True)} "
        f"({points(row['low'], signed=True)} to {points(row['high'], signed=True)}) points of {row['metric']}"
        for row in frame.to_dict("records")
    ]
    return f"Deciding estimates with intervals. {'; '.join(rows)}."
