"""What lies between an image and its caption: a constant shift, and a residual with a spectrum of its own."""

from dataclasses import dataclass

import numpy as np

from capdec_core.embeddings import unit_rows

ROWS = 4096


@dataclass(frozen=True)
class Residual:
    """The differences r = image - text of matched unit rows.

    Attributes:
        mean: (d,) the mean difference: the constant shift that explains most.
        squares: mean squared norm of r.
        spectrum: (d,) eigenvalues of the covariance of r about its mean, the largest first; a variance each.
        shifted_matched: mean cosine of an image with its captions after they are shifted by `mean` and normalised.
    """

    mean: np.ndarray
    squares: float
    spectrum: np.ndarray
    shifted_matched: float

    @property
    def shift_share(self) -> float:
        """Share of the mean squared difference that the constant shift explains, 0 to 1; nan without a difference."""
        return float(self.mean @ self.mean / self.squares) if self.squares > 0 else float("nan")


def residual(x: np.ndarray, y: np.ndarray, owners: np.ndarray) -> Residual:
    """Return the differences of unit images x (n, d) and unit texts y (m, d), whose images are `owners` (m,)."""
    parts = [slice(start, start + ROWS) for start in range(0, len(y), ROWS)]
    total, second = np.zeros(y.shape[1]), np.zeros((y.shape[1], y.shape[1]))
    for part in parts:
        difference = x[owners[part]].astype(np.float64) - y[part]
        total += difference.sum(axis=0)
        second += difference.T @ difference
    mean, second = total / len(y), second / len(y)
    shifted = sum(np.einsum("md,md->", x[owners[part]], unit_rows(y[part] + mean)) for part in parts)
    return Residual(
        mean=mean,
        squares=float(np.trace(second)),
        spectrum=np.linalg.eigvalsh(second - np.outer(mean, mean))[::-1].clip(min=0),
        shifted_matched=float(shifted / len(y)),
    )


def dimensions_for(shares: np.ndarray, share: float) -> int:
    """Return the least number of dimensions, the largest of `shares` (d,) first, that together have this share."""
    return 1 + int(np.searchsorted(np.cumsum(shares), share))


def dimension_shares(vector: np.ndarray) -> np.ndarray:
    """Return each dimension's share of a vector's squared norm (d,), the largest first; nan for the zero vector."""
    squares = np.sort(np.asarray(vector, dtype=np.float64) ** 2)[::-1]
    with np.errstate(invalid="ignore"):
        return squares / squares.sum()
