"""Noise that has no preferred direction: Gaussian, the uniform ball, and the multivariate Student t."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from capdec_core.noise.base import Loss, Perturbation
from capdec_core.noise.draws import chi_square, standard_normal, uniform_directions
from capdec_core.noise.laws import chi_mean, cosine_for_variance, inverse_chi_mean

QUANTILES = 4096


@dataclass(frozen=True)
class Gaussian(Perturbation):
    """Independent normal noise of this variance per coordinate (CapDec: .016)."""

    variance: float

    def check(self) -> None:
        """Raise ValueError where the variance is negative."""
        if self.variance < 0:
            raise ValueError(f"variance must be at least 0, not {self.variance}")

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return f"Gaussian, variance {self.variance:g}"

    def displacement(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return N(0, variance I) draws, shape (batch, d)."""
        return math.sqrt(self.variance) * standard_normal(x, generator)

    def describe(self, d: int) -> dict[str, float | None]:
        """Return the exact variance and norm (the chi mean), and the cosine 1 / sqrt(1 + d variance)."""
        std = math.sqrt(self.variance)
        return {
            "variance": self.variance,
            "std": std,
            "expected_norm": std * chi_mean(d),
            "expected_cosine": cosine_for_variance(self.variance, d),
        }


@dataclass(frozen=True)
class UniformBall(Perturbation):
    """Noise uniform in the d-ball of this radius: a uniform direction times radius u^(1/d), u uniform.

    The radius is a norm, so it is NOT comparable with a standard deviation: CapDec's own code multiplies
    the ball by sqrt(variance) as it does the Gaussian, and so makes noise whose norm is smaller by about
    sqrt(d). At equal variance per coordinate the radius is `ball_radius_for_variance(variance, d)`.
    """

    radius: float

    def check(self) -> None:
        """Raise ValueError where the radius is negative."""
        if self.radius < 0:
            raise ValueError(f"radius must be at least 0, not {self.radius}")

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return f"Uniform ball, radius {self.radius:g}"

    def displacement(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return uniform points of the ball, shape (batch, d)."""
        u = torch.rand((len(x), 1), generator=generator, dtype=x.dtype, device=x.device)
        return self.radius * u ** (1 / x.shape[1]) * uniform_directions(x, generator)

    def describe(self, d: int) -> dict[str, float | None]:
        """Return variance radius^2 / (d + 2), norm radius d / (d + 1), both exact; cosine by its variance."""
        variance = self.radius**2 / (d + 2)
        return {
            "variance": variance,
            "std": math.sqrt(variance),
            "expected_norm": self.radius * d / (d + 1),
            "expected_cosine": cosine_for_variance(variance, d),
        }


@dataclass(frozen=True)
class MultivariateT(Perturbation):
    """A multivariate Student t: one chi-square a ROW, so the radius itself is heavy-tailed.

    g sqrt(df / chi2_df) with g standard normal, scaled so that each coordinate has this variance (df > 2).
    norm^2 / (d variance (df - 2) / df) follows F(d, df), however large d is.
    """

    df: float
    variance: float

    def check(self) -> None:
        """Raise ValueError where the variance is negative or cannot be had (df at most 2)."""
        if self.df <= 2:
            raise ValueError(f"df must be above 2 (the variance is infinite otherwise), not {self.df}")
        if self.variance < 0:
            raise ValueError(f"variance must be at least 0, not {self.variance}")

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return f"Multivariate t, df {self.df:g}, variance {self.variance:g}"

    def displacement(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return the draws (batch, d); each row has a radius of its own."""
        normal = standard_normal(x, generator)
        radius = (self.variance * (self.df - 2) / chi_square(x[:, :1], self.df, generator)).sqrt()
        return radius * normal

    def describe(self, d: int) -> dict[str, float | None]:
        """Return the exact variance and norm; as cosine, the mean of 1 / sqrt(1 + norm^2) over F(d, df)."""
        scale = self.variance * (self.df - 2) / self.df
        levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
        norms2 = d * scale * stats.f.ppf(levels, d, self.df)
        return {
            "variance": self.variance,
            "std": math.sqrt(self.variance),
            "expected_norm": math.sqrt(scale * self.df) * chi_mean(d) * inverse_chi_mean(self.df),
            "expected_cosine": float(np.mean(1 / np.sqrt(1 + norms2))),
        }
