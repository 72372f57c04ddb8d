"""The cell store: a folder a cell, named by its content, whole or not there.

cells/<id>/cell.json            the configuration
           captioner.safetensors the trained captioner (not where another cell's was decoded in another way)
           record.json          losses, measured cosine, cost, versions
           captions.json        {evaluation: {image id: captions}}
           scores.json          {evaluation: corpus and per-image scores with their signature}
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from capdec_core.cell import StoredCell
from capdec_core.errors import CapdecError
from capdec_core.files import read_json, write_json

CAPTIONER = "captioner.safetensors"


class CellStore:
    """Cells below one folder. A cell appears in one step when it is trained and decoded; scores are added later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, cell: StoredCell) -> Path:
        """Return the cell's folder, whether it exists or not."""
        return self.folder / cell.id

    def has(self, cell: StoredCell) -> bool:
        """Tell whether the cell is trained and decoded."""
        return (self.path(cell) / "record.json").is_file()

    def has_scores(self, cell: StoredCell) -> bool:
        """Tell whether the cell is scored too."""
        return (self.path(cell) / "scores.json").is_file()

    def workspace(self, cell: StoredCell) -> Path:
        """Return the folder in which an unfinished cell keeps its checkpoint."""
        return self.folder / f".{cell.id}.partial"

    @contextmanager
    def writing(self, cell: StoredCell) -> Iterator[Path]:
        """Give a folder to write a cell into; on success it takes the cell's name, on failure it stays to resume."""
        folder = self.workspace(cell)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "cell.json", asdict(cell))  # type: ignore[call-overload]
        yield folder
        shutil.rmtree(self.path(cell), ignore_errors=True)
        folder.rename(self.path(cell))

    def captions(self, cell: StoredCell) -> dict[str, dict[str, list[str]]]:
        """Return {evaluation: {image id: captions, the best first}}."""
        return self._read(cell, "captions.json")

    def record(self, cell: StoredCell) -> dict[str, Any]:
        """Return the training record: losses, measured cosine, cost, versions."""
        return self._read(cell, "record.json")

    def scores(self, cell: StoredCell) -> dict[str, Any]:
        """Return {evaluation: scores}."""
        return self._read(cell, "scores.json")

    def _read(self, cell: StoredCell, name: str) -> dict[str, Any]:
        path = self.path(cell) / name
        table = read_json(path)
        if not isinstance(table, dict):
            raise CapdecError(f"{path} is not part of a cell: delete {path.parent} to compute it anew")
        return table

    def write_scores(self, cell: StoredCell, scores: dict[str, Any]) -> None:
        """Add the cell's scores, atomically."""
        write_json(self.path(cell) / "scores.json", scores)
