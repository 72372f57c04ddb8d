"""The report made from reference results: no cell, no data, no GPU, and nothing of this machine's own mixed in."""

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from capdec_core import paths
from capdec_core.book import build_report
from capdec_core.cell import code_fingerprint
from capdec_core.files import digest, write_atomic
from capdec_core.profiles import Profile
from capdec_core.reference.chapters import unfold
from capdec_core.reference.manifest import NAME, read_manifest
from capdec_core.studies import book_of


def reference_folder(profile: str) -> Path:
    """Return where a profile's reference results lie, whether there are any or not."""
    return paths.RESULTS / "reference" / profile


def has_reference(profile: str) -> bool:
    """Tell whether there are reference results of a profile."""
    return (reference_folder(profile) / NAME).is_file()


def bind_reference(profile: Profile, output: Path) -> Path:
    """Bind a profile's reference results into HTML and return the first page; every page says what they are.

    CapdecError where the files are not those of one run.
    """
    folder = reference_folder(profile.name)
    table = read_manifest(folder, profile.name)
    with tempfile.TemporaryDirectory() as place:
        chapters = Path(place)
        shutil.copy(paths.NOTEBOOKS / "index.md", chapters)
        for chapter in sorted((folder / "chapters").glob("*.ipynb")):
            write_atomic(chapters / chapter.name, unfold(chapter, folder / "figures", table["version"]))
        return build_report(chapters, output, chapters, banner=banner(table, profile))


def part_told(profile: Profile) -> str:
    """Return what is said on every page where a profile's book is a part of it; nothing where it is whole."""
    if not profile.partial:
        return ""
    numbers = [str(int(name[:2])) for name in book_of(profile).values()]
    return (
        f"A part of the profile {profile.name}, as a machine without a GPU runs it: chapters {', '.join(numbers)}, "
        "with smaller grids."
    )


def banner(table: dict[str, Any], profile: Profile) -> str:
    """Return the line on every page: of which version the results are, where they were computed, what changed since."""
    devices = ", ".join(sorted({str(machine["device"]) for machine in table["machines"]}))
    changed = []
    if table["code"] != code_fingerprint():
        changed.append("the code that trains and decodes")
    if digest(table["settings"]) != digest(asdict(profile)):
        changed.append("the profile's settings")
    since = f" ({' and '.join(changed)} changed since)" if changed else ""
    return (
        f"Reference results of version {table['version']}, code {table['code'][:8]}{since}, computed on {devices}: "
        f"kept in the repository, not computed by this copy of the code. {part_told(profile)}"
    ).strip()
