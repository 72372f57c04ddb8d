"""An executed chapter in its kept form: charts as files of their own, nothing of when and where it was run."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from capdec_core.book import read_notebook
from capdec_core.errors import CapdecError
from capdec_core.files import write_atomic
from capdec_core.gallery import for_dark_page

CHART = re.compile(r'src="data:image/svg\+xml;base64,([A-Za-z0-9+/=]*)"')
"""A chart as `capdec_core.gallery` shows it: twice, for a light page and for a dark one."""
KEPT = re.compile(r'src="figures/([\w.-]+)\.(light|dark)\.svg"')
NAME = re.compile(r'<figure id="fig-([\w-]+)"')

Clean = Callable[[str], str]


def fold(executed: Path, folder: Path, clean: Clean) -> None:
    """Write an executed chapter below `folder`: `chapters/<name>.ipynb`, and `figures/<number>_<figure>.svg`.

    Args:
        executed: a notebook that papermill has run.
        folder: of the reference.
        clean: what is done to each shown HTML, charts apart.

    Raises:
        CapdecError: a cell that failed, or a figure whose two charts are not one.
    """
    notebook = read_notebook(executed)
    parameters = notebook.metadata.get("papermill", {}).get("parameters", {})
    kept = {
        key: notebook.metadata[key] for key in ("kernelspec", "language_info") if key in notebook.metadata
    }
    notebook.metadata = nbformat.from_dict(kept | {"papermill": {"parameters": dict(parameters)}})
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = [_shown(output, executed, folder, clean) for output in _lasting(cell, executed)]
    write_atomic(folder / "chapters" / executed.name, notebook_text(notebook))


def unfold(chapter: Path, figures: Path, version: str) -> str:
    """Return a kept chapter as the text of the executed notebook that it was, `version` said in its metadata.

    CapdecError names a figure that is not there.
    """
    notebook = read_notebook(chapter)
    notebook.metadata["capdec"] = {"version": version}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = KEPT.sub(
                    lambda m: _chart(figures, *m.groups()), output.data["text/html"]
                )
    return notebook_text(notebook)


def notebook_text(notebook: nbformat.NotebookNode) -> str:
    """Return a notebook as JSON, the same for the same notebook."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"


def _lasting(cell: nbformat.NotebookNode, executed: Path) -> list[nbformat.NotebookNode]:
    """Return what a cell showed; what it wrote while it ran is not kept."""
    if any(output.output_type == "error" for output in cell.outputs):
        raise CapdecError(f"{executed} failed when it was executed: run it anew")
    return [output for output in cell.outputs if output.output_type != "stream"]


def _shown(output: Any, executed: Path, folder: Path, clean: Clean) -> nbformat.NotebookNode:
    html = output.get("data", {}).get("text/html")
    if html is not None:
        output.data["text/html"] = _fold_charts(html, executed, folder, clean)
    return output


def _fold_charts(html: str, executed: Path, folder: Path, clean: Clean) -> str:
    charts = [base64.b64decode(data) for data in CHART.findall(html)]
    name = NAME.search(html)
    if not charts or name is None:
        return clean(html)
    if len(charts) != 2 or for_dark_page(charts[0]) != charts[1]:
        raise CapdecError(f"{executed.name}: figure {name[1]} is not one chart for a light and a dark page")
    stem = f"{executed.name[:2]}_{name[1]}"
    write_atomic(folder / "figures" / f"{stem}.svg", charts[0])
    pages = iter(("light", "dark"))
    return CHART.sub(lambda _: f'src="figures/{stem}.{next(pages)}.svg"', html)


def _chart(figures: Path, stem: str, page: str) -> str:
    try:
        svg = (figures / f"{stem}.svg").read_bytes()
    except FileNotFoundError:
        raise CapdecError(f"no such file: {figures / stem}.svg") from None
    data = svg if page == "light" else for_dark_page(svg)
    return f'src="data:image/svg+xml;base64,{base64.b64encode(data).decode()}"'
