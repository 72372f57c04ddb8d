"""Timings kept: a machine is timed once for a profile and this code; a chapter shows what its run was planned by."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from capdec_core import paths
from capdec_core.cell import CellConfig, code_fingerprint
from capdec_core.errors import CapdecError
from capdec_core.files import digest, read_json, write_json
from capdec_core.planning.speed import Speed, measure
from capdec_core.planning.work import common, costliest
from capdec_core.profiles import strict
from capdec_core.worker import machine


def speed_of(profile: str, cells: Sequence[CellConfig], device: str) -> Speed:
    """Return how fast a device trains and decodes the cells of a profile, from `results/timings` where it was timed."""
    path, key = _path(profile, device), _key(cells, device)
    if (kept := _kept(path, key)) is not None:
        return kept
    found = measure(cells, device)
    write_json(path, {"key": key, "speed": asdict(found)})
    return found


def _path(profile: str, device: str) -> Path:
    return Path(paths.RESULTS) / "timings" / f"{profile}-{device.replace(':', '')}.json"


def _key(cells: Sequence[CellConfig], device: str) -> str:
    """Return the hash of what was timed: the cells' shapes, the code, the machine and its versions."""
    timed = [asdict(cell) for cell in (common(cells), costliest(cells))]
    told = machine(device)
    return digest([timed, code_fingerprint(), told["device"], told["versions"]])


def _kept(path: Path, key: str) -> Speed | None:
    """Return a kept timing; None where there is none, or it is of something else."""
    try:
        table = read_json(path)
        if table["key"] != key:
            return None
        found: Speed = strict(Speed, table["speed"], path.name)
    except (CapdecError, KeyError, TypeError):
        return None
    return found
