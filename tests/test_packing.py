"""Cells carried from one store to another: what is taken, what is refused by name, and that nothing is half there."""

import json
import stat
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save
from small_world import cell_config

from capdec_core import archive as module
from capdec_core.cell import CellConfig, Decoded, StoredCell
from capdec_core.errors import CapdecError
from capdec_core.files import digest, write_json
from capdec_core.packing import Merged, merge, pack
from capdec_core.store import CAPTIONER, CellStore

TRAINED = [cell_config(seed=seed) for seed in range(3)]
ANEW = Decoded(TRAINED[0], {"kind": "Greedy", "max_tokens": 20}, TRAINED[0].evaluations[1:])
CELLS: list[StoredCell] = [*TRAINED, ANEW]
WANTED = {cell.id: cell for cell in CELLS}
Change = Callable[[dict[str, bytes]], None]


def write_cell(store: CellStore, cell: StoredCell, seconds: float = 1.0, scored: bool = True) -> None:
    with store.writing(cell) as folder:
        if isinstance(cell, CellConfig):
            (folder / CAPTIONER).write_bytes(save({"weight": np.arange(6.0).reshape(2, 3)}))
        captions = {e.key: {f"{e.split}-{i}": ["a cat"] for i in range(e.images)} for e in cell.evaluations}
        write_json(folder / "captions.json", captions)
        write_json(folder / "record.json", {"losses": [1.0], "seconds": seconds})
    if scored:
        store.write_scores(cell, {e.key: {"corpus": {"CIDEr": 0.1}} for e in cell.evaluations})


@pytest.fixture
def full(tmp_path: Path) -> CellStore:
    """A store that has every cell."""
    store = CellStore(tmp_path / "there")
    for cell in CELLS:
        write_cell(store, cell)
    return store


@pytest.fixture
def packed(full: CellStore, tmp_path: Path) -> Path:
    path = tmp_path / "cells.zip"
    assert pack(full, CELLS, path) == len(CELLS)
    return path


@pytest.fixture
def store(tmp_path: Path) -> CellStore:
    """An empty store."""
    return CellStore(tmp_path / "here")


def contents(store: CellStore) -> dict[str, bytes]:
    files = (path for path in store.folder.rglob("*") if path.is_file())
    return {path.relative_to(store.folder).as_posix(): path.read_bytes() for path in files}


