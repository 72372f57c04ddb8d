"""The grid of chapter 4: every row of Study A's, at unit and at raw norm, with what it is proved to be the same as."""

from dataclasses import dataclass
from itertools import product

from capdec_core.noise import CosineDirected, Identity, prove_identity
from capdec_core.profiles import Profile
from capdec_core.studies import noise_types
from capdec_core.studies.conditions import Condition

UNIT, RAW = "directed, unit norm", "directed, raw norm"
"""Families of the two arms: Study A's formula beside embeddings of norm 1, and of the norm CLIP gives them."""
FIXED, GAUSSIAN = "fixed cosine", "gaussian"
"""Families of the repaired method and of plain Gaussian noise at the same cosines."""


@dataclass(frozen=True)
class GridRow:
    """One row of the grid in one arm.

    Attributes:
        family: `UNIT` or `RAW`.
        norm: length of the embedding that the noise is added to.
        n, beta, threshold: the study's parameters; `beta` is a standard deviation per coordinate.
        noise: the same perturbation on unit rows, where beta is divided by the norm.
        identity: what a training with it is proved to be the same as.
        condition: what is trained, with the canonical perturbation: rows of equal trainings share cells.
    """

    family: str
    norm: float
    n: int
    beta: float
    threshold: float
    noise: CosineDirected
    identity: Identity
    condition: Condition


def grid_rows(profile: Profile, dim: int, seeds: int) -> list[GridRow]:
    """Return both arms of the grid in d = `dim` dimensions, in the order of arm, beta, threshold and N.

    Rows of the smallest N have `seeds` trainings and decide the chapter's contrasts, the others one. That
    is fixed in advance: the mean over the fewest candidates leaves the most noise. Rows that are no noise
    are the control's own trainings, all of them.
    """
    grid = profile.cosine_directed
    values = product(((UNIT, 1.0), (RAW, grid.raw_norm)), grid.betas, grid.thresholds, grid.counts)
    return [_row(profile, dim, seeds, *arm, n, beta, threshold) for arm, beta, threshold, n in values]


def _row(
    profile: Profile, dim: int, seeds: int, family: str, norm: float, n: int, beta: float, threshold: float
) -> GridRow:
    noise = CosineDirected(n, beta / norm, threshold)
    identity = prove_identity(noise, dim, profile.training.steps * profile.training.batch_size)
    place = "Unit norm" if family == UNIT else f"Norm {norm:g}"
    control = noise_types.no_noise(seeds)
    unmoved = identity.perturbation == control.noise
    condition = Condition(
        family,
        f"{place}, N {n}, β {beta:g}, t {threshold:g}",
        identity.perturbation,
        beta,
        seeds=seeds if unmoved or n == min(profile.cosine_directed.counts) else 1,
        reads=control.reads if unmoved else ("image",),
    )
    return GridRow(family, norm, n, beta, threshold, noise, identity, condition)
