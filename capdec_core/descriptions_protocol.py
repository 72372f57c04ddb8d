"""Alternative texts of chapter 8's charts, from the tables that they draw."""

import pandas as pd

from capdec_core.statistics import Estimate
from capdec_core.studies.protocol_scores import PUBLISHED, SEED, WHOLE
from capdec_core.tables import points


def of_scores(table: pd.DataFrame) -> str:
    """Return what `figures_protocol.scores_by_choice` shows."""
    own = table.iloc[0]
    best = table.loc[table[WHOLE].idxmax()]
    return (
        f"Scores of {len(table)} systems on chosen and on all test images. The baseline falls from "
        f"{points(own[PUBLISHED])} to {points(own[SEED])} points where another seed chooses, and to "
        f"{points(own[WHOLE])} on all images, where {best.label} is highest with {points(best[WHOLE])}."
    )


def of_effects(table: pd.DataFrame, luck: Estimate) -> str:
    """Return what `figures_protocol.effect_of_choice` shows."""
    least, most = table.loc[table.effect.idxmin()], table.loc[table.effect.idxmax()]
    missed = (table.effect - table.predicted).abs().max()
    return (
        f"Effect of the choice on the baseline's advantage over {len(table)} systems, from {points(least.effect)} "
        f"points ({least.label}) to {points(most.effect)} ({most.label}); luck alone is {points(luck.value)} points. "
        f"Predicted and measured effects differ by at most {points(missed)} points."
    )


def of_ranks(table: pd.DataFrame) -> str:
    """Return what `figures_protocol.rank_slopes` shows."""
    first = [table.loc[table[f"rank, {name}"].idxmin()].label for name in (PUBLISHED, WHOLE)]
    moved = int((table[f"rank, {PUBLISHED}"] != table[f"rank, {WHOLE}"]).sum())
    return (
        f"Ranks of {len(table)} systems by Study A's protocol, by another seed's choice, and on all images: {moved} "
        f"systems change their rank between the first and the last. First are {first[0]} and {first[1]}."
    )


def of_numbers(table: pd.DataFrame, chosen: int) -> str:
    """Return what `figures_protocol.advantage_by_number` shows."""
    largest = int(table.n.max())
    at = {
        (n, name): points(rows.advantage.iloc[0], signed=True)
        for (n, name), rows in table.groupby(["n", "protocol"])
        if n in (chosen, largest)
    }
    return (
        f"The baseline's advantage over the closest alternative against the number of chosen images: "
        f"{at[chosen, PUBLISHED]} points with {chosen} images that its own captions chose, {at[chosen, SEED]} with "
        f"{chosen} that another seed chose, {at[largest, PUBLISHED]} with all {largest}."
    )
