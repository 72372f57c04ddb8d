"""Chapter 2, noise types (Study A): which noise on a caption's embedding lets a text-trained decoder read images?

The grid holds every family of Study A as it was written and at matched strength, and the controls without
which neither can be judged. Sources: Nukrai et al. 2022 (Gaussian, variance .016); Study A (Student t,
normalised gradient); Miyato et al. 2017 (the gradient as an adversarial direction).
"""

from capdec_core import paths
from capdec_core.cell import CellConfig
from capdec_core.gap import of_profile
from capdec_core.material import Material
from capdec_core.noise import (
    Gaussian,
    MultivariateT,
    NormalisedGradient,
    RandomDirection,
    Shuffled,
    StudentT,
    UniformBall,
)
from capdec_core.profiles import NoiseTypesSettings, Profile, load_profile
from capdec_core.runner import Runner
from capdec_core.store import CellStore
from capdec_core.studies.conditions import Condition, all_cells, cells_of
from capdec_core.studies.noise_types_view import NoiseTypes
from capdec_core.studies.results import Results


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return the chapter's grid; `seeds` trainings for the headline conditions, one for the others."""
    grid = profile.noise_types
    balls = [
        Condition("uniform ball", f"Uniform ball, radius {r:g}", UniformBall(r), r) for r in grid.ball_radii
    ]
    return [
        *_controls(seeds),
        *_gaussian(grid, seeds),
        *balls,
        *_student(grid, seeds),
        *_directions(grid, seeds),
    ]


def cells(profile: Profile, material: Material) -> list[CellConfig]:
    """Return the chapter's cells, each once."""
    return all_cells(conditions(profile, profile.seeds), profile, material)


def run(profile_name: str, device: str = "cpu", seeds: int | None = None) -> NoiseTypes:
    """Return the chapter's results; cells that the store lacks are computed first.

    `seeds` (the profile's, where None) is the number of trainings of each headline condition.
    """
    profile = load_profile(profile_name)
    store = CellStore(paths.CELLS)
    runner = Runner(profile, store, device)
    grid = conditions(profile, seeds or profile.seeds)
    runner.compute(all_cells(grid, profile, runner.material))
    found = {condition: cells_of(condition, profile, runner.material) for condition in grid}
    results = Results(found, store, profile.statistics, runner.material.dim)
    return NoiseTypes(profile, results, of_profile(profile_name, device))


def _controls(seeds: int) -> list[Condition]:
    return [
        Condition("none", "No noise", seeds=seeds),
        Condition("shuffled", "Shuffled embeddings", Shuffled()),
        Condition("language model alone", "Language model alone", train_on="blank", evaluate="blank"),
        Condition("text to text", "Text to text, no noise", evaluate="text", seeds=seeds),
        Condition("trained on images", "Trained on images (ClipCap)", train_on="image", seeds=seeds),
    ]


def _gaussian(grid: NoiseTypesSettings, seeds: int) -> list[Condition]:
    return [
        Condition(
            "gaussian",
            f"Gaussian, variance {v:g}",
            Gaussian(v),
            v,
            seeds=_seeds(v in grid.headline_variances, seeds),
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
