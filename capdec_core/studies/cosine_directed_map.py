"""The interactive map of chapter 4's grid, filled from the study."""

from typing import Any

from capdec_core.chart_style import POINTS
from capdec_core.interactive_map import Axis, Level, Place, grid_map
from capdec_core.shares import share_text
from capdec_core.studies.cosine_directed_tables import place, row_cosine_text, variance_text
from capdec_core.studies.cosine_directed_view import CosineDirectedView
from capdec_core.tables import with_interval

AXES = ("norm", "n", "beta", "threshold")


def of_grid(study: CosineDirectedView) -> str:
    """Return the map of both arms: acceptance, cosine, score with interval, and which rows are one training."""
    rows = study.rows
    values = {name: rows[name].unique().tolist() for name in AXES}
    axes = [
        Axis("Embeddings of", tuple(place(norm).lower() for norm in values["norm"])),
        Axis("N", tuple(f"{n}" for n in values["n"])),
        Axis("β", tuple(f"{beta:g}" for beta in values["beta"])),
        Axis("Threshold", tuple(f"{threshold:g}" for threshold in values["threshold"])),
    ]
    cells = rows.cell.unique().tolist()
    places = {
        tuple(values[name].index(row[name]) for name in AXES): Place(
            cells.index(row["cell"]), _tag(row), _facts(row)
        )
        for row in rows.to_dict("records")
    }
    trainings = [
        _level(row["cell"], row["CIDEr"], row["CIDEr_low"], row["CIDEr_high"])
        for row in rows.drop_duplicates("cell").to_dict("records")
    ]
    chosen = {"No noise": study.score(study.none), "Best Gaussian": study.score(study.gaussian)}
    levels = [_level(name, score.value, score.low, score.high) for name, score in chosen.items()]
    return grid_map(axes, places, trainings, levels, "CIDEr by norm of the embeddings, N, β and threshold")


def _level(name: str, value: float, low: float, high: float) -> Level:
    numbers = (POINTS * value, POINTS * low, POINTS * high)
    return Level(name, *numbers, text=f"CIDEr {with_interval(value, low, high)} points")


def _tag(row: dict[str, Any]) -> str:
    tags = {"nothing": "no noise", "everything": "all kept"}
    return tags.get(row["kept"]) or f"{share_text(row['predicted'])} kept"


def _facts(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return what the map says of a row below the buttons."""
    score = with_interval(row["CIDEr"], row["CIDEr_low"], row["CIDEr_high"])
    seeds = "one training seed" if row["seeds"] == 1 else f"{row['seeds']} training seeds"
    return (
        ("CIDEr", f"{score} points, {seeds}"),
        (
            "Candidates kept",
            f"{share_text(row['predicted'])} predicted, {share_text(row['measured'])} measured",
        ),
        ("Variance left", variance_text(row["variance"])),
        ("Mean cosine", row_cosine_text(row)),
        ("Training", f"the same as: {row['same as']}" if row["same as"] else "its own"),
    )
