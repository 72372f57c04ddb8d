"""Chapter 2, noise types (Study A): which noise on a caption's embedding lets a text-trained decoder read images?

The grid holds every family of Study A as it was written and at matched strength, and the controls without
which neither can be judged. Sources: Nukrai et al. 2022 (Gaussian, variance .016); Study A (Student t,
normalised gradient); Miyato et al. 2017 (the gradient as an adversarial direction).
"""

from capdec_core.cell import Source
from capdec_core.gap import of_profile
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
from capdec_core.studies.noise_types_view import NoiseTypes
from capdec_core.studies.pretrained_capdec import pretrained_capdec
from capdec_core.studies.results import Results

IMAGES_AND_TEXTS: tuple[Source, ...] = ("image", "text")
"""The Gaussian curve and its start are also decoded from texts, to see what the noise costs there."""


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return the chapter's grid; `seeds` trainings for the headline conditions, one for the others."""
    grid = profile.noise_types
    balls = [
        Condition("uniform ball", f"Uniform ball, radius {r:g}", UniformBall(r), r) for r in grid.ball_radii
    ]
    return [
        *_controls(seeds),
        *([on_images(seeds)] if grid.ceiling else []),
        *pretrained_capdec(profile),
        *_gaussian(grid, seeds),
        *balls,
        *_student(grid, seeds),
        *_directions(grid, seeds),
    ]


def view(profile: Profile, results: Results, device: str) -> NoiseTypes:
    """Return what the chapter shows."""
    return NoiseTypes(profile, results, of_profile(profile.name, device))


def no_noise(seeds: int) -> Condition:
    """Return training on clean text embeddings, which is also decoded from texts."""
    return Condition("none", "No noise", seeds=seeds, reads=IMAGES_AND_TEXTS)


def _controls(seeds: int) -> list[Condition]:
    return [
        no_noise(seeds),
        Condition("shuffled", "Shuffled embeddings", Shuffled()),
        Condition(
            "language model alone",
            "Language model alone",
            train_on="blank",
            evaluate="blank",
            reads=("blank",),
        ),
        Condition(
            "text to text",
            "Text to text, no noise",
            evaluate="text",
            seeds=seeds,
            reads=IMAGES_AND_TEXTS,
        ),
    ]


def on_images(seeds: int) -> Condition:
    """Return training on images, the ceiling of what is trained on texts."""
    return Condition("trained on images", "Trained on images (ClipCap)", train_on="image", seeds=seeds)


def _gaussian(grid: NoiseTypesSettings, seeds: int) -> list[Condition]:
    return [
        Condition(
            "gaussian",
            f"Gaussian, variance {v:g}",
            Gaussian(v),
            v,
            seeds=_seeds(v in grid.headline_variances, seeds),
            reads=IMAGES_AND_TEXTS,
        )
        for v in grid.gaussian_variances
    ]


def _student(grid: NoiseTypesSettings, seeds: int) -> list[Condition]:
    """Student t in three forms: as the study wrote it, per coordinate at a matched variance, multivariate."""
    variance = grid.matched_variance
    forms = {
        "student t, literal": ("Student t, df {}, as written", StudentT),
        "student t, matched": (
            f"Student t, df {{}}, variance {variance:g}",
            lambda df: StudentT(df, variance),
        ),
        "multivariate t": (
            f"Multivariate t, df {{}}, variance {variance:g}",
            lambda df: MultivariateT(df, variance),
        ),
    }
    return [
        Condition(family, label.format(df), make(df), df, seeds=_seeds(df == grid.headline_df, seeds))
        for family, (label, make) in forms.items()
        for df in grid.student_dfs
    ]


def _directions(grid: NoiseTypesSettings, seeds: int) -> list[Condition]:
    """The gradient with both signs, and a random direction of the same norm as its control."""
    forms = {
        "gradient": ("Gradient, ε {:g}", NormalisedGradient),
        "gradient, descending": ("Gradient, ε −{:g}", lambda epsilon: NormalisedGradient(epsilon, -1)),
        "random direction": ("Random direction, ε {:g}", RandomDirection),
    }
    return [
        Condition(
            family,
            label.format(e),
            make(e),
            e,
            seeds=_seeds(e in grid.headline_epsilons and family != "gradient, descending", seeds),
        )
        for family, (label, make) in forms.items()
        for e in grid.gradient_epsilons
    ]


def _seeds(headline: bool, seeds: int) -> int:
    return seeds if headline else 1
