"""The papermill wrapper, the report's build, and the pairs of notebook and script."""

import json
import re
import shutil
import sys
from pathlib import Path

import jupytext.cli
import nbformat
import numpy as np
import pytest
from small_book import code, parameters, prose, write_notebook

from capdec_core import paths
from capdec_core.book import build_report, execute, parameter_names
from capdec_core.errors import CapdecError

CHAPTERS = sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def test_kernel_is_this_python_whatever_is_registered(tmp_path, monkeypatch, capfd):
    """A `python3` kernel that comes first on the search path, and braces in the path, change nothing."""
    kernel = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "other", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    notebook = write_notebook(
        tmp_path / "a {folder}" / "01_small.ipynb",
        prose("# Title"),
        parameters(),
        prose("Text.\n\n## A section"),
        code("import sys, os\nprint([sys.executable, os.getcwd(), profile, seeds])"),
    )
    output = tmp_path / "a {folder}" / "out" / "01_small.ipynb"
    execute(notebook, output, {"seeds": 3})
    printed = nbformat.read(output, as_version=4).cells[-1].outputs[0].text
    assert printed.strip() == repr([sys.executable, str(notebook.parent), "tiny", 3])
    assert [path.name for path in output.parent.iterdir()] == ["01_small.ipynb"]
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("01_small")]
    assert said == ["01_small: Title", "01_small: A section"]


def test_unknown_parameter_is_refused_before_anything_runs(tmp_path):
    notebook = write_notebook(tmp_path / "n.ipynb", parameters(), code("open('ran', 'w')"))
    output = tmp_path / "out.ipynb"
    output.write_text("an earlier result")
    with pytest.raises(CapdecError, match="no parameter sedes; it has profile, seeds"):
        execute(notebook, output, {"sedes": 3})
    assert output.read_text() == "an earlier result"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("tagged", [0, 2])
def test_exactly_one_cell_is_tagged_parameters(tmp_path, tagged):
    notebook = write_notebook(tmp_path / "n.ipynb", code("x = 1"), *[parameters() for _ in range(tagged)])
    with pytest.raises(CapdecError, match=f"{tagged} cells are tagged 'parameters'"):
        execute(notebook, tmp_path / "out.ipynb", {})


@pytest.mark.parametrize("content", [None, b"not json", b"\xff\xfe", b'{"nbformat": 4, "cells": 3}', b"[]"])
def test_not_a_notebook_is_named(tmp_path, content):
    notebook = tmp_path / "n.ipynb"
    if content is not None:
        notebook.write_bytes(content)
    with pytest.raises(CapdecError, match=r"n\.ipynb"):
        parameter_names(notebook)


def test_failed_notebook_is_kept_and_its_cell_named(tmp_path):
    notebook = write_notebook(
        tmp_path / "02_bad.ipynb",
        parameters(),
        code("print('reached')"),
        code("# why\n1 / 0"),
        code("never = 1"),
    )
    output = tmp_path / "out" / "02_bad.ipynb"
    output.parent.mkdir()
    output.write_text("an earlier result, now stale")
    with pytest.raises(CapdecError) as caught:
        execute(notebook, output, {"profile": "tiny"})
    message = str(caught.value)
    kept = output.with_name("02_bad.failed.ipynb")
    assert "02_bad.ipynb failed in cell [4] (# why): ZeroDivisionError: division by zero" in message
    assert str(kept) in message
    assert not output.exists()
    outputs = [o for c in nbformat.read(kept, as_version=4).cells for o in c.get("outputs", [])]
    assert outputs[0].text == "reached\n"
    assert outputs[-1].ename == "ZeroDivisionError"


def test_kernel_that_dies_is_a_message(tmp_path):
    notebook = write_notebook(tmp_path / "n.ipynb", parameters(), code("import os; os._exit(1)"))
    with pytest.raises(CapdecError, match=r"cell \[2\] \(import os; os._exit\(1\)\): the kernel died"):
        execute(notebook, tmp_path / "out.ipynb", {})
    assert (tmp_path / "out.failed.ipynb").exists()


def _book(folder: Path, *cells: nbformat.NotebookNode) -> Path:
    """Make a book of one chapter without code, so that it is its own executed copy; return its folder."""
    write_notebook(folder / "01_only.ipynb", *cells)
    shutil.copy(paths.NOTEBOOKS / "index.md", folder)
    return folder


def test_chapter_that_was_not_executed_is_named(tmp_path):
    book = _book(tmp_path / "book", prose("# 1. Only"))
    with pytest.raises(CapdecError, match=r"not executed: 01_only\.ipynb"):
        build_report(tmp_path / "nowhere", tmp_path / "report", book)


def test_report_does_not_replace_what_is_not_a_report(tmp_path):
    book = _book(tmp_path / "book", prose("# 1. Only"))
    precious = tmp_path / "home" / "precious.txt"
    precious.parent.mkdir()
    precious.write_text("kept")
    with pytest.raises(CapdecError, match="something other than a report"):
        build_report(book, precious.parent, book)
    assert precious.read_text() == "kept"


