"""Bridges from JSON or a file: every wrong key or value answered with the right ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from capdec_core.bridges.base import Bridge
from capdec_core.bridges.fitted import KIND, FittedBridge
from capdec_core.bridges.material import State
from capdec_core.bridges.memory import MemoryProjection, NearestCaption
from capdec_core.bridges.moves import Collapse, LinearAdapter, MeanShift, Move
from capdec_core.bridges.shaped import ShapedNoise
from capdec_core.checkpoints import load_tensors
from capdec_core.errors import CapdecError
from capdec_core.noise import Perturbation, perturbation_from_dict
from capdec_core.noise.serial import compare_keys

MOVES: dict[str, type[Move]] = {
    kind.__name__: kind for kind in (MeanShift, Collapse, LinearAdapter, MemoryProjection, NearestCaption)
}
"""Every move by the name that its "kind" carries."""
PARTS = ("moves", "noise", "unit_first")


def bridge_from_dict(data: Mapping[str, Any]) -> Bridge:
    """Return the bridge that `to_dict` wrote.

    CapdecError for an unknown kind, an unknown or missing key, or a value that is refused.
    """
    if not isinstance(data, Mapping) or set(data) != set(PARTS):
        raise CapdecError(f"a bridge is an object with {', '.join(PARTS)}, not {data!r}")
    moves, unit_first = data["moves"], data["unit_first"]
    if not isinstance(moves, list | tuple) or not isinstance(unit_first, bool):
        raise CapdecError(
            f"a bridge's moves are a list and unit_first true or false, not {moves!r}, {unit_first!r}"
        )
    try:
        return Bridge(moves_from_dicts(moves), _noise(data["noise"]), unit_first)
    except ValueError as error:
        raise CapdecError(f"bridge: {error}") from None


def moves_from_dicts(data: Sequence[Mapping[str, Any]]) -> tuple[Move, ...]:
    """Return the moves whose `to_dict` these are; CapdecError for an unknown kind, key or value."""
    return tuple(_built(MOVES, move) for move in data)


def _noise(data: Any) -> Perturbation | ShapedNoise:
    if isinstance(data, Mapping) and data.get("kind") == ShapedNoise.__name__:
        return _built({ShapedNoise.__name__: ShapedNoise}, data)
    return perturbation_from_dict(data)


def _built(kinds: Mapping[str, Any], data: Any) -> Any:
    """Return the dataclass that `data` tells of; CapdecError names what is wrong in it."""
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise CapdecError(f"unknown part of a bridge {data!r}: the kinds are {', '.join(kinds)}")
    values = {key: value for key, value in data.items() if key != "kind"}
    unknown, missing, takes = compare_keys(kinds[kind], set(values))
    if unknown:
        raise CapdecError(f"{kind} has no {', '.join(sorted(map(str, unknown)))}: {takes}")
    if missing:
        raise CapdecError(f"{kind} lacks {', '.join(sorted(missing))}: {takes}")
    try:
        return kinds[kind](**values)
    except ValueError as error:
        raise CapdecError(f"{kind}: {error}") from None


def load_bridge(path: Path) -> FittedBridge:
    """Return the fitted bridge that `FittedBridge.save` wrote; CapdecError for a missing, damaged or foreign file."""
    config, tensors = load_tensors(path, KIND)
    bridge = bridge_from_dict(config)
    states: list[State] = [{} for _ in bridge.moves]
    noise: State = {}
    for name, held in tensors.items():
        _state(name, states, noise, path)[name.rsplit(".", 1)[-1]] = held
    return FittedBridge(bridge, tuple(states), noise)


def _state(name: str, states: list[State], noise: State, path: Path) -> dict[str, Tensor]:
    part, *rest = name.split(".")
    if part == "noise" and len(rest) == 1:
        return noise
    if part == "moves" and len(rest) == 2 and rest[0].isdigit() and int(rest[0]) < len(states):
        return states[int(rest[0])]
    raise CapdecError(f"{path} is damaged: no part of its bridge has learned {name!r}")
