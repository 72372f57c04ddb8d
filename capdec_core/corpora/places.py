"""Where the data of the real corpora is looked for, and what is said where it is not."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from capdec_core import paths
from capdec_core.errors import CapdecError


def locate(corpus: str, wanted: Mapping[str, Sequence[str]], source: str) -> dict[str, Path]:
    """Return where each thing that a corpus needs lies: below `<place>/<corpus>/` of the first place that has it.

    Args:
        corpus: name of the corpus, and of its folder in each place of `paths.REAL_DATA`.
        wanted: what is needed, and the names of files and folders that may hold it, the preferred one first.
        source: how to get it, in full sentences.

    Raises:
        CapdecError: something is missing; one message says what, every folder that was looked in, and `source`.
    """
    folders = [place / corpus for place in paths.REAL_DATA]
    found, missing = {}, []
    for thing, names in wanted.items():
        present = next(
            (folder / name for folder in folders for name in names if (folder / name).exists()), None
        )
        if present is None:
            missing.append(f"no {thing} ({' or '.join(names)})")
        else:
            found[thing] = present
    if missing:
        looked = ", ".join(map(str, folders))
        raise CapdecError(f"{corpus}: {' and '.join(missing)}; looked in {looked}. {source}")
    return found
