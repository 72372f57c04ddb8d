"""What differs between two results, in lines short enough for the message of a failed test."""

from itertools import takewhile, zip_longest
from typing import Any

BEFORE, AFTER = 20, 40
"""Characters that are shown before and after the first that differs."""
NOTHING = "nothing"


def differences(first: Any, second: Any, place: str = "") -> list[str]:
    """Return where two results differ, a line each: the keys that lead there, and the first characters that differ.

    Results are tables, lists and values, one within another, as a notebook's outputs are.
    """
    if isinstance(first, dict) and isinstance(second, dict):
        pairs = [(key, first.get(key, NOTHING), second.get(key, NOTHING)) for key in {**first, **second}]
    elif isinstance(first, list) and isinstance(second, list):
        pairs = [(n, *pair) for n, pair in enumerate(zip_longest(first, second, fillvalue=NOTHING), start=1)]
    else:
        return [] if first == second else [f"{place}: {_told(first, second)}"]
    return [line for key, one, other in pairs for line in differences(one, other, f"{place}/{key}")]


def _told(first: Any, second: Any) -> str:
    one, other = (value if isinstance(value, str) else repr(value) for value in (first, second))
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    shown = slice(max(common - BEFORE, 0), common + AFTER)
    return f"from character {common} on {one[shown]!r}, then {other[shown]!r}"
