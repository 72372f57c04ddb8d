"""Write the reference results of a profile from a store that has every cell of its book."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nbformat
from tqdm import tqdm

from capdec_core import paths
from capdec_core.cell import StoredCell
from capdec_core.errors import CapdecError
from capdec_core.files import write_atomic
from capdec_core.material import corpus_of
from capdec_core.packing import SHOWN, profile_cells
from capdec_core.profiles import Profile, load_profile
from capdec_core.reference.chapters import fold
from capdec_core.reference.manifest import manifest, seal
from capdec_core.reference.read import reference_folder
from capdec_core.reference.tidy import tidy
from capdec_core.reference.withheld import Sentences, is_own
from capdec_core.reproduce import Book
from capdec_core.store import CellStore
from capdec_core.studies import GATHERING, run


def write_reference(name: str, device: str) -> Path:
    """Execute every chapter of a profile's book and keep what it showed; return the folder.

    The chapters are executed here and now, so that what is kept was said by this code. The folder is
    replaced only when all of it is written.

    Raises:
        CapdecError: a cell that is missing or not scored (nothing is trained here), a chapter that failed, a
            sentence or photograph of a data set in what would be kept.
    """
    profile, store = load_profile(name, device), CellStore(paths.CELLS)
    cells = profile_cells(profile, device)
    _refuse_missing(cells, store, name)
    book = Book(profile, device)
    book.execute_all()
    target = reference_folder(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".reference.") as folder:
        stage = Path(folder) / "new"
        chapters = _write_chapters(book, stage)
        seal(stage, manifest(profile, chapters, list(cells.values()), store))
        if target.exists():
            os.replace(target, Path(folder) / "old")
        os.replace(stage, target)
    return target


def _refuse_missing(cells: Mapping[str, StoredCell], store: CellStore, name: str) -> None:
    missing = [id for id, cell in cells.items() if not store.has_scores(cell)]
    if missing:
        raise CapdecError(
            f"{len(missing)} of the {len(cells)} cells of {name} are missing or not scored "
            f"({', '.join(missing[:SHOWN])}, …): run make reproduce PROFILE={name}, or merge them"
        )


def _write_chapters(book: Book, stage: Path) -> dict[str, int]:
    """Write chapters, figures, tables and ledger; return the conditions of each chapter, by its file's name."""
    sentences = _sentences(book.profile)
    conditions = {}
    for study, name in tqdm(book.studies.items(), desc="keep", unit="chapter"):
        fold(book.executed / f"{name}.ipynb", stage, sentences.withhold if sentences else str)
        if study not in GATHERING:  # the ledger is kept apart
            view = run(study, book.profile.name, book.device, book.profile.seeds)
            text = tidy(view).to_csv(index=False, lineterminator="\n")
            write_atomic(stage / "tables" / f"{name}.csv", text)
            conditions[name] = len(view.results.cells)
    for suffix in (".csv", ".json"):
        shutil.copy(paths.LEDGER / f"{book.profile.name}{suffix}", stage / f"ledger{suffix}")
    if sentences:
        guard(stage, sentences)
    return conditions


def _sentences(profile: Profile) -> Sentences | None:
    """Return what may not be kept; None where the corpus is the project's own."""
    if is_own(profile.corpus.name):
        return None
    return Sentences.of(corpus_of(profile), profile.corpus.sizes)


def guard(stage: Path, sentences: Sentences) -> None:
    """Raise CapdecError where a file that would be kept holds a sentence or a photograph of the data set."""
    for path in sorted(stage.rglob("*")):
        if path.suffix in (".csv", ".json"):
            sentences.refuse(path.read_text(), path.name)
        elif path.suffix == ".ipynb":
            cells = nbformat.read(path, as_version=4).cells
            for data in (output.data for cell in cells for output in cell.get("outputs", [])):
                for text in data.values():
                    sentences.refuse(str(text), path.name)
