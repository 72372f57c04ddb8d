"""Tables read strictly: a dataclass from a table, with what is wrong said by name."""

import dataclasses
import types
import typing
from typing import Any

from capdec_core.errors import CapdecError


def strict(kind: Any, value: Any, where: str) -> Any:
    """Build dataclass `kind` from a table: CapdecError for an unknown or missing key or a wrong type."""
    if isinstance(kind, types.UnionType):
        return None if value is None else strict(_meant(typing.get_args(kind), value), value, where)
    if dataclasses.is_dataclass(kind):
        return _strict_table(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list and isinstance(value, list):
        return [strict(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {key: strict(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is Any:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is None and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise CapdecError(f"{where}: {value!r} is not a {getattr(kind, '__name__', kind)}")


def _meant(kinds: tuple[Any, ...], value: Any) -> Any:
    """Return which of several kinds a value is meant to be: a table that has a name is the kind that has one."""
    if isinstance(value, dict) and "name" in value:
        return next((kind for kind in kinds if "name" in typing.get_type_hints(kind)), kinds[0])
    return kinds[0]


def _strict_table(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise CapdecError(f"{where}: {value!r} is not a table")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    if unknown := sorted(set(value) - set(fields)):
        raise CapdecError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(fields)}")
    required = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    if missing := sorted(required - set(value)):
        raise CapdecError(f"{where}: missing key {missing[0]!r}")
    return kind(**{key: strict(hints[key], item, f"{where}: {key}") for key, item in value.items()})
