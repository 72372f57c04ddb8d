"""The book from end to end at the smallest size, and what its commands do in which order."""

import base64
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from differing import differences
from small_world import InlineExecutor

from capdec_core import paths
from capdec_core import reproduce as module
from capdec_core.errors import CapdecError
from capdec_core.profiles import load_profile
from capdec_core.reference.write import write_reference
from capdec_core.reproduce import Book
from capdec_core.studies import NOTEBOOKS

CAPDEC = Path(sys.executable).with_name("capdec")
CHART = re.compile(r"data:image/svg\+xml;base64,([\w+/=]+)")


def reproduce_smoke(results: Path) -> subprocess.CompletedProcess[str]:
    """Run the book's command as `make smoke` does, with results in a folder of its own."""
    environment = os.environ | {"CAPDEC_RESULTS": str(results)}
    command = [CAPDEC, "reproduce", "--profile", "smoke", "--device", "cpu"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def outputs(notebook: Path) -> list[Any]:
    """Everything a notebook shows but its pictures: text, tables, values for the prose, charts as what draws them."""
    nbformat.validate(read := nbformat.read(notebook, as_version=4))
    shown = [output for cell in read.cells for output in cell.get("outputs", [])]
    assert [output for output in shown if output.output_type == "error"] == []
    return [
        {kind: drawn(value) for kind, value in output.data.items() if not kind.startswith("image/")}
        for output in shown
        if "data" in output
    ]


def drawn(shown: Any) -> Any:
    """Put the SVG in place of the data that stand for it, so that a difference can be read."""
    if not isinstance(shown, str):
        return shown
    return CHART.sub(lambda found: base64.b64decode(found[1]).decode(), shown)


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def tables(report: Path) -> dict[str, list[str]]:
    """Every table of every chapter's page, as its bytes say it."""
    pages = [report / f"{name}.html" for name in NOTEBOOKS.values()]
    return {page.name: re.findall(r"<table.*?</table>", page.read_text(), re.DOTALL) for page in pages}


def test_the_book_at_the_smallest_size_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One function, so that the book is made twice and not once a test; then a report without its cells."""
    first = reproduce_smoke(tmp_path)
    assert first.returncode == 0, first.stderr[-3000:]
    page = tmp_path / "report" / "smoke" / "index.html"
    took, link = first.stdout.splitlines()[-2:]
    assert re.fullmatch(r"The book took \d+\.\d minutes\.", took)
    assert link == f"Report: {page.as_uri()}"
    assert page.is_file()
    for name in NOTEBOOKS.values():
        assert f"{name}.html" in page.read_text()
        measured = {NOTEBOOKS["geometry"]: "matched cosine", NOTEBOOKS["scaling"]: "GPU hours"}.get(
            name, "CIDEr"
        )
        assert measured in page.with_name(f"{name}.html").read_text()

    executed = tmp_path / "executed" / "smoke"
    shown = {name: outputs(executed / f"{name}.ipynb") for name in NOTEBOOKS.values()}
    cells = tmp_path / "cells"
    for told in shown.values():
        assert any("<table" in output.get("text/html", "") for output in told)
    made = list(cells.iterdir())
    assert len(made) > 100
    assert (tmp_path / "ledger" / "smoke.csv").is_file()
    assert (tmp_path / "ledger" / "smoke.json").is_file()
    assert all((cell / "scores.json").is_file() for cell in made)
    before = stamps(cells)

    second = reproduce_smoke(tmp_path)
    assert second.returncode == 0, second.stderr[-3000:]
    assert differences(before, stamps(cells)) == [], "a second run computed something"
    assert "cell/s" not in second.stderr
    again = {name: outputs(executed / f"{name}.ipynb") for name in NOTEBOOKS.values()}
    assert differences(shown, again) == []
    assert page.is_file()

    own = tables(page.parent)
    assert all(own.values())
    for name in ("RESULTS", "CELLS", "EXECUTED", "LEDGER", "REPORT"):
        monkeypatch.setattr(paths, name, tmp_path / ("" if name == "RESULTS" else name.lower()))
    monkeypatch.setattr(Book, "execute_all", lambda book: None)  # every chapter was executed just now
    write_reference("smoke", "cpu")
    for folder in ("cells", "executed", "ledger", "figures", "report"):
        shutil.rmtree(tmp_path / folder)
    assert module.report("smoke", "cpu") == page
    assert differences(own, tables(page.parent)) == []
    assert "Reference results of version" in page.read_text()


def test_what_differs_is_told_by_its_chapter_its_output_and_its_first_characters(tmp_path: Path) -> None:
    """The comparison of two runs above, on notebooks of two outputs."""
    table = f"<table>{'<td>1.0</td>' * 1000}</table>"
    for name, number, prose in (("first", "2.5", "A."), ("second", "2.25", "A."), ("third", "2.5", None)):
        chart = base64.b64encode(f'<svg><path d="M {number}"/></svg>'.encode()).decode()
        shown = f'{table}<img src="data:image/svg+xml;base64,{chart}" alt="A line.">'
        told = [nbformat.v4.new_output("display_data", {"text/html": shown})]
        if prose:
            told.append(nbformat.v4.new_output("display_data", {"text/plain": prose, "image/png": name}))
        cell = nbformat.v4.new_code_cell(outputs=told)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / f"{name}.ipynb")
    first, second, third = ({"04": outputs(tmp_path / f"{n}.ipynb")} for n in ("first", "second", "third"))
    assert differences(first, first) == []
    (line,) = differences(first, second)
    assert line.startswith("/04/1/text/html: from character 12043 on ")
    assert 'd="M 2.5"/>' in line
    assert 'd="M 2.25"/>' in line
    assert len(line) < 250
    (line,) = differences(first, third)
    assert line == "/04/2: from character 0 on \"{'text/plain': 'A.'}\", then 'nothing'"
    assert differences({"a": 1}, {"b": 1}) == [
        "/a: from character 0 on '1', then 'nothing'",
        "/b: from character 0 on 'nothing', then '1'",
    ]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What a book was asked to do, with every step stood in for."""
    done: list[str] = []

    def step(name: str, result: Any) -> Any:
        def record(book: Book, *arguments: Any) -> Any:
            done.append(" ".join([name, book.profile.name, book.device, *map(str, arguments)]))
            return result

        return record

    def announced(profile: str, device: str) -> SimpleNamespace:
        return SimpleNamespace(profile=load_profile(profile, device), device=device)

    monkeypatch.setattr(module, "announced", announced)
    monkeypatch.setattr(module, "ProcessPoolExecutor", InlineExecutor)
    monkeypatch.setattr(Book, "compute", step("compute", None))
    monkeypatch.setattr(Book, "execute", step("execute", tmp_path / "chapter.ipynb"))
    monkeypatch.setattr(Book, "bind", step("bind", tmp_path / "index.html"))
    return done


def test_cells_then_notebooks_then_report(steps: list[str], tmp_path: Path) -> None:
    assert module.reproduce("smoke", "cpu") == tmp_path / "index.html"
    names = list(NOTEBOOKS)
    gathering = ["conclusions", "scaling"]  # the longest first, so that none is left to run alone
    order = [*gathering, *(name for name in names if name not in gathering)]
    executed = [f"execute smoke cpu {name}" for name in order]
    assert steps == [f"compute smoke cpu {names}", *executed, "bind smoke cpu"]


def test_a_study_is_its_cells_and_its_notebook(steps: list[str], tmp_path: Path) -> None:
    assert module.study("noise_types", "scenes", "cpu") == tmp_path / "chapter.ipynb"
    assert steps == ["compute scenes cpu ['noise_types']", "execute scenes cpu noise_types"]


def test_a_report_computes_nothing(steps: list[str], tmp_path: Path) -> None:
    assert module.report("smoke", "cpu") == tmp_path / "index.html"
    assert steps == ["bind smoke cpu"]


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("reproduce", ["paper", "cpu"], "PROFILE is one of"),
        ("reproduce", ["smoke", "tpu"], "DEVICE is one of"),
        ("report", ["smoke", "tpu"], "DEVICE is one of"),
        ("study", ["heads", "smoke", "cpu"], "NAME is one of"),
    ],
)
def test_a_wrong_name_stops_before_any_work(
    steps: list[str], command: str, arguments: list[str], message: str
) -> None:
    with pytest.raises(CapdecError, match=message):
        getattr(module, command)(*arguments)
    assert steps == []


def test_a_notebook_gets_the_profile_the_device_and_the_seeds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(module, "execute", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(module.paths, "EXECUTED", tmp_path)
    output = Book(load_profile("smoke"), "cpu").execute("noise_types")
    ((notebook, written, parameters),) = calls
    assert notebook.is_file()
    assert output == written == tmp_path / "smoke" / "02_noise_types.ipynb"
    assert parameters == {"profile": "smoke", "device": "cpu", "seeds": 2}


def test_a_report_of_chapters_that_were_not_run_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module.paths, "EXECUTED", tmp_path / "executed")
    monkeypatch.setattr(module.paths, "REPORT", tmp_path / "report")
    with pytest.raises(CapdecError, match="02_noise_types"):
        module.report("smoke", "cpu")
    assert not (tmp_path / "report").exists()


def test_profiles_do_not_share_a_report() -> None:
    smoke, scenes = (Book(load_profile(name), "cpu") for name in ("smoke", "scenes"))
    assert smoke.report != scenes.report
    assert smoke.executed != scenes.executed
