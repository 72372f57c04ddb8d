"""The manifest of a reference: where its results come from, what they cost, and which files belong together."""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from capdec_core import __version__, paths
from capdec_core.cell import StoredCell, code_fingerprint
from capdec_core.errors import CapdecError
from capdec_core.files import digest, file_digest, read_json, write_json
from capdec_core.profiles import Profile
from capdec_core.store import CellStore

SCHEMA = 1
"""Version of the manifest; it changes with the names or the meaning of its fields."""
NAME = "manifest.json"
COSTS = ("seconds", "decoding_seconds", "trainable_parameters", "peak_memory")
"""What of a cell's record is its cost: wall-clock seconds, numbers, bytes."""
MACHINE = ("device", "threads", "versions")

Table = dict[str, Any]


def manifest(
    profile: Profile, chapters: Mapping[str, int], cells: Sequence[StoredCell], store: CellStore
) -> Table:
    """Return what is said of a reference but the hashes of its files.

    Args:
        profile: whose results they are.
        chapters: the number of conditions of each chapter, by its file's name.
        cells: every cell of the book; all are in `store`.
    """
    records = {cell.id: store.record(cell) for cell in cells}
    machines = _machines(records.values())
    return {
        "schema": SCHEMA,
        "profile": profile.name,
        "settings": asdict(profile),
        "version": __version__,
        "code": code_fingerprint(),
        "commit": commit(),
        "seeds": sorted({cell.seed for cell in cells}),
        "chapters": dict(chapters),
        "machines": machines,
        "cells": {cell.id: _cost(cell, records[cell.id], machines) for cell in cells},
    }


def _machines(records: Iterable[Table]) -> list[Table]:
    """Return the distinct machines of some records, in a fixed order."""
    found = {digest(machine): machine for machine in map(_machine, records)}
    return [found[key] for key in sorted(found)]


def _machine(record: Table) -> Table:
    return {key: record[key] for key in MACHINE}


def _cost(cell: StoredCell, record: Table, machines: Sequence[Table]) -> Table:
    """Return a cell's cost, with its machine's place in the list."""
    cost = {key: record[key] for key in COSTS}
    return cost | {"seed": cell.seed, "machine": machines.index(_machine(record))}


def commit() -> str | None:
    """Return the commit that the project stands at, "+" where its files have changed since; None without git."""
    try:
        head, changes = (
            subprocess.run(
                ["git", *command], cwd=paths.ROOT, capture_output=True, text=True, check=True
            ).stdout
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.strip() + ("+" if changes else "")


def seal(folder: Path, table: Table) -> None:
    """Write the manifest of a folder with the hash of every file below it."""
    write_json(folder / NAME, table | {"files": _hashes(folder)})


def read_manifest(folder: Path, profile: str) -> Table:
    """Return a reference's manifest once every file below the folder is the one that it names.

    Raises:
        CapdecError: no manifest of this schema and profile, or files that are missing, changed or of no
            business there.
    """
    table = read_json(folder / NAME)
    if not isinstance(table, dict) or table.get("schema") != SCHEMA:
        raise CapdecError(f"{folder / NAME} is no manifest of schema {SCHEMA}")
    if table["profile"] != profile:
        raise CapdecError(f"{folder} holds results of the profile {table['profile']}, not of {profile}")
    known, found = table["files"], _hashes(folder)
    if odd := sorted(name for name in known.keys() | found.keys() if known.get(name) != found.get(name)):
        raise CapdecError(
            f"{folder} is not of one run; missing, changed or not of it: {', '.join(odd)}. "
            f"Take it from the repository again, or write it anew with make reference."
        )
    return table


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
