"""A cell's name: changed by everything that decides its captions, and by nothing else."""

import ast
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from small_world import cell_config

from capdec_core import cell as module
from capdec_core.bridges import Bridge
from capdec_core.cell import DECIDING_CODE, CellConfig, Evaluation, code_fingerprint
from capdec_core.noise import Gaussian
from capdec_core.paths import PACKAGE

CHANGES = {
    "corpus": "other",
    "encoder": "other",
    "tokenizer": "other",
    "train_on": "image",
    "bridge": Bridge(noise=Gaussian(0.05)).to_dict(),
    "mapper": {"kind": "mlp", "heads": 4},
    "language_model": {"width": 32, "tuned": False},
    "pretraining": {"steps": 6},
    "training": {"steps": 10, "learning_rate": 2e-3},
    "decoding": {"beams": 1, "max_tokens": 20},
    "evaluations": (Evaluation("val", "image", 4), Evaluation("test", "text", 8)),
    "seed": 1,
    "code": "other",
}
UNDECIDING = {
    "__init__.py",
    "cell.py",
    "checkpoints.py",
    "errors.py",
    "files.py",
    "paths.py",
    "resume.py",
    "store.py",
}
"""Modules that a worker imports and that keep, name or carry a cell without deciding its captions."""
FINGERPRINTED = {"corpora", "encoders", "profiles"}
"""Packages whose part in a cell is a fingerprint or a value in its configuration."""


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(CellConfig)])
def test_every_field_changes_the_id(name: str) -> None:
    assert replace(cell_config(), **{name: CHANGES[name]}).id != cell_config().id


def test_every_part_of_an_evaluation_changes_the_id() -> None:
    evaluation = Evaluation("test", "image", 8)
    others = [replace(evaluation, **part) for part in ({"split": "val"}, {"source": "text"}, {"images": 9})]
    assert len({cell_config(evaluations=(e,)).id for e in [evaluation, *others]}) == 4


def test_id_does_not_depend_on_the_order_of_keys() -> None:
    cell = cell_config()
    assert cell_config(bridge=dict(reversed(cell.bridge.items()))).id == cell.id
    assert CellConfig.from_dict(dict(reversed(asdict(cell).items()))).id == cell.id


def test_id_is_sixteen_hex_digits() -> None:
    assert len(cell_config().id) == 16
    int(cell_config().id, 16)


def test_dictionary_and_json_give_the_cell_back() -> None:
    cell = cell_config()
    assert CellConfig.from_dict(asdict(cell)) == cell
    through_json = CellConfig.from_dict(json.loads(json.dumps(asdict(cell))))
    assert through_json == cell
    assert through_json.id == cell.id
    assert isinstance(through_json.evaluations, tuple)


def test_id_is_the_same_in_another_process() -> None:
    program = (
        "import json, sys; from capdec_core.cell import CellConfig;"
        "print(CellConfig.from_dict(json.load(sys.stdin)).id)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(asdict(cell_config())),
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == cell_config().id


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package, from which the fingerprint is computed."""
    copy = tmp_path / "capdec_core"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "PACKAGE", copy)
    return copy


def fingerprint() -> str:
    return code_fingerprint.__wrapped__()


def test_fingerprint_does_not_depend_on_where_the_code_lies(package: Path) -> None:
    assert fingerprint() == code_fingerprint()


def test_fingerprint_ignores_comments_layout_and_other_modules(package: Path) -> None:
    before = fingerprint()
    training = package / "training.py"
    training.write_text("# a comment\n\n\n" + training.read_text().replace("\n\n\n", "\n\n\n\n"))
    runner = package / "runner.py"
    runner.write_text(runner.read_text() + "\nX = 1\n")
    assert fingerprint() == before


@pytest.mark.parametrize("name", DECIDING_CODE)
def test_fingerprint_changes_with_every_deciding_module(package: Path, name: str) -> None:
    before = fingerprint()
    path = package / name
    target = sorted(path.rglob("*.py"))[-1] if path.is_dir() else path
    target.write_text(target.read_text() + "\nX = 1\n")
    assert fingerprint() != before


def test_fingerprint_changes_with_a_number(package: Path) -> None:
    before = fingerprint()
    training = package / "training.py"
    text = training.read_text()
    assert "eps=1e-6" in text
    training.write_text(text.replace("eps=1e-6", "eps=1e-8"))
    assert fingerprint() != before


def test_fingerprint_covers_all_that_a_worker_imports() -> None:
    top = {path.relative_to(PACKAGE).parts[0] for path in imported_from(PACKAGE / "worker.py")}
    assert top - UNDECIDING - FINGERPRINTED <= set(DECIDING_CODE)
    assert set(DECIDING_CODE) <= top, "a deciding module that no worker imports"


def imported_from(start: Path) -> set[Path]:
    """The package's modules that `start` imports, directly or through others, itself included."""
    found, waiting = set(), [start]
    while waiting:
        path = waiting.pop()
        if path in found or path.relative_to(PACKAGE).parts[0] in FINGERPRINTED:
            found.add(path)
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("capdec_core"):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                waiting += [file for name in names if name for file in module_file(name)]
    return found


def module_file(name: str) -> list[Path]:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]
