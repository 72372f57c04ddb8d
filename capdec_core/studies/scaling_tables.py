"""Chapter 10's tables for reading."""

from collections.abc import Mapping, Sequence

import pandas as pd

from capdec_core.cell import CellConfig, StoredCell
from capdec_core.planning.cluster import GPU, UTILISATION, Campaign, Phases, assumed
from capdec_core.planning.operations import PEAK_BF16
from capdec_core.planning.space import cell_bytes
from capdec_core.planning.tell import duration, size
from capdec_core.studies import NOTEBOOKS
from capdec_core.studies.scaling_view import GPUS, Scaling
from capdec_core.tables import DASH

COMPARED = {"A100": (UTILISATION,), GPU: (0.1, UTILISATION, 0.4), "B200": (UTILISATION,)}
"""GPUs whose data sheets are set beside each other, with the shares of their peak that are assumed."""
PHASES = {"fetching": "downloads", "encoding": "encoding", "cells": "cells", "scoring": "scores"}
"""What the parts of a run are called."""


def grid(study: Scaling) -> pd.DataFrame:
    """Return one row a chapter of paper scale: its cells, and what those take that no earlier chapter has."""
    campaign = study.campaign
    seen: set[str] = set()
    rows = []
    for name, cells in campaign.grid.chapters.items():
        new = [cell for cell in cells if cell.id not in seen]
        seen |= {cell.id for cell in new}
        chapter = f"{int(NOTEBOOKS[name][:2])}, {name.replace('_', ' ')}"
        rows.append({"Chapter": chapter, "Cells": len(cells)} | _taken(campaign, new))
    everything = campaign.grid.cells
    rows.append({"Chapter": "All", "Cells": len(everything)} | _taken(campaign, everything))
    return pd.DataFrame(rows)


def _taken(campaign: Campaign, cells: Sequence[StoredCell]) -> dict[str, object]:
    hours = sum(campaign.seconds[cell.id] for cell in cells) / 3600
    return {
        "First used here": len(cells),
        "Trained": sum(isinstance(cell, CellConfig) for cell in cells),
        "GPU hours": f"{hours:.1f}",
        "On disk": size(cell_bytes(cells, campaign.profile)) if cells else DASH,
    }


def plan(study: Scaling) -> pd.DataFrame:
    """Return one row a number of GPUs: what each part of a run takes, and what it waits for most."""
    return pd.DataFrame([_planned(study.campaign, count) for count in (1, *GPUS)])


def _planned(campaign: Campaign, count: int) -> Mapping[str, object]:
    phases = campaign.phases(count)
    parts = {name.capitalize(): duration(getattr(phases, part)) for part, name in PHASES.items()}
    idle = f"{campaign.schedule(count).idle:.0%}"
    return (
        {"GPUs": count}
        | parts
        | {"All": duration(phases.whole), "GPUs wait": idle, "Limit": limit(campaign, phases)}
    )


def limit(campaign: Campaign, phases: Phases) -> str:
    """Return the part of a run that takes most; of the cells, the costliest where it takes nearly all of their time."""
    costliest = max(campaign.seconds.values())
    if phases.longest == "cells" and costliest > 0.9 * phases.cells:
        return "the costliest cell"
    return PHASES[phases.longest]


def speeds(study: Scaling) -> pd.DataFrame:
    """Return one row a speed of a GPU: hours of the cells by their number; assumed, but for a GPU that was timed."""
    timed = [] if study.assumes else [(study.campaign.speed.machine, None, study.campaign)]
    others = [
        (gpu, share, study.campaign.at(assumed(gpu, share)))
        for gpu, shares in COMPARED.items()
        for share in shares
    ]
    return pd.DataFrame([_at(*row) for row in timed + others])


def _at(gpu: str, share: float | None, campaign: Campaign) -> Mapping[str, object]:
    told = (
        "measured here" if share is None else f"{share:.0%} of {PEAK_BF16[gpu] / 1e12:.0f} Tflop/s, assumed"
    )
    walls = {f"Hours on {count}": f"{campaign.schedule(count).wall / 3600:.1f}" for count in (1, *GPUS)}
    return {"GPU": gpu, "Speed": told} | walls


def storage(study: Scaling) -> pd.DataFrame:
    """Return one row a kind of file: what it takes."""
    campaign = study.campaign
    kinds = {
        "Data sets, fetched": campaign.data,
        "Weights of encoders and language model, fetched": campaign.weights,
        "Embeddings": campaign.banks,
        "Cells: captioners, captions, scores, losses": campaign.kept,
    }
    kinds["All"] = sum(kinds.values())
    return pd.DataFrame([{"What": name, "On disk": size(count)} for name, count in kinds.items()])
