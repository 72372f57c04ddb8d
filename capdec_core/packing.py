"""Cells packed on one machine and merged into another's store.

A cell's name is the hash of its configuration and of the code that decides its captions. A merge therefore takes a
cell only if its configuration hashes to its name, was made by the code that is here, and is one that the profile
asks for. Which bytes a cell holds under its name is not decided by the hash (seconds differ from machine to
machine), so a cell that is in the store already must be the same, byte for byte, or it is refused.
"""

import os
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from capdec_core import paths
from capdec_core.archive import (
    BOUNDS,
    Members,
    add,
    cells_in,
    check_contents,
    extract,
    opened,
    read_table,
    same,
)
from capdec_core.cell import CellConfig, StoredCell, code_fingerprint
from capdec_core.device import devices_of
from capdec_core.errors import CapdecError
from capdec_core.files import digest, replacing
from capdec_core.material import prepare
from capdec_core.profiles import Profile, load_profile
from capdec_core.store import CAPTIONER, CellStore
from capdec_core.studies import conclusions
from capdec_core.studies.conditions import all_cells, wanted_by

SHOWN = 5
"""So many refused cells are named in a message."""


@dataclass(frozen=True)
class Merged:
    """What a merge did: cells that are new, cells that were completed with scores, cells that were there already."""

    new: int
    scored: int
    present: int


def profile_cells(profile: Profile, device: str) -> dict[str, StoredCell]:
    """Return every cell that a chapter of the profile's book asks for, by its id."""
    conditions = conclusions.conditions(profile, profile.seeds)
    material = prepare(profile, devices_of(device)[0], wanted_by(conditions))
    return {cell.id: cell for cell in all_cells(conditions, profile, material)}


def pack_profile(name: str, device: str, archive: Path) -> str:
    """Pack every finished cell of a profile and say how many there are."""
    cells = profile_cells(load_profile(name, device), device)
    count = pack(CellStore(paths.CELLS), cells.values(), archive)
    return f"{archive}: {count} of the {len(cells)} cells of {name}, {archive.stat().st_size / 1e6:.1f} MB"


def merge_profile(name: str, device: str, archive: Path) -> str:
    """Merge an archive into the store and say what was new."""
    done = merge(archive, CellStore(paths.CELLS), profile_cells(load_profile(name, device), device))
    return f"{done.new} cells are new, {done.scored} got their scores, {done.present} were there already."


def pack(store: CellStore, cells: Iterable[StoredCell], archive: Path) -> int:
    """Write the finished ones of `cells` into `archive`, atomically, and return how many they are.

    Equal cells give equal bytes. CapdecError where none is finished.
    """
    found = sorted((cell for cell in cells if store.has(cell)), key=lambda cell: cell.id)
    if not found:
        raise CapdecError(f"{store.folder} has no finished cell of this profile: run make reproduce first")
    with replacing(archive) as stream, zipfile.ZipFile(stream, "w") as packed:
        for cell in tqdm(found, desc="pack", unit="cell"):
            for path in (store.path(cell) / name for name in BOUNDS):
                if path.is_file():
                    add(packed, f"{cell.id}/{path.name}", path)
    return len(found)


def merge(archive: Path, store: CellStore, wanted: Mapping[str, StoredCell]) -> Merged:
    """Take an archive's cells into a store; a cell appears whole or not at all.

    Every cell is checked against what the profile asks for and against the store before the first is taken; its
    contents are checked as it is taken. A merge that was interrupted goes on when it is called again.

    Args:
        archive: from `pack`, perhaps on another machine; it is not trusted.
        store: where the cells go.
        wanted: the cells that the profile asks for, by id.

    Raises:
        CapdecError: the archive is damaged or holds something else than cells; a cell of other code, of another
            configuration or of a name that its configuration does not hash to; a cell that the store has with
            other content. The message names the cell.
    """
    with opened(archive) as packed:
        cells = cells_in(packed)
        for cell in tqdm(cells, desc="check", unit="cell"):
            _check_name(cell, cells[cell], packed, wanted)
        _refuse_conflicts(cells, packed, store, wanted)
        done = [_take(wanted[cell], cells[cell], packed, store) for cell in tqdm(cells, "merge", unit="cell")]
    return Merged(done.count("new"), done.count("scored"), done.count("present"))


