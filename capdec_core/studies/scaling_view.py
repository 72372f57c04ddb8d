"""What chapter 10 shows: predicted and measured cost of the cells that are here, and a plan of those of paper scale."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from capdec_core.cell import CellConfig
from capdec_core.planning.cluster import EITHER_WAY, Campaign
from capdec_core.planning.speed import Speed
from capdec_core.planning.work import work_of
from capdec_core.studies.claims import Claim
from capdec_core.studies.view import StudyView

GPUS = (8, 64)
"""For which the grid is planned."""
CURVE = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MIDDLE = (5, 95)
"""Percentiles between which most of the ratios lie."""


@dataclass(frozen=True)
class Scaling(StudyView):
    """The chapter's results.

    Attributes:
        speed: of this machine, as it was timed before the cells were computed.
        campaign: the whole grid of paper scale.
    """

    speed: Speed
    campaign: Campaign

    @property
    def claims(self) -> list[Claim]:
        """None: nobody claims anything."""
        return []

    @cached_property
    def costs(self) -> pd.DataFrame:
        """One row a trained cell: mapper, a name of its shape, predicted and measured seconds, and their ratio."""
        table = pd.DataFrame(self._costs())
        return table.assign(ratio=table.measured / table.predicted)

    def _costs(self) -> Iterator[dict[str, Any]]:
        cells = {cell.id: cell for found in self.results.cells.values() for cell in found}
        for cell in cells.values():
            if isinstance(cell, CellConfig):
                yield {
                    "mapper": cell.mapper["kind"],
                    "shape": _shape(cell),
                    "predicted": self.speed.seconds(work_of(cell)),
                    "measured": self.results.store.record(cell)["seconds"],
                }

    @cached_property
    def shapes(self) -> pd.DataFrame:
        """One row a shape: mapper, cells, median predicted seconds; measured: median, least and most."""
        groups = self.costs.groupby("shape", sort=False)
        return pd.DataFrame(
            {
                "mapper": groups.mapper.first(),
                "cells": groups.size(),
                "predicted": groups.predicted.median(),
                "measured": groups.measured.median(),
                "measured_low": groups.measured.min(),
                "measured_high": groups.measured.max(),
            }
        ).reset_index()

    @property
    def ratio(self) -> tuple[float, float, float]:
        """Measured by predicted seconds: median over the trained cells, and the percentiles `MIDDLE`."""
        low, high = np.percentile(self.costs.ratio, MIDDLE)
        return float(self.costs.ratio.median()), float(low), float(high)

    @property
    def assumes(self) -> bool:
        """Whether the speed of a GPU is assumed, and not measured here."""
        return self.campaign.speed.steps == 0

    @property
    def costliest(self) -> float:
        """Hours of the costliest cell of paper scale on one GPU."""
        return max(self.campaign.seconds.values()) / 3600

    @cached_property
    def walls(self) -> pd.DataFrame:
        """One row a number of GPUs: hours of the cells and of the whole, with their range where a speed is assumed."""
        return pd.DataFrame([self._wall(count) for count in CURVE])

    def _wall(self, count: int) -> dict[str, float]:
        phases, either = self.campaign.phases(count), EITHER_WAY if self.assumes else 1.0
        beside = phases.whole - phases.cells
        whole = [(beside + phases.cells * factor) / 3600 for factor in (1 / either, 1.0, either)]
        return {"gpus": count, "cells": phases.cells / 3600} | dict(
            zip(("low", "whole", "high"), whole, strict=True)
        )


def _shape(cell: CellConfig) -> str:
    """Return a name for what cells of one cost have in common: all but noise and seed."""
    mapper, tuned = cell.mapper, "tuned" if cell.language_model["tuned"] else "frozen"
    depth = f", {mapper['layers']} layers" if mapper["kind"] == "transformer" else ""
    hidden = f", hidden {mapper['hidden']}" if mapper["hidden"] else ""
    inner = f", width {mapper['inner_width']}" if mapper["inner_width"] else ""
    twice = ", twice a step" if cell.bridge["noise"]["kind"] == "NormalisedGradient" else ""
    reads = len(cell.evaluations)
    name = f"{mapper['kind']}, d = {mapper['embedding_dim']}, k = {mapper['prefix_length']}{depth}{hidden}{inner}"
    return f"{name}, {tuned}, {cell.training['steps']} steps{twice}, {reads} sets of captions"
