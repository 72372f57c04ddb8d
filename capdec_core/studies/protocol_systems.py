"""Which systems chapter 8 compares: Study A's own, and a few that show what its baseline stands for."""

from collections.abc import Iterable
from dataclasses import replace

from capdec_core.noise import NoNoise
from capdec_core.profiles import Profile
from capdec_core.studies.conditions import Condition
from capdec_core.studies.cosine_directed_grid import UNIT
from capdec_core.studies.heads_layers_view import BASELINE, HEADS, LAYERS
from capdec_core.studies.pretrained_capdec import BASELINE_VARIANCE

STUDENT, GRADIENT = "Student t, as Study A wrote it", "Gradient"
DIRECTED = "Cosine-directed noise"
MAPPER_HEADS, MAPPER_LAYERS = "Heads of the mapper", "Layers of the mapper"
CONTROLS = "Not in Study A"

ALTERNATIVES = {
    "student t, literal": STUDENT,
    "gradient": GRADIENT,
    UNIT: DIRECTED,
    HEADS: MAPPER_HEADS,
    LAYERS: MAPPER_LAYERS,
}
"""Study A's alternatives to its baseline: the group of each family. What is not named is a control."""


def of_noise_types(conditions: Iterable[Condition], profile: Profile) -> list[Condition]:
    """Return chapter 2's conditions that are compared: the baseline, Study A's own, and three controls."""
    grid = profile.noise_types
    parameters: dict[str, list] = {
        "none": [None],
        "gaussian": [grid.matched_variance, BASELINE_VARIANCE],
        "student t, matched": [grid.headline_df],
        "student t, literal": grid.student_dfs,
        "gradient": grid.headline_epsilons,
    }
    return [c for c in conditions if c.checkpoint or c.parameter in parameters.get(c.family, [])]


def of_heads_layers(conditions: Iterable[Condition]) -> list[Condition]:
    """Return chapter 3's conditions that are compared: Study A's heads and layers as they come, and their baseline.

    That baseline is called by its shape here, since this chapter's is another.
    """
    compared = [c for c in conditions if c.family in (BASELINE, HEADS, LAYERS)]
    return [replace(c, label=c.label.removesuffix(" (baseline)")) for c in compared]


def of_cosine_directed(conditions: Iterable[Condition]) -> list[Condition]:
    """Return chapter 4's conditions of which the best is compared.

    They are the rows of Study A's grid, as it wrote it, that keep a candidate at all (the others are training
    without noise), with the fewest candidates, which have the most seeds. They are called by the method here,
    since one arm alone is compared.
    """
    rows = [c for c in conditions if c.family == UNIT and c.noise != NoNoise()]
    most = max((c.seeds for c in rows), default=0)
    return [
        replace(c, label=c.label.replace("Unit norm", "Cosine-directed")) for c in rows if c.seeds == most
    ]


def heading_of(condition: Condition) -> str:
    """Return the heading under which tables list a system that is not the baseline."""
    return ALTERNATIVES.get(condition.family, CONTROLS)


def place_of(condition: Condition) -> int:
    """Return the place of a system's group in tables: controls, then Study A's alternatives in their order."""
    return [CONTROLS, *ALTERNATIVES.values()].index(heading_of(condition))


def by_group(conditions: Iterable[Condition]) -> dict[str, list[Condition]]:
    """Return Study A's alternatives among these conditions, by group, in the order of `ALTERNATIVES`."""
    found = list(conditions)
    return {
        group: [condition for condition in found if condition.family == family]
        for family, group in ALTERNATIVES.items()
    }
