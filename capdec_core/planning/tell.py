"""A plan in words, as a run prints it before it starts, and as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from statistics import median
from typing import Any

from capdec_core import paths
from capdec_core.cell import CellConfig
from capdec_core.device import cores, devices_of
from capdec_core.planning import space
from capdec_core.planning.plan import Plan, workers
from capdec_core.planning.room import shortage
from capdec_core.planning.work import common
from capdec_core.profiles import profile_names
from capdec_core.programs import SMALL


def as_text(plan: Plan, why: str = "") -> str:
    """Return the plan in lines; `why` says in a clause why this profile was chosen."""
    reason = f": {why}" if why else ""
    lines = [
        f"Profile {plan.profile.name} ({plan.profile.title}) on {plan.device}{reason}.",
        *(f"  {name:<11}{text}" for name, text in _lines(plan)),
        f"Another scale: PROFILE={'|'.join(profile_names())}; another device: DEVICE=cpu|cuda|cuda:N.",
    ]
    return "\n".join(lines)


def as_json(plan: Plan) -> str:
    """Return the plan's numbers: counts, seconds, bytes."""
    return json.dumps(summary(plan), indent=2)


def summary(plan: Plan) -> dict[str, Any]:
    """Return the plan's numbers by name; what is estimated of time is None where nothing is missing."""
    return {
        "profile": plan.profile.name,
        "device": plan.device,
        "cells": len(plan.grid.cells),
        "missing": len(plan.todo),
        "to_train": len(plan.trained),
        "took_seconds": sum(plan.took.values()),
        "seconds": plan.pretraining + sum(plan.seconds),
        "longest_cell_seconds": max(plan.seconds, default=0.0),
        "side_by_side": workers(plan.device),
        "scoring_seconds_at_most": plan.judging.wall(cores()),
        "wall_seconds": plan.wall,
        "speed": asdict(plan.speed) if plan.speed else None,
        "disk_bytes": plan.disk,
        "free_bytes": space.free(paths.RESULTS),
        "to_fetch": [*plan.missing.parts, *plan.missing.weights],
        "to_fetch_bytes": plan.missing.size,
        "reachable": plan.missing.reachable,
    }


def _lines(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "cells", _cells(plan)
    if plan.speed is not None:
        yield from zip(("time", "", ""), _time(plan), strict=True)
    yield "disk", _disk(plan)
    yield "downloads", _downloads(plan)


def _cells(plan: Plan) -> str:
    if not plan.todo:
        return f"all {len(plan.grid.cells)} are in the store; they took {duration(sum(plan.took.values()))}"
    trained, others = len(plan.trained), ""
    if plan.took:
        others = f"; the others took {duration(sum(plan.took.values()))}"
    return (
        f"{len(plan.todo)} of {len(plan.grid.cells)} are missing{others}: {trained} to train, "
        f"{len(plan.todo) - trained} to decode otherwise{_short(plan)}"
    )


def _short(plan: Plan) -> str:
    short = shortage(plan.trained, devices_of(plan.device)[0])
    return f". TOO LARGE: {short}" if short else ""


def _time(plan: Plan) -> tuple[str, str, str]:
    assert plan.speed is not None
    assert plan.speed.captions is not None  # it was timed
    trained = [s for cell, s in zip(plan.todo, plan.seconds, strict=True) if isinstance(cell, CellConfig)]
    each = (
        f": {duration(median(trained))} a training, the longest {duration(max(trained))}" if trained else ""
    )
    one = "core" if plan.device == "cpu" else "GPU"
    least, middle, most = (f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}" for rate in plan.speed.captions)
    return (
        f"{_about(plan)} {duration(plan.pretraining + sum(plan.seconds))} of one {one}{each}",
        f"{_about(plan)} {duration(plan.computing)} with {workers(plan.device)} side by side, then at most "
        f"{duration(plan.judging.wall(cores()))} for scores, were no two captions the same; encoding and chapters "
        "come on top",
        f"timed by {plan.speed.steps} steps of training on this machine ({plan.speed.machine}): {middle} captions a "
        f"second, {least} to {most}",
    )


def _about(plan: Plan) -> str:
    """A GPU trains small captioners side by side, which is not foreseen."""
    small = plan.trained and sum(space.parameters(common(plan.trained))) <= SMALL
    return "at most" if small and plan.device != "cpu" else "about"


def _disk(plan: Plan) -> str:
    room = space.free(paths.RESULTS)
    short = (
        ""
        if plan.disk < room
        else " TOO LITTLE: cells that do not fit will fail, and go on once there is room."
    )
    return f"up to {size(plan.disk)} of cells and embeddings; {size(room)} are free.{short}"


def _downloads(plan: Plan) -> str:
    if not plan.missing:
        return "none"
    names = ", ".join([*plan.missing.parts, *plan.missing.weights])
    answer = "" if plan.missing.reachable else "; NOT ALL of their servers answer now"
    return f"about {size(plan.missing.size)}: {names}{answer}"


def duration(seconds: float) -> str:
    """Return a duration in the unit that suits it, in two digits: estimates are no better."""
    for unit, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit:
            return f"{float(f'{seconds / unit:.2g}'):g} {name}"
    return f"{float(f'{seconds:.2g}'):g} seconds"


def size(count: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count / 1e3:.3g} kB"
