"""Chapter 4, cosine-similarity-directed Gaussian noise (Study A): why were the results poor, and can tuning help?

All of Study A's grid (N, beta, threshold), as it was written beside unit embeddings and at the norm of raw
ones; noise at a fixed cosine, which does what the method was meant to do; plain Gaussian noise at the same
cosines. Rows that are proved to train to the same bytes share their cells.
"""

from capdec_core.encoders import embedding_dim
from capdec_core.gap import of_profile
from capdec_core.material import Wanted, prepare
from capdec_core.noise import FixedCosine, Gaussian, variance_for_cosine
from capdec_core.profiles import Profile
from capdec_core.studies import noise_types
from capdec_core.studies.conditions import Condition
from capdec_core.studies.cosine_directed_acceptance import MEASURED_ROWS
from capdec_core.studies.cosine_directed_grid import FIXED, GAUSSIAN, grid_rows
from capdec_core.studies.cosine_directed_view import CosineDirectedView
from capdec_core.studies.pretrained_capdec import pretrained_capdec
from capdec_core.studies.results import Results


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return no noise, the baseline as published, both methods at each cosine with `seeds` trainings, and the grid."""
    dim = embedding_dim(profile.encoder.model, profile.encoder.pretrained)
    rows = [row.condition for row in grid_rows(profile, dim, seeds)]
    controls = [noise_types.no_noise(seeds), *pretrained_capdec(profile)]
    return [*controls, *_at_cosines(profile, dim, seeds), *rows]


def view(profile: Profile, results: Results, device: str) -> CosineDirectedView:
    """Return what the chapter shows."""
    seeds = max(condition.seeds for condition in results.cells)
    rows = prepare(profile, device, Wanted()).training_embeddings("text")[:MEASURED_ROWS]
    grid = tuple(grid_rows(profile, results.dim, seeds))
    return CosineDirectedView(profile, results, of_profile(profile.name, device), grid, rows)


def _at_cosines(profile: Profile, dim: int, seeds: int) -> list[Condition]:
    cosines = profile.cosine_directed.cosines
    fixed = [Condition(FIXED, f"Fixed cosine {c:g}", FixedCosine(c), c, seeds=seeds) for c in cosines]
    return [_gaussian(c, variance_for_cosine(c, dim), seeds) for c in cosines] + fixed


def _gaussian(cosine: float, variance: float, seeds: int) -> Condition:
    return Condition(GAUSSIAN, f"Gaussian at cosine {cosine:g}", Gaussian(variance), variance, seeds=seeds)
