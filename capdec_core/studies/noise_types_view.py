"""What chapter 2 shows: its tables, contrasts, examples and measurements, each computed from the scored cells."""

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from capdec_core.gap import Geometry
from capdec_core.statistics import Equivalence, Estimate, equivalence
from capdec_core.studies.claims import Claim, Contrast, contrast_table, contrasts
from capdec_core.studies.conditions import Condition
from capdec_core.studies.noise_types_claims import (
    best_gradient,
    claims,
    nearest,
    pairs,
)
from capdec_core.studies.pretrained_capdec import PRETRAINED, baseline_of, published
from capdec_core.studies.results import Results
from capdec_core.studies.view import StudyView, difference
from capdec_core.tables import with_interval

EQUIVALENCE_MARGIN = 0.1
"""CIDEr (10 points): a smaller difference between two forms of noise is called none. Fixed in advance."""

GROUPS = {
    PRETRAINED: "Study A's baseline",
    "gaussian": "Gaussian",
    "uniform ball": "Uniform ball",
    "student t, literal": "Student t, as Study A wrote it",
    "student t, matched": "Student t, variance matched",
    "multivariate t": "Multivariate t, variance matched",
    "gradient": "Gradient, ascending the loss",
    "gradient, descending": "Gradient, descending the loss",
    "random direction": "Random direction",
}
"""Headings of the families in tables; what is not named is a control."""


@dataclass(frozen=True)
class NoiseTypes(StudyView):
    """The chapter's results: everything that the notebook shows."""

    geometry: Geometry

    def heading(self, condition: Condition) -> str:
        """Return the heading under which tables list the condition."""
        return GROUPS.get(condition.family, "Controls")

    @cached_property
    def contrasts(self) -> list[Contrast]:
        """The chapter's family of contrasts, corrected together."""
        return contrasts(
            self.results, pairs(self.results, self.profile.noise_types, self.geometry.calibrated_variance)
        )

    @property
    def contrast_table(self) -> pd.DataFrame:
        """One row a contrast."""
        return contrast_table(self.contrasts)

    @cached_property
    def claims(self) -> list[Claim]:
        """Study A's claims with their verdicts."""
        return claims(self.contrasts)

    @cached_property
    def none(self) -> Condition:
        """Training without noise."""
        return self.named("none")

    @cached_property
    def baseline(self) -> Condition:
        """What Study A compares with: pre-trained CapDec, or what is trained here as it was."""
        return baseline_of(self.results)

    @cached_property
    def best(self) -> Condition:
        """The Gaussian whose variance scores highest on validation images."""
        return self.results.best(self.family("gaussian"))

    @cached_property
    def nearest_to_law(self) -> Condition | None:
        """The Gaussian whose variance is nearest, as a ratio, to v*; None where the law has no solution."""
        return nearest(self.family("gaussian"), self.geometry.calibrated_variance)

    @cached_property
    def as_texts(self) -> Results:
        """The captioners without noise and with Gaussian noise, given each test caption's own text embedding."""
        cells = self.results.cells
        kept = {c: cells[c] for c in cells if c.family in ("none", "gaussian")}
        return replace(self.results, cells={replace(c, evaluate="text"): found for c, found in kept.items()})

    @cached_property
    def reconstruction(self) -> pd.DataFrame:
        """One row a captioner of `as_texts`; the one without noise is of family "text to text"."""
        table = self.as_texts.table()
        plain = table.family == "none"
        table.loc[plain, ["family", "label"]] = ["text to text", "No noise, text to text"]
        return table

    def reconstruction_change(self) -> Estimate:
        """Return what the best Gaussian's noise changes in reconstruction: its CIDEr minus that without noise."""
        a, b = (replace(condition, evaluate="text") for condition in (self.best, self.none))
        return difference(self.as_texts, a, b, "CIDEr")

    @cached_property
    def shape(self) -> tuple[Condition, Condition]:
        """Student t and the Gaussian of the same variance, the pair that shows what the noise's shape does."""
        grid = self.profile.noise_types
        matched = self.named("student t, matched", grid.headline_df)
        return matched, self.named("gaussian", grid.matched_variance)

    @cached_property
    def shape_equivalence(self) -> Equivalence:
        """The test that this pair differs by less than `EQUIVALENCE_MARGIN` in CIDEr."""
        a, b = (self.results.matrix(condition, "CIDEr") for condition in self.shape)
        return equivalence(a, b, margin=EQUIVALENCE_MARGIN, **self.results.resampling())

    def side_by_side(self, families: dict[str, str], parameter: str) -> pd.DataFrame:
        """Return families beside each other, one row a parameter: measured cosine and CIDEr with its interval.

        Args:
            families: title of each family in the columns, by its name.
            parameter: title of the parameter's column.
        """
        values = sorted({c.parameter or 0.0 for family in families for c in self.family(family)})
        rows = [{parameter: f"{value:g}"} | self._beside(families, value) for value in values]
        return pd.DataFrame(rows)

    def _beside(self, families: dict[str, str], value: float) -> dict[str, str]:
        cells: dict[str, str] = {}
        for family, title in families.items():
            row = self.table[(self.table.family == family) & (self.table.parameter == value)].iloc[0]
            cells[f"Cosine, {title}"] = f"{row.cosine:.3f}"
            cells[f"CIDEr, {title}"] = with_interval(row.CIDEr, row.CIDEr_low, row.CIDEr_high)
        return cells

    @property
    def shown(self) -> list[Condition]:
        """The conditions whose captions are printed."""
        grid = self.profile.noise_types
        return [
            self.none,
            self.best,
            best_gradient(self.results, grid),
            self.named("student t, literal", grid.headline_df),
            *published(self.results),
            *self.family("trained on images"),
            self.named("language model alone"),
        ]
