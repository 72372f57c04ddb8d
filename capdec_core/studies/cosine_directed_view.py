"""What chapter 4 shows: the grid row by row, the acceptance map, contrasts, and the repaired method."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from capdec_core.gap import Geometry
from capdec_core.noise import cosine_for_variance
from capdec_core.statistics import Estimate
from capdec_core.studies.claims import (
    Claim,
    Contrast,
    EquivalenceTest,
    contrast_table,
    contrasts,
    equivalences,
)
from capdec_core.studies.conditions import Condition
from capdec_core.studies.cosine_directed_acceptance import SEED, measured_map, predicted_map, unit_rows_of
from capdec_core.studies.cosine_directed_claims import at_equal_cosine, best_row, claims, pairs
from capdec_core.studies.cosine_directed_grid import FIXED, GAUSSIAN, RAW, UNIT, GridRow
from capdec_core.studies.noise_types_view import EQUIVALENCE_MARGIN
from capdec_core.studies.pretrained_capdec import PRETRAINED, published
from capdec_core.studies.view import StudyView

GROUPS = {
    "none": "Control",
    PRETRAINED: "Study A's baseline",
    GAUSSIAN: "Gaussian",
    FIXED: "Fixed cosine",
}


@dataclass(frozen=True)
class CosineDirectedView(StudyView):
    """The chapter's results: everything that the notebook shows.

    Attributes:
        geometry: of the encoder's gap.
        grid: the rows of both arms.
        unit_rows: unit embeddings of training captions (rows, d), on which acceptance is measured.
    """

    geometry: Geometry
    grid: tuple[GridRow, ...]
    unit_rows: Tensor

    def heading(self, condition: Condition) -> str:
        """Return the heading under which tables list the condition."""
        title = self.titles.get(condition.family)
        return f"Cosine-directed, {title.lower()}" if title else GROUPS[condition.family]

    @property
    def titles(self) -> dict[str, str]:
        """What the arms are called, by family."""
        return {UNIT: "Unit norm", RAW: f"Norm {self.profile.cosine_directed.raw_norm:g}"}

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a trained perturbation: conditions that share their first cell are listed once."""
        first: dict[str, Condition] = {}
        for condition in self.results.cells:
            first.setdefault(self.results.ids(condition)[0], condition)
        rows = [self.results.row(condition) for condition in first.values()]
        return pd.DataFrame(rows).astype({"parameter": float})

    @cached_property
    def rows(self) -> pd.DataFrame:
        """One line a row of the grid, both arms: acceptance, cosine, what it is the same as, and its score."""
        owners: dict[str, str] = {self.results.ids(self.none)[0]: self.none.label}
        return pd.DataFrame([self._line(row, owners) for row in self.grid])

    def _line(self, row: GridRow, owners: dict[str, str]) -> dict[str, Any]:
        cell = self.results.ids(row.condition)[0]
        owner = owners.setdefault(cell, row.condition.label)
        score = self.results.interval(row.condition, "CIDEr")
        return {
            "family": row.family,
            "label": row.condition.label,
            "norm": row.norm,
            "n": row.n,
            "beta": row.beta,
            "threshold": row.threshold,
            "kept": row.identity.kept,
            "chance": row.identity.chance,
            "predicted": row.noise.expected_acceptance(self.results.dim),
            "measured": self._measured(row),
            **self._averaged(row),
            "cosine": self._cosines[cell],
            "cell": cell,
            "same as": "" if owner == row.condition.label else owner,
            "seeds": row.condition.seeds,
            "CIDEr": score.value,
            "CIDEr_low": score.low,
            "CIDEr_high": score.high,
        }

    def _measured(self, row: GridRow) -> float:
        share = row.noise.acceptance(self.unit_rows, torch.Generator().manual_seed(SEED))
        return share.double().mean().item()

    def _averaged(self, row: GridRow) -> dict[str, float | None]:
        """Return the variance per coordinate that the mean of all N leaves, and its cosine, where all are kept."""
        if row.identity.kept == "something":
            return {"variance": None, "predicted cosine": None}
        variance = row.noise.beta**2 / row.n if row.identity.kept == "everything" else 0.0
        return {"variance": variance, "predicted cosine": cosine_for_variance(variance, self.results.dim)}

    @cached_property
    def _cosines(self) -> dict[str, float]:
        """Measured mean cosine of each grid cell, by the id of its first seed's cell."""
        found: dict[str, Condition] = {}
        for row in self.grid:
            found.setdefault(self.results.ids(row.condition)[0], row.condition)
        return {cell: self.results.cosine(condition) for cell, condition in found.items()}

    @cached_property
    def acceptance(self) -> pd.DataFrame:
        """The acceptance map at both norms, in the encoder's own and in CLIP's dimensions."""
        grid, own = self.profile.cosine_directed, self.results.dim
        dims = sorted({own, *grid.map_dims})
        table = predicted_map(dims, [1.0, grid.raw_norm], grid.betas, grid.thresholds)
        rows = {dim: self.unit_rows if dim == own else unit_rows_of(dim) for dim in dims}
        return measured_map(table, rows)

    @cached_property
    def contrasts(self) -> list[Contrast]:
        """The chapter's family of contrasts, corrected together."""
        return contrasts(self.results, pairs(self.results, self.grid))

    @property
    def contrast_table(self) -> pd.DataFrame:
        """One row a contrast."""
        return contrast_table(self.contrasts)

    @cached_property
    def equivalences(self) -> list[EquivalenceTest]:
        """Fixed cosine and Gaussian noise at each cosine: do they differ by less than the margin?"""
        return equivalences(self.results, at_equal_cosine(self.results), EQUIVALENCE_MARGIN)

    @cached_property
    def claims(self) -> list[Claim]:
        """Study A's claim in its two halves, with their verdicts."""
        cosines = self.rows.cosine[self.rows.family == UNIT].tolist()
        return claims(self.contrasts, cosines, self.fixed)

    @property
    def none(self) -> Condition:
        """Training without noise."""
        return self.named("none")

    @cached_property
    def literal(self) -> Condition:
        """The row at unit norm that decides: the best on validation images of those with several seeds."""
        return best_row(self.results, self.grid, UNIT)

    @cached_property
    def raw(self) -> Condition:
        """The row at raw norm that decides."""
        return best_row(self.results, self.grid, RAW)

    @cached_property
    def fixed(self) -> Condition:
        """Noise at the fixed cosine that scores highest on validation images."""
        return self.results.best(self.family(FIXED))

    @cached_property
    def gaussian(self) -> Condition:
        """Gaussian noise at the cosine that scores highest on validation images."""
        return self.results.best(self.family(GAUSSIAN))

    def score(self, condition: Condition) -> Estimate:
        """Return CIDEr on captions of test images with its interval."""
        return self.results.interval(condition, "CIDEr")

    @property
    def shown(self) -> list[Condition]:
        """The conditions whose captions are printed, each captioner once."""
        wanted = (self.none, self.literal, self.raw, self.fixed, self.gaussian, *published(self.results))
        return list({self.results.ids(condition): condition for condition in reversed(wanted)}.values())[::-1]
