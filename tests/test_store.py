"""The store: a cell is whole or not there, and a foreign file is named."""

import json
from pathlib import Path

import pytest
from small_world import cell_config

from capdec_core.bridges import Bridge
from capdec_core.cell import CellConfig
from capdec_core.errors import CapdecError
from capdec_core.files import write_json
from capdec_core.store import CellStore

CAPTIONS = {"test/image": {"one": ["a cat", "a dog"]}}


def write_cell(store: CellStore, cell: CellConfig) -> None:
    with store.writing(cell) as folder:
        write_json(folder / "captions.json", CAPTIONS)
        write_json(folder / "record.json", {"losses": [1.0]})


@pytest.fixture
def store(tmp_path: Path) -> CellStore:
    return CellStore(tmp_path / "cells")


def test_a_cell_is_there_when_it_is_whole(store: CellStore) -> None:
    cell = cell_config()
    assert not store.has(cell)
    with store.writing(cell) as folder:
        write_json(folder / "record.json", {})
        write_json(folder / "captions.json", CAPTIONS)
        assert not store.has(cell)
        assert not store.path(cell).exists()
    assert store.has(cell)
    assert not store.has(cell_config(seed=1))
    assert [path.name for path in store.folder.iterdir()] == [cell.id]


def test_a_cell_carries_its_configuration(store: CellStore) -> None:
    cell = cell_config()
    write_cell(store, cell)
    written = json.loads((store.path(cell) / "cell.json").read_text())
    assert CellConfig.from_dict(written) == cell
    assert store.path(cell).name == CellConfig.from_dict(written).id


def cut_off(store: CellStore, cell: CellConfig, error: BaseException) -> None:
    with store.writing(cell) as folder:
        (folder / "training.safetensors").write_bytes(b"half way")
        raise error


def test_a_failure_leaves_the_workspace_and_no_cell(store: CellStore) -> None:
    cell = cell_config()
    with pytest.raises(RuntimeError, match="out of memory"):
        cut_off(store, cell, RuntimeError("out of memory"))
    assert not store.has(cell)
    assert not store.path(cell).exists()
    assert (store.workspace(cell) / "training.safetensors").read_bytes() == b"half way"


def test_the_next_try_finds_what_the_last_one_left(store: CellStore) -> None:
    cell = cell_config()
    with pytest.raises(KeyboardInterrupt):
        cut_off(store, cell, KeyboardInterrupt())
    with store.writing(cell) as folder:
        assert (folder / "training.safetensors").read_bytes() == b"half way"
        write_json(folder / "record.json", {})
    assert store.has(cell)
    assert not store.workspace(cell).exists()


def test_a_folder_without_a_record_is_replaced(store: CellStore) -> None:
    cell = cell_config()
    store.path(cell).mkdir(parents=True)
    for name in ("cell.json", "captions.json"):
        (store.path(cell) / name).write_text("old")
    assert not store.has(cell)
    write_cell(store, cell)
    assert store.captions(cell) == CAPTIONS


def test_scores_are_added_later(store: CellStore) -> None:
    cell = cell_config()
    write_cell(store, cell)
    assert store.has(cell)
    assert not store.has_scores(cell)
    store.write_scores(cell, {"test/image": {"corpus": {"CIDEr": 0.1}}})
    assert store.has_scores(cell)
    assert store.scores(cell)["test/image"]["corpus"]["CIDEr"] == 0.1
    assert store.record(cell) == {"losses": [1.0]}
    assert store.captions(cell) == CAPTIONS


def test_no_score_is_written_that_is_no_number(store: CellStore) -> None:
    cell = cell_config()
    write_cell(store, cell)
    with pytest.raises(ValueError, match="JSON compliant"):
        store.write_scores(cell, {"test/image": {"corpus": {"CIDEr": float("nan")}}})
    assert not store.has_scores(cell)


@pytest.mark.parametrize("name", ["captions", "record", "scores"])
@pytest.mark.parametrize("content", [b"\x00\x01", b"{", b"[1, 2]", None])
def test_a_damaged_or_foreign_file_is_named(store: CellStore, name: str, content: bytes | None) -> None:
    cell = cell_config()
    write_cell(store, cell)
    path = store.path(cell) / f"{name}.json"
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CapdecError, match=rf"{cell.id}/{name}\.json"):
        getattr(store, name)(cell)


def test_cells_of_other_configurations_do_not_meet(store: CellStore) -> None:
    one, other = cell_config(), cell_config(bridge=Bridge().to_dict())
    write_cell(store, one)
    store.write_scores(one, {"a": {}})
    assert not store.has(other)
    assert not store.has_scores(other)
