"""Studies: one module a chapter, each with its grid, its contrasts and its claims.

A study module has `conditions(profile, seeds)`, the grid as a list of `Condition`, `cells(profile, material)`,
its cells, and `run(profile_name, device, seeds)`, which computes what is missing and returns what the
chapter's notebook shows.
"""

from types import ModuleType

from capdec_core.errors import CapdecError
from capdec_core.studies import noise_types

STUDIES: dict[str, ModuleType] = {"noise_types": noise_types}
"""Every study by the name that `make study NAME=` takes."""

NOTEBOOKS: dict[str, str] = {"noise_types": "02_noise_types"}
"""The chapter that tells each study."""


def study_named(name: str) -> ModuleType:
    """Return a study's module; CapdecError names the right ones."""
    if name not in STUDIES:
        raise CapdecError(f"no study {name!r}; NAME is one of: {', '.join(STUDIES)}")
    return STUDIES[name]