def test_missing_figure_role_or_formula_fails_the_build(tmp_path):
    """All faults are told at once, and the report that was there stays."""
    faults = r"See [](#fig-nothing), {nosuchrole}`x`, $\nosuchcommand$."
    book = _book(tmp_path / "book", prose(f"# 1. Only\n\n{faults}"))
    report = tmp_path / "report"
    report.mkdir()
    (report / ".buildinfo").write_text("# Sphinx")
    with pytest.raises(CapdecError) as caught:
        build_report(book, report, book)
    for name in ("fig-nothing", "nosuchrole", "nosuchcommand"):
        assert name in str(caught.value)
    assert [path.name for path in report.iterdir()] == [".buildinfo"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book", "report"]


def test_every_chapter_is_a_pair():
    scripts = sorted(path.stem for path in paths.NOTEBOOKS.glob("[0-9][0-9]_*.py"))
    assert CHAPTERS
    assert [path.stem for path in CHAPTERS] == scripts


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_pair_says_the_same(chapter):
    """No drift: the script is what the notebook writes (mend with `make sync`)."""
    script = jupytext.writes(jupytext.read(chapter), fmt="py:percent")
    assert script == chapter.with_suffix(".py").read_text(encoding="utf-8")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_notebook_is_stripped_and_parameterised(chapter):
    notebook = nbformat.read(chapter, as_version=4)
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert parameter_names(chapter) == ["profile", "device", "seeds"]


def test_sync_keeps_cell_ids(tmp_path):
    """An edit of the script reaches the notebook and leaves every cell's id as it was."""
    for path in (CHAPTERS[0], CHAPTERS[0].with_suffix(".py"), paths.NOTEBOOKS / "jupytext.toml"):
        shutil.copy(path, tmp_path)
    notebook = tmp_path / CHAPTERS[0].name
    before = [cell.id for cell in nbformat.read(notebook, as_version=4).cells]
    script = notebook.with_suffix(".py")
    script.write_text(script.read_text().replace("device = here.device", 'device = "cuda"'))
    jupytext.cli.jupytext(["--quiet", "--sync", str(script)])
    after = nbformat.read(notebook, as_version=4)
    assert [cell.id for cell in after.cells] == before
    assert any('device = "cuda"' in cell.source for cell in after.cells)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_prose_numbers_figures_and_tables_as_they_are_shown(chapter):
    """References say their number, so that they read well in JupyterLab too; here the number is counted."""
    number, script = int(chapter.stem[:2]), chapter.with_suffix(".py").read_text(encoding="utf-8")
    shown = re.findall(r'chapter\.(figure|panel|table|claims)\(.*?\n    "([a-z-]+)",', script, re.DOTALL)
    kinds = {"figure": "Figure", "panel": "Figure", "table": "Table", "claims": "Table"}
    named = {"Figure": [], "Table": []}
    for call, name in shown:
        named[kinds[call]].append(name)
    expected = {f"{kind[:3].lower()}-{name}": f"{kind} {number}.{place}"
                for kind, names in named.items() for place, name in enumerate(names, start=1)}  # fmt: skip
    references = re.findall(r"\[((?:Figure|Table) [0-9.]+)\]\(#([a-z-]+)\)", script)
    assert references
    assert all(expected[anchor] == label for label, anchor in references)
    loose = re.findall(r"(?<!\[)(?:Figure|Table) [0-9.]+[0-9]", script)
    assert set(loose) <= set(expected.values())


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_cells_are_short_and_prose_outweighs_code(chapter):
    cells = nbformat.read(chapter, as_version=4).cells
    lines = [len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code"]
    text = re.compile(r'"[^"\n]*"')  # captions stand in code, and are prose
    code = [text.sub("", cell.source) for cell in cells if cell.cell_type == "code"]
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert np.median(lines) <= 13
    assert max(lines) <= 20
    assert len(" ".join(prose).split()) > len(" ".join(code).split())


def test_kernel_has_one_thread_is_quiet_about_widgets_chooses_nothing_and_keeps_the_readers_filters(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONWARNINGS", "error::BytesWarning")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    notebook = write_notebook(
        tmp_path / "n.ipynb",
        parameters(),
        code(
            "import os, warnings\nwarnings.warn('IProgress not found. Please')\n"
            "[os.environ[name] for name in ('PYTHONWARNINGS', 'OMP_NUM_THREADS', 'CAPDEC_PARAMETERS_GIVEN')]"
        ),
    )
    execute(notebook, tmp_path / "out.ipynb", {})
    outputs = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1].outputs
    assert [output.output_type for output in outputs] == ["execute_result"]
    assert outputs[0].data["text/plain"] == "['error::BytesWarning,ignore:IProgress not found', '1', '1']"


def test_a_book_of_some_chapters_links_to_no_other(tmp_path):
    """A link to a chapter that is left out is plain words; one that stays is a link; a badge is not there."""
    badge = "[![Open in Colab](https://a.example/badge.svg)](https://a.example/01_only.ipynb)"
    told = f"{badge}\n\nSee [chapter 2](02_other.ipynb#a-heading) and [chapter 3](03_last.ipynb)."
    folder = _book(tmp_path / "book", prose(f"# 1. Only\n\n{told}"))
    for name in ("02_other", "03_last"):
        write_notebook(folder / f"{name}.ipynb", prose(f"# {name}\n\n## A heading"))
    page = build_report(folder, tmp_path / "report", folder, banner="A part.", only=["01_only", "03_last"])
    assert not (page.parent / "02_other.html").exists()
    text = (page.parent / "01_only.html").read_text()
    assert "See chapter 2 and <a" in text
    assert 'href="03_last.html"' in text
    assert "A part." in text
    assert "a.example" not in text
    assert "Colab" not in text
