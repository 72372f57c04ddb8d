"""Perturbations of unit embeddings: one small class each, all measured in one currency.

A perturbation is called as `noise(x, generator=generator)` on unit rows (batch, d) and returns unit
rows; `describe(d)` says what is known of it in advance, `measure` what it did to given rows.
"""

from capdec_core.noise.acceptance import acceptance_tails
from capdec_core.noise.base import Loss, Perturbation, measure, measured_cosine
from capdec_core.noise.controls import NoNoise, RandomDirection, Shuffled
from capdec_core.noise.directed import CosineDirected, FixedCosine
from capdec_core.noise.gradient import NormalisedGradient, row_gradients
from capdec_core.noise.identity import CHANCE, Identity, prove_identity
from capdec_core.noise.isotropic import Gaussian, MultivariateT, UniformBall
from capdec_core.noise.laws import ball_radius_for_variance, cosine_for_variance, variance_for_cosine
from capdec_core.noise.serial import KINDS, perturbation_from_dict
from capdec_core.noise.student import StudentT

__all__ = [
    "CHANCE",
    "KINDS",
    "CosineDirected",
    "FixedCosine",
    "Gaussian",
    "Identity",
    "Loss",
    "MultivariateT",
    "NoNoise",
    "NormalisedGradient",
    "Perturbation",
    "RandomDirection",
    "Shuffled",
    "StudentT",
    "UniformBall",
    "acceptance_tails",
    "ball_radius_for_variance",
    "cosine_for_variance",
    "measure",
    "measured_cosine",
    "perturbation_from_dict",
    "prove_identity",
    "row_gradients",
    "variance_for_cosine",
]
