"""Student t noise, coordinate by coordinate: Study A's literal form and the form of matched variance."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import special
from torch import Tensor

from capdec_core.noise.base import Loss, Perturbation
from capdec_core.noise.draws import chi_square, standard_normal


@dataclass(frozen=True)
class StudentT(Perturbation):
    """Independent Student t noise in each coordinate.

    `variance=None` is the literal study: t as it is tabled, variance df / (df - 2), infinite for df <= 2;
    beside a unit row it drowns the signal (cosine .02 to .04 at d = 640). With a `variance` (per
    coordinate, df > 2) the draws are scaled by sqrt(variance (df - 2) / df).
    """

    df: float
    variance: float | None = None

    def check(self) -> None:
        """Raise ValueError for df <= 0, a negative variance, or a variance that df does not allow."""
        if self.df <= 0:
            raise ValueError(f"df must be above 0, not {self.df}")
        if self.variance is not None and self.df <= 2:
            raise ValueError(f"df must be above 2 to have a variance, not {self.df}")
        if self.variance is not None and self.variance < 0:
            raise ValueError(f"variance must be at least 0, not {self.variance}")

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        suffix = "literal" if self.variance is None else f"variance {self.variance:g}"
        return f"Student t, df {self.df:g}, {suffix}"

    @property
    def scale(self) -> float:
        """What a tabled t variable is multiplied by: 1 in the literal study."""
        return 1.0 if self.variance is None else math.sqrt(self.variance * (self.df - 2) / self.df)

    def displacement(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return scale z / sqrt(chi2_df / df), shape (batch, d), a chi-square for each coordinate."""
        normal = standard_normal(x, generator)
        return self.scale * normal * (self.df / chi_square(x, self.df, generator)).sqrt()

    def describe(self, d: int) -> dict[str, float | None]:
        """Return the exact variance (None where infinite) and the cosine by an integral.

        The norm has no closed form. The cosine is the mean of 1 / sqrt(1 + norm^2), error O(1/d), and not
        1 / sqrt(1 + d variance): with df near 3 a few huge coordinates make most of the variance.
        """
        finite = self.df / (self.df - 2) if self.df > 2 else math.inf
        variance = finite * self.scale**2
        return {
            "variance": variance if math.isfinite(variance) else None,
            "std": math.sqrt(variance) if math.isfinite(variance) else None,
            "expected_norm": None,
            "expected_cosine": _mean_cosine(d, self.df, self.scale),
        }


def _mean_cosine(d: int, df: float, scale: float) -> float:
    """Return E[1 / sqrt(1 + S)], S the sum of d squared t variables times scale^2.

    1 / sqrt(1 + S) is 2 / sqrt(pi) times the integral over y > 0 of exp(-y^2 (1 + S)), and the mean of
    exp(-y^2 S) is the d-th power of one coordinate's. Trapezoid in log y.
    """
    log_y = np.linspace(-25, 2, 501)
    y = np.exp(log_y)
    integrand = y * np.exp(-(y**2)) * _laplace((scale * y) ** 2, df) ** d
    return float(2 / math.sqrt(math.pi) * np.trapezoid(integrand, log_y))


def _laplace(s: np.ndarray, df: float) -> np.ndarray:
    """Return E[exp(-s t^2)], shape of s (n,), for a Student t variable.

    t^2 is z^2 df / (2 g) with g of the gamma law of shape df / 2, so the mean over z is
    sqrt(g / (g + s df)); the mean over g is a trapezoid in log g.
    """
    shape = df / 2
    low, high = special.gammaincinv(shape, 1e-18), special.gammainccinv(shape, 1e-18)
    g = np.geomspace(max(low, 1e-300), high, 501)
    log_weights = shape * np.log(g) - g
    weights = np.exp(log_weights - log_weights.max())
    return (weights / weights.sum() * np.sqrt(g / (g + s[:, None] * df))).sum(axis=1)