def _check_name(
    cell: str, members: Members, packed: zipfile.ZipFile, wanted: Mapping[str, StoredCell]
) -> None:
    """Check what a cell claims to be, and that it is whole."""
    where = f"{packed.filename}: cell {cell}"
    if "cell.json" not in members:
        raise CapdecError(f"{where} has no cell.json")
    table = read_table(packed, members["cell.json"])
    if digest(table)[:16] != cell:
        raise CapdecError(f"{where} has a configuration of another name, {digest(table)[:16]}")
    code = _code(table)
    if code != code_fingerprint():
        raise CapdecError(
            f"{where} was made by code {code!s:.40}, not by the code here, {code_fingerprint()}"
        )
    if cell not in wanted:
        raise CapdecError(
            f"{where} is of another configuration than the profile's: {_difference(table, wanted)}"
        )
    trained = isinstance(wanted[cell], CellConfig)
    needed = [name for name in BOUNDS if name != "scores.json" and (trained or name != CAPTIONER)]
    if missing := [name for name in needed if name not in members]:
        raise CapdecError(f"{where} is not whole: no {', '.join(missing)}")


def _code(table: Mapping[str, Any]) -> object:
    trained = table.get("cell", table)  # a cell that was decoded anew carries the one that was trained
    return trained.get("code") if isinstance(trained, dict) else None


def _difference(table: Mapping[str, Any], wanted: Mapping[str, StoredCell]) -> str:
    """Name the settings in which a configuration differs from the most similar one that is asked for."""
    own = _settings(table)
    asked = (_settings(asdict(cell)) for cell in wanted.values())  # type: ignore[call-overload]
    differences = ([key for key in other if digest(other[key]) != digest(own.get(key))] for other in asked)
    fewest: list[str] = min(differences, key=len, default=[])
    return f"it differs in {', '.join(fewest)}"


def _settings(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration's settings; one that was decoded anew has those of its training, decoding replaced."""
    return {**table.get("cell", {}), **{key: value for key, value in table.items() if key != "cell"}}


def _refuse_conflicts(
    cells: Mapping[str, Members], packed: zipfile.ZipFile, store: CellStore, wanted: Mapping[str, StoredCell]
) -> None:
    conflicts = [
        f"{cell}/{name}"
        for cell, members in cells.items()
        if store.has(wanted[cell])
        for name, info in members.items()
        if (path := store.path(wanted[cell]) / name).is_file() and not same(packed, info, path)
    ]
    if conflicts:
        more = f" and {len(conflicts) - SHOWN} more" if len(conflicts) > SHOWN else ""
        raise CapdecError(
            f"{packed.filename} and {store.folder} have cells of one name with other content, and nothing was "
            f"merged: {', '.join(conflicts[:SHOWN])}{more}. Delete the cells on the side that you do not trust."
        )


def _take(cell: StoredCell, members: Members, packed: zipfile.ZipFile, store: CellStore) -> str:
    """Take one cell, or its scores where only they are missing; say what was done."""
    there = store.has(cell)
    if there and (store.has_scores(cell) or "scores.json" not in members):
        return "present"
    staged = store.folder / f".{cell.id}.merging"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    try:
        extract(packed, {"scores.json": members["scores.json"]} if there else members, staged)
        check_contents(staged, cell)
        if there:
            os.replace(staged / "scores.json", store.path(cell) / "scores.json")
            return "scored"
        shutil.rmtree(store.path(cell), ignore_errors=True)
        staged.rename(store.path(cell))
        return "new"
    finally:
        shutil.rmtree(staged, ignore_errors=True)