def repack(path: Path, change: Change) -> Path:
    """Write an archive's members anew after `change`, as another program would."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_what_was_packed_is_what_is_merged(packed: Path, full: CellStore, store: CellStore) -> None:
    assert merge(packed, store, WANTED) == Merged(new=4, scored=0, present=0)
    assert contents(store) == contents(full)
    assert merge(packed, store, WANTED) == Merged(new=0, scored=0, present=4)
    assert contents(store) == contents(full)


def test_equal_cells_give_equal_bytes(packed: Path, store: CellStore, tmp_path: Path) -> None:
    """Written in another order, at another time, in another folder."""
    for cell in reversed(CELLS):
        write_cell(store, cell)
    pack(store, reversed(CELLS), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_only_finished_cells_are_packed(store: CellStore, tmp_path: Path) -> None:
    target = tmp_path / "cells.zip"
    with pytest.raises(CapdecError, match="no finished cell"):
        pack(store, CELLS, target)
    write_cell(store, TRAINED[1], scored=False)
    store.workspace(TRAINED[2]).mkdir()
    assert pack(store, CELLS, target) == 1
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["cells.zip"]


def test_an_archive_that_cannot_be_finished_leaves_the_old_one(
    packed: Path, full: CellStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: Any) -> None:
        raise OSError("no space left")

    before = packed.read_bytes()
    monkeypatch.setattr("capdec_core.packing.add", full_disk)
    with pytest.raises(OSError, match="no space"):
        pack(full, CELLS, packed)
    assert packed.read_bytes() == before
    assert [path.name for path in packed.parent.iterdir() if path.is_file()] == ["cells.zip"]


def test_scores_are_added_to_a_cell_that_lacks_them(packed: Path, full: CellStore, store: CellStore) -> None:
    write_cell(store, TRAINED[0], scored=False)
    assert merge(packed, store, WANTED) == Merged(new=3, scored=1, present=0)
    assert contents(store) == contents(full)


def test_a_cell_with_other_content_is_refused_before_anything_is_merged(
    packed: Path, store: CellStore
) -> None:
    write_cell(store, TRAINED[1], seconds=2.0)
    before = contents(store)
    with pytest.raises(CapdecError, match=f"nothing was merged: {TRAINED[1].id}/record.json"):
        merge(packed, store, WANTED)
    assert contents(store) == before


def test_an_interrupted_merge_goes_on(
    packed: Path, full: CellStore, store: CellStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with a file half written: the cells before are whole, the cell in question is not there."""
    real, calls = module.extract, []

    def interrupted(archive: zipfile.ZipFile, members: dict, folder: Path) -> None:
        calls.append(folder)
        if len(calls) == 3:
            (folder / "cell.json").write_text("{")
            raise KeyboardInterrupt
        real(archive, members, folder)

    monkeypatch.setattr("capdec_core.packing.extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        merge(packed, store, WANTED)
    there = {path.name for path in store.folder.iterdir()}
    assert there == set(sorted(WANTED)[:2])
    assert merge(packed, store, WANTED) == Merged(new=2, scored=0, present=2)
    assert contents(store) == contents(full)


def test_what_a_killed_merge_left_is_no_cell_and_in_nobodys_way(
    packed: Path, full: CellStore, store: CellStore
) -> None:
    left = store.folder / f".{TRAINED[0].id}.merging"
    left.mkdir(parents=True)
    (left / "stray").write_text("half")
    merge(packed, store, WANTED)
    assert contents(store) == contents(full)


def renamed(name: str) -> Change:
    def change(members: dict[str, bytes]) -> None:
        members[name] = members.pop(f"{TRAINED[0].id}/captions.json")

    return change


@pytest.mark.parametrize(
    "name",
    [
        "../captions.json",
        "/etc/captions.json",
        f"{TRAINED[0].id}/../../captions.json",
        f"{TRAINED[0].id}/sub/captions.json",
        f"{TRAINED[0].id}\\captions.json",
        f"{TRAINED[0].id}/captions.pkl",
        f"{TRAINED[0].id}/",
        f"{TRAINED[0].id}/captions.json\n",
        f"{TRAINED[0].id.upper()}/captions.json",
        "captions.json",
    ],
)
def test_a_name_that_is_no_file_of_a_cell_is_refused(packed: Path, store: CellStore, name: str) -> None:
    with pytest.raises(CapdecError, match="no file of a cell"):
        merge(repack(packed, renamed(name)), store, WANTED)
    assert not store.folder.exists()


def special(path: Path, **changes: Any) -> Path:
    """Write an archive with one member whose entry says `changes`."""
    info = zipfile.ZipInfo(f"{TRAINED[0].id}/cell.json")
    for name, value in changes.items():
        setattr(info, name, value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return path


def test_a_link_is_refused(tmp_path: Path, store: CellStore) -> None:
    path = special(tmp_path / "a.zip", external_attr=(stat.S_IFLNK | 0o777) << 16)
    with pytest.raises(CapdecError, match=r"cell\.json' which is no file of a cell"):
        merge(path, store, WANTED)


def test_compression_that_is_not_ours_is_refused(tmp_path: Path, store: CellStore) -> None:
    path = special(tmp_path / "a.zip", compress_type=zipfile.ZIP_LZMA)
    with pytest.raises(CapdecError, match="compressed in a way"):
        merge(path, store, WANTED)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(packed: Path, store: CellStore) -> None:
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(f"{TRAINED[0].id}/cell.json", "{}")
    with pytest.raises(CapdecError, match="twice"):
        merge(packed, store, WANTED)


def test_a_file_larger_than_a_cells_can_be_is_not_unpacked(tmp_path: Path, store: CellStore) -> None:
    """A megabyte and one byte of zeros is a kilobyte in the archive."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{TRAINED[0].id}/cell.json", b" " * (module.BOUNDS["cell.json"] + 1))
    with pytest.raises(CapdecError, match="1,048,577 bytes"):
        merge(tmp_path / "a.zip", store, WANTED)


def with_configuration(cell: StoredCell, table: Any) -> Change:
    """Put a cell under another configuration, and under the name that it hashes to where it is a table."""

    def change(members: dict[str, bytes]) -> None:
        name = digest(table)[:16] if isinstance(table, dict) else cell.id
        for path in [path for path in members if path.startswith(cell.id)]:
            members[path.replace(cell.id, name)] = members.pop(path)
        members[f"{name}/cell.json"] = json.dumps(table).encode()

    return change


def configuration(**changes: Any) -> dict[str, Any]:
    return asdict(cell_config(**changes))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (configuration(code="0123456789abcdef"), "made by code 0123456789abcdef"),
        ({"cell": configuration(code="older")}, "made by code older"),
        (configuration(encoder="another"), "it differs in encoder"),
        (configuration(training={"steps": 11}, corpus="c"), "it differs in corpus, training"),
        (asdict(ANEW) | {"cell": configuration(encoder="another")}, "it differs in encoder"),
        ({}, "made by code None"),
        ([1], "no JSON object"),
        (float("nan"), "NaN is no number"),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_other_code_and_other_configurations_are_refused_by_name(
    packed: Path, store: CellStore, table: Any, message: str
) -> None:
    with pytest.raises(CapdecError, match=message):
        merge(repack(packed, with_configuration(TRAINED[0], table)), store, WANTED)
    assert not store.folder.exists()


def test_a_configuration_under_a_name_that_is_not_its_own_is_refused(packed: Path, store: CellStore) -> None:
    def change(members: dict[str, bytes]) -> None:
        members[f"{TRAINED[0].id}/cell.json"] = members[f"{TRAINED[1].id}/cell.json"]

    with pytest.raises(
        CapdecError, match=f"cell {TRAINED[0].id} has a configuration of another name, {TRAINED[1].id}"
    ):
        merge(repack(packed, change), store, WANTED)


@pytest.mark.parametrize("name", ["cell.json", "record.json", "captions.json", CAPTIONER])
def test_a_cell_that_is_not_whole_is_refused(packed: Path, store: CellStore, name: str) -> None:
    with pytest.raises(CapdecError, match=f"cell {TRAINED[2].id} .*no {name}"):
        merge(repack(packed, lambda members: members.pop(f"{TRAINED[2].id}/{name}") and None), store, WANTED)


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("captions.json", b"\x80\x04\x95pickled"),
        ("captions.json", b'{"test/image": {"1": ["a cat"]}}'),
        ("captions.json", b'{"val/image": {}, "test/image": {"1": "a cat"}}'),
        ("captions.json", b'{"val/image": [], "test/image": {}}'),
        ("record.json", b"[1]"),
        ("record.json", b'{"seconds": Infinity}'),
        ("record.json", DEEP),
        ("scores.json", b'{"test/text": {}}'),
        (CAPTIONER, b"\x80\x04\x95pickled, not tensors"),
        (CAPTIONER, save({"weight": np.zeros(4)})[:-1]),
    ],
)
def test_content_of_another_form_is_refused_by_name(
    packed: Path, store: CellStore, name: str, data: bytes
) -> None:
    """The cells before it are whole, and it is not there."""
    bad = TRAINED[1]
    with pytest.raises(CapdecError, match=f"{bad.id}/{name}"):
        merge(repack(packed, lambda members: members.update({f"{bad.id}/{name}": data})), store, WANTED)
    assert {path.name for path in store.folder.iterdir()} == {id for id in WANTED if id < bad.id}


def test_an_archive_that_is_missing_or_damaged_is_named(packed: Path, store: CellStore) -> None:
    with pytest.raises(CapdecError, match="No such file"):
        merge(packed.with_name("none.zip"), store, WANTED)
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CapdecError, match="no whole archive"):
        merge(packed, store, WANTED)


def flipped(data: bytes, places: Iterable[int]) -> bytes:
    changed = bytearray(data)
    for place in places:
        changed[place] ^= 0xFF
    return bytes(changed)


def test_a_flipped_byte_never_enters_the_store(packed: Path, full: CellStore, store: CellStore) -> None:
    """Wherever it is, the merge fails by name or takes what was packed."""
    whole, truth = packed.read_bytes(), contents(full)
    for place in range(0, len(whole), 7):
        packed.write_bytes(flipped(whole, [place]))
        with suppress(CapdecError):
            merge(packed, store, WANTED)
        taken = contents(store) if store.folder.exists() else {}
        assert taken.items() <= truth.items(), place
