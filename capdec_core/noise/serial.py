"""Perturbations from JSON or a profile: every wrong key or value answered with the right ones."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from capdec_core.errors import CapdecError
from capdec_core.noise.base import Perturbation
from capdec_core.noise.controls import NoNoise, RandomDirection, Shuffled
from capdec_core.noise.directed import CosineDirected, FixedCosine
from capdec_core.noise.gradient import NormalisedGradient
from capdec_core.noise.isotropic import Gaussian, MultivariateT, UniformBall
from capdec_core.noise.student import StudentT

KINDS: dict[str, type[Perturbation]] = {
    kind.__name__: kind
    for kind in (
        NoNoise,
        Gaussian,
        UniformBall,
        StudentT,
        MultivariateT,
        NormalisedGradient,
        RandomDirection,
        CosineDirected,
        FixedCosine,
        Shuffled,
    )
}
"""Every perturbation by the name that its "kind" carries."""


def perturbation_from_dict(data: Mapping[str, Any]) -> Perturbation:
    """Return the perturbation that `to_dict` wrote, such as {"kind": "Gaussian", "variance": 0.016}.

    CapdecError for an unknown kind, an unknown or missing key, or a value that the kind refuses.
    """
    if not isinstance(data, Mapping):
        raise CapdecError(f'a perturbation is an object with a "kind", not {data!r}')
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise CapdecError(f"unknown perturbation {kind!r}: the kinds are {', '.join(KINDS)}")
    values = {key: value for key, value in data.items() if key != "kind"}
    _check_keys(kind, set(values))
    try:
        return KINDS[kind](**values)
    except ValueError as error:
        raise CapdecError(f"perturbation {kind}: {error}") from None


def _check_keys(kind: str, given: set[str]) -> None:
    """Raise CapdecError unless `given` are keys of this kind and none that it needs is missing."""
    unknown, missing, takes = compare_keys(KINDS[kind], given)
    if unknown:
        raise CapdecError(f"perturbation {kind} has no {', '.join(sorted(map(repr, unknown)))}: {takes}")
    if missing:
        raise CapdecError(f"perturbation {kind} lacks {', '.join(missing)}: {takes}")


def compare_keys(kind: Any, given: set[str]) -> tuple[set[str], list[str], str]:
    """Return which given keys a dataclass does not have, which it needs and lacks, and a sentence on what it takes."""
    known = {field.name: field.default is MISSING for field in fields(kind)}
    missing = [name for name, needed in known.items() if needed and name not in given]
    return given - set(known), missing, f"{kind.__name__} takes {', '.join(known) or 'nothing'}"
