"""The plan of a workflow as a file: which programs of cells are missing, what each waits for and how large it is."""

import functools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from capdec_core.errors import CapdecError
from capdec_core.files import read_json, write_json
from capdec_core.profiles.reading import strict


@dataclass(frozen=True)
class Program:
    """Cells that one job computes.

    Attributes:
        name: of the job, its log and its mark: "train-<cell>" or "decode-<cell>" of its first cell.
        cells: names in the store.
        after: names of the programs that are computed before.
        memory_mb: memory of the process (MiB) on its host, as predicted.
        gpu_mb: memory (MiB) that its tensors take on a GPU, as predicted; 0 on a CPU.
    """

    name: str
    cells: list[str]
    after: list[str]
    memory_mb: int
    gpu_mb: int


@dataclass(frozen=True)
class Plan:
    """Programs in the order in which they should start."""

    programs: list[Program]

    @functools.cached_property
    def by_name(self) -> dict[str, Program]:
        """The programs by their names."""
        return {program.name: program for program in self.programs}

    def place(self, name: str) -> int:
        """Return a program's place in the order, from 0."""
        return list(self.by_name).index(name)


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan as JSON, atomically."""
    write_json(path, asdict(plan))


def read_plan(path: Path) -> Plan:
    """Return the plan in a file; CapdecError where it is missing or not a plan."""
    try:
        changed = path.stat().st_mtime_ns
    except FileNotFoundError:
        raise CapdecError(f"no such file: {path}") from None
    return _read(path, changed)


@functools.lru_cache(maxsize=1)
def _read(path: Path, changed: int) -> Plan:
    found: Any = strict(Plan, read_json(path), str(path))
    return found
