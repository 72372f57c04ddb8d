"""The acceptance map: which share of noisy candidates exceeds a cosine threshold, predicted and measured.

The prediction is `capdec_core.noise.acceptance_tails`, exact in any dimension. The measurement adds noise to
given embeddings as the study writes it, all coordinates drawn, and counts.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import pandas as pd
import torch
from torch import Tensor

from capdec_core.noise import acceptance_tails, cosine_for_variance

MEASURED_ROWS = 512
"""Embeddings on which shares are measured."""
DRAWS = 20
"""Candidates an embedding, for the map."""
SEED = 0


def predicted_map(
    dims: Sequence[int], norms: Sequence[float], betas: Sequence[float], thresholds: Sequence[float]
) -> pd.DataFrame:
    """Return one row a dimension, norm, beta and threshold with the exact share of candidates that is kept.

    Columns: dim, norm, beta (standard deviation per coordinate beside an embedding of this norm), threshold,
    cosine (a candidate's mean cosine, 1 / sqrt(1 + d (beta / norm)^2)), predicted.
    """
    return pd.DataFrame(
        {
            "dim": dim,
            "norm": norm,
            "beta": beta,
            "threshold": threshold,
            "cosine": cosine_for_variance((beta / norm) ** 2, dim),
            "predicted": acceptance_tails(beta / norm, threshold, dim)[0],
        }
        for dim, norm, beta, threshold in product(dims, norms, betas, thresholds)
    )


def measured_map(table: pd.DataFrame, rows: Mapping[int, Tensor]) -> pd.DataFrame:
    """Return the map with the columns `measured`, a share, and `candidates`, how many it was counted on.

    Args:
        table: from `predicted_map`.
        rows: unit rows (rows, d) for each dimension of the table.
    """
    drawn = table.groupby(["dim", "norm", "beta"]).indices
    table = table.assign(measured=0.0, candidates=0)
    for (dim, norm, beta), places in drawn.items():
        cosines = candidate_cosines(norm * rows[dim], beta)
        shares = [(cosines > threshold).float().mean().item() for threshold in table.threshold.iloc[places]]
        table.loc[places, "measured"], table.loc[places, "candidates"] = shares, cosines.numel()
    return table


def candidate_cosines(x: Tensor, beta: float) -> Tensor:
    """Return the cosines (rows, `DRAWS`) of rows x (rows, d), of any norm, with x + beta n, n ~ N(0, I)."""
    generator = torch.Generator(x.device).manual_seed(SEED)
    draws = [torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype) for _ in range(DRAWS)]
    return torch.stack([torch.cosine_similarity(x, x + beta * noise, dim=1) for noise in draws], dim=1)


def unit_rows_of(dim: int) -> Tensor:
    """Return random unit rows (`MEASURED_ROWS`, dim), for dimensions of which there is no encoder here."""
    drawn = torch.randn(MEASURED_ROWS, dim, generator=torch.Generator().manual_seed(SEED + 1))
    return torch.nn.functional.normalize(drawn, dim=1)
