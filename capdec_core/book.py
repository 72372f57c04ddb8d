"""The book: run a chapter's notebook, and bind the executed chapters into an offline HTML report."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from html import escape
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets import default

from capdec_core import paths
from capdec_core.bootstrap import GIVEN
from capdec_core.captioning.title_page import photographs_part
from capdec_core.errors import CapdecError
from capdec_core.files import read_json, write_atomic

CHAPTERS = "[0-9][0-9]_*.ipynb"
"""A chapter is a notebook whose name begins with its two-digit number, its place in the book."""


LINK = re.compile(r"\[([^\[\]]+)\]\((\d\d_\w+\.ipynb)(?:#[\w-]+)?\)")
"""A link from one chapter to another, in Markdown."""

BADGE = re.compile(r"\[!\[[^\[\]]*\]\([^()]*\)\]\([^()]*\)")
"""A picture that is a link, in Markdown: it opens the chapter elsewhere, and comes from the network."""

QUIET = "ignore:IProgress not found"
"""tqdm warns in a notebook without ipywidgets; its progress goes to the terminal, where it belongs."""


class _OwnSpecification(KernelSpecManager):
    """Finds ipykernel's own kernel alone, which names sys.executable: quiet, of one thread, told its parameters."""

    @default("kernel_dirs")
    def _nowhere(self) -> list[str]:
        return []

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the kernel with the filter of warnings added to those that the reader has set.

        Chapters run side by side, as many as there are cores: threads of one would wait, busily, for cores that
        the others hold.
        """
        found = super().get_kernel_spec(kernel_name)
        filters = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), QUIET]))
        found.env = {**found.env, "PYTHONWARNINGS": filters, "OMP_NUM_THREADS": "1", GIVEN: "1"}
        return found


class _ThisPython(AsyncKernelManager):
    """Starts `python3` in the interpreter that runs now, whatever kernels the machine has registered."""

    @default("kernel_spec_manager")
    def _own_specification(self) -> KernelSpecManager:
        return _OwnSpecification()

    @default("transport_encryption")
    def _encrypted(self) -> str:
        return "auto"  # the kernel listens on a port of this machine, which others may share


def execute(notebook: Path, output: Path, parameters: Mapping[str, Any]) -> None:
    """Run `notebook` with papermill in a kernel process of its own and write the executed copy to `output`.

    The kernel runs this interpreter, in the notebook's folder. Each section that begins is one line on
    stderr, and what the notebook itself writes there (the runner's progress) follows as it comes. `output`
    appears only when every cell has run; what was reached by a notebook that failed stays beside it, under
    the suffix `.failed.ipynb`.

    Raises:
        CapdecError: a parameter that the cell tagged `parameters` does not set, no such cell, a file that is
            not a notebook, or a cell that failed (the message names the cell, the error and the kept copy).
    """
    source = read_notebook(notebook)
    _check_parameters(notebook, source, parameters)
    output = output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)
    failed = output.with_suffix(".failed.ipynb")
    try:
        _run(notebook.resolve(), failed, parameters, _progress(source, notebook.stem))
    except PapermillExecutionError as error:
        where = _place(error.source, error.exec_count)
        raise CapdecError(_failure(notebook, where, f"{error.ename}: {error.evalue}", failed)) from error
    except DeadKernelError as error:
        what = "the kernel died (killed, perhaps for memory)"
        raise CapdecError(_failure(notebook, _unfinished(failed), what, failed)) from error
    os.replace(failed, output)


def parameter_names(notebook: Path) -> list[str]:
    """Return the names set by the notebook's cell tagged `parameters`; CapdecError if there is none."""
    return _parameter_names(notebook, read_notebook(notebook))


def read_notebook(notebook: Path) -> nbformat.NotebookNode:
    """Return a notebook of format 4; CapdecError where the file is something else."""
    raw = read_json(notebook)
    try:
        if not isinstance(raw, dict) or raw.get("nbformat") != 4:
            raise nbformat.ValidationError("it is not in format 4")
        nbformat.validate(raw)
    except nbformat.ValidationError as error:
        raise CapdecError(f"{notebook} is not a notebook: {str(error).splitlines()[0]}") from None
    return nbformat.reads(json.dumps(raw), as_version=4)


def build_report(
    executed: Path,
    output: Path,
    notebooks: Path = paths.NOTEBOOKS,
    banner: str = "",
    only: Collection[str] | None = None,
) -> Path:
    """Bind the chapters of `notebooks`, executed under `executed`, into HTML; return its first page.

    Sphinx runs with warnings as errors, in a process of its own; nothing is executed, nothing is fetched, and
    the pages open from `file://`. `output` is replaced only when the build has succeeded. `banner`, plain text,
    stands on top of every page. The title page shows photographs with what the shipped captioner says of them.

    Raises:
        CapdecError: a chapter that has not been executed, warnings of the build (all are listed), an `output`
            that holds something other than a report, or a shipped captioner that cannot be loaded.
    """
    chapters = _executed_chapters(executed, notebooks, only)
    output = output.resolve()
    _check_replaceable(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".report.") as folder:
        stage = Path(folder)
        shutil.copytree(paths.REPORT_SOURCE, stage / "source", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(notebooks / "index.md", stage / "source")
        present = {chapter.name for chapter in chapters}
        for chapter in chapters:
            write_atomic(stage / "source" / chapter.name, _bound(chapter.read_text(), present))
        write_atomic(stage / "source" / "banner.html", escape(banner))
        write_atomic(stage / "source" / "photographs.txt", photographs_part())
        _sphinx(stage / "source", stage / "html", stage / "doctrees")
        if output.exists():
            os.replace(output, stage / "old")
        os.replace(stage / "html", output)
    return output / "index.html"


def _bound(text: str, present: Collection[str]) -> str:
    """Return a chapter without its badge, whose links to chapters that are not in the book are plain words."""
    return LINK.sub(lambda link: link[0] if link[2] in present else link[1], BADGE.sub("", text))


def _parameter_names(notebook: Path, source: nbformat.NotebookNode) -> list[str]:
    tagged = [cell for cell in source.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise CapdecError(f"{notebook}: {len(tagged)} cells are tagged 'parameters'; tag exactly one")
    statements = ast.parse(tagged[0].source).body
    targets = [t for s in statements if isinstance(s, ast.Assign) for t in s.targets]
    targets += [s.target for s in statements if isinstance(s, ast.AnnAssign)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _check_parameters(notebook: Path, source: nbformat.NotebookNode, parameters: Mapping[str, Any]) -> None:
    known = _parameter_names(notebook, source)
    unknown = [name for name in parameters if name not in known]
    if unknown:
        raise CapdecError(f"{notebook}: no parameter {', '.join(unknown)}; it has {', '.join(known)}")


def _run(notebook: Path, output: Path, parameters: Mapping[str, Any], progress: Callable[..., None]) -> None:
    source, target = (str(path).replace("{", "{{").replace("}", "}}") for path in (notebook, output))
    papermill.execute_notebook(
        source,  # papermill formats both paths with the parameters, so braces were doubled
        target,
        parameters=dict(parameters),
        kernel_name="python3",
        kernel_manager_class=_ThisPython,
        on_cell_execute=progress,
        stderr_file=sys.stderr,
        progress_bar=False,
        cwd=str(notebook.parent),
    )


def _progress(notebook: nbformat.NotebookNode, name: str) -> Callable[..., None]:
    """Return a hook that says on stderr which section of the notebook is running, once a section."""
    sections: dict[str, str] = {}
    section = ""
    for cell in notebook.cells:
        headings = [line for line in cell.source.splitlines() if line.startswith("#")]
        section = headings[-1].lstrip("# ") if cell.cell_type == "markdown" and headings else section
        sections[cell.id] = section
    said: set[str] = set()

    def report(cell: nbformat.NotebookNode, cell_index: int) -> None:
        section = sections.get(cell.id)  # papermill's own cell of parameters has none
        if section is not None and section not in said:
            print(f"{name}: {section}", file=sys.stderr, flush=True)
            said.add(section)

    return report


def _first_line(source: str) -> str:
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return lines[0][:80] if lines else "(empty)"


def _place(source: str, count: int | None) -> str:
    return f"cell [{count}] ({_first_line(source)})"


def _unfinished(copy: Path) -> str:
    """Name the last cell that had begun, from the copy that papermill saved as it went."""
    cells = [cell for cell in read_notebook(copy).cells if cell.cell_type == "code"]
    begun = [cell for cell in cells if cell.metadata.papermill.get("start_time")]
    return _place(begun[-1].source, len(begun)) if begun else "its first cell"


def _failure(notebook: Path, where: str, what: str, copy: Path) -> str:
    return f"{notebook.name} failed in {where}: {what}\nThe notebook as far as it ran: {copy}"


def _executed_chapters(executed: Path, notebooks: Path, only: Collection[str] | None) -> list[Path]:
    """Return the executed chapters, all of a folder's or those named."""
    names = sorted(path.name for path in notebooks.glob(CHAPTERS) if only is None or path.stem in only)
    missing = [name for name in names if not (executed / name).is_file()]
    if missing or not names:
        what = ", ".join(missing) or f"no chapter in {notebooks}"
        raise CapdecError(f"not executed: {what} (looked in {executed}); run the chapter first")
    return [executed / name for name in names]


def _check_replaceable(output: Path) -> None:
    if not output.exists() or (output / ".buildinfo").is_file():  # the mark of a page folder that Sphinx made
        return
    if not output.is_dir() or any(output.iterdir()):
        raise CapdecError(f"{output} holds something other than a report; name another folder or empty it")


def _sphinx(source: Path, html: Path, doctrees: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q", "--no-color", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(doctrees), str(source), str(html)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        warnings = done.stderr.replace(f"{source}{os.sep}", "").strip()
        raise CapdecError(f"the report was not built:\n{warnings}")
