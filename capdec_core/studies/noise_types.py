"""Chapter 2, noise types (Study A): which perturbation of the caption embedding lets a text-trained decoder read images?

The grid holds every family of Study A in the literal form and at matched strength, and the controls without which
neither can be judged. Sources: Nukrai et al. 2022 (Gaussian, variance .016); Study A (Student t, normalised
gradient); Miyato et al. 2017 (the gradient as an adversarial direction).
"""

from capdec_core.noise import (
    Gaussian,
    MultivariateT,
    NormalisedGradient,
    RandomDirection,
    Shuffled,
    StudentT,
    UniformBall,
)
from capdec_core.profiles import NoiseTypesSettings, Profile
from capdec_core.studies.conditions import Condition

NONE, SUPERVISED = "none", "trained on images"
BASELINE_VARIANCE = 0.05
"""Variance of the pre-trained CapDec that Study A compares with ("N(0, 0.05)")."""


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return the chapter's grid; `seeds` training seeds for the headline conditions, one for the others."""
    grid = profile.noise_types
    return [
        *_controls(seeds),
        *_gaussian(grid, seeds),
        *(Condition("uniform ball", f"Uniform ball, radius {r:g}", UniformBall(r), r) for r in grid.ball_radii),
        *_student(grid, seeds),
        *_directions(grid, seeds),
    ]


def _controls(seeds: int) -> list[Condition]:
    return [
        Condition(NONE, "No noise", seeds=seeds),
        Condition("shuffled", "Shuffled embeddings", Shuffled()),
        Condition("language model alone", "Language model alone", train_on="blank", evaluate="blank"),
        Condition("text to text", "Text to text, no noise", evaluate="text", seeds=seeds),
        Condition(SUPERVISED, "Trained on images (ClipCap)", train_on="image", seeds=seeds),
    ]


def _gaussian(grid: NoiseTypesSettings, seeds: int) -> list[Condition]:
    return [
        Condition("gaussian", f"Gaussian, variance {v:g}", Gaussian(v), v, seeds=_seeds(v in grid.headline_variances, seeds))
        for v in grid.gaussian_variances
    ]


def _student(grid: NoiseTypesSettings, seeds: int) -> list[Condition]:
    """Student t in three forms: as the study wrote it, per coordinate at a matched variance, multivariate."""
    variance, found = grid.matched_variance, []
    for df in grid.student_dfs:
        n = _seeds(df == grid.headline_df, seeds)
        matched = f"variance {variance:g}"
        found += [
            Condition("student t, literal", f"Student t, df {df}, as written", StudentT(df), df, seeds=n),
            Condition("student t, matched", f"Student t, df {df}, {matched}", StudentT(df, variance), df, seeds=n),
            Condition("multivariate t", f"Multivariate t, df {df}, {matched}", MultivariateT(df, variance), df, seeds=n),
        ]
    return sorted(found, key=lambda c: c.family)


def _directions(grid: NoiseTypesSettings, seeds: int) -> list[Condition]:
    """The gradient with both signs, and a random direction of the same norm as its control."""
    found = []
    for epsilon in grid.gradient_epsilons:
        n = _seeds(epsilon == grid.headline_epsilon, seeds)
        found += [
            Condition("gradient", f"Gradient, ε {epsilon:g}", NormalisedGradient(epsilon), epsilon, seeds=n),
            Condition("gradient, descending", f"Gradient, ε −{epsilon:g}", NormalisedGradient(epsilon, -1), epsilon),
            Condition("random direction", f"Random direction, ε {epsilon:g}", RandomDirection(epsilon), epsilon, seeds=n),
        ]
    return sorted(found, key=lambda c: c.family)


def _seeds(headline: bool, seeds: int) -> int:
    return seeds if headline else 1
