"""Which cells of a grid the store holds already, and what they took, without knowing the names of either.

A stored cell is recognised by its configuration less what only data and weights tell: the fingerprints of corpus,
encoder and tokenizer, the vocabulary, the files of a language model. Two corpora on which the same grid was run with
the same code and the same dimensions are therefore not told apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from capdec_core.cell import StoredCell
from capdec_core.errors import CapdecError
from capdec_core.files import digest, read_json
from capdec_core.store import CellStore

HASHES = ("corpus", "encoder", "tokenizer")
SHAPE = ("width", "layers", "heads", "tuned")
"""What of a language model is known without its weights."""


def measured(cells: Sequence[StoredCell], store: CellStore) -> dict[str, float]:
    """Return the seconds of those of `cells`, by their ids, that the store holds: as their records say."""
    wanted = {recognised(asdict(cell)): cell.id for cell in cells}  # type: ignore[call-overload]
    found = {}
    for path in sorted(store.folder.glob("[0-9a-f]*/record.json")):
        try:
            key = recognised(read_json(path.with_name("cell.json")))
            if key in wanted:
                found[wanted[key]] = float(read_json(path)["seconds"])
        except (CapdecError, AttributeError, KeyError, TypeError, ValueError):
            continue  # damaged: whoever needs it says so
    return found


def recognised(table: Mapping[str, Any]) -> str:
    """Return what a cell is recognised by; `table` is the cell's dictionary, as it stands in its folder or not."""
    return digest(_known(table))


def _known(table: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in table.items() if key not in HASHES}
    if "cell" in known:  # one that is decoded in another way
        return known | {"cell": _known(known["cell"])}
    if isinstance(model := known.get("language_model"), Mapping):
        known["language_model"] = {key: model[key] for key in SHAPE}
    return known
