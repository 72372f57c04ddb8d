"""Notebooks made for the tests of the book."""

from pathlib import Path

import nbformat
from nbformat import v4

PARAMETERS = 'profile = "tiny"\nseeds: int = 1'


def write_notebook(path: Path, *cells: nbformat.NotebookNode) -> Path:
    """Write a notebook of the cells, with ids that do not change from run to run."""
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=list(cells), metadata=metadata), path)
    return path


def prose(text: str) -> nbformat.NotebookNode:
    """Return a markdown cell."""
    return v4.new_markdown_cell(text)


def code(source: str, *tags: str) -> nbformat.NotebookNode:
    """Return a code cell."""
    return v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def parameters() -> nbformat.NotebookNode:
    """Return the cell of parameters: `profile` and `seeds`."""
    return code(PARAMETERS, "parameters", "remove-cell")
