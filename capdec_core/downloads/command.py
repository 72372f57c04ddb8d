"""What `capdec data` prints."""

import shutil
from collections.abc import Iterator, Sequence

from capdec_core import downloads, paths
from capdec_core.downloads.parts import Part
from capdec_core.errors import CapdecError


def as_list() -> Iterator[str]:
    """Give every part with its size, how much of it is here, what it is, its licence; then what is missing."""
    parts = downloads.PARTS
    for part in parts.values():
        size = f"{'about ' if part.about else ''}{_said(part.size)}"
        yield f"{part.name:<22}{size:<15}here: {part.here()}"
        yield f"    {part.what}; {part.licence}"
    place = paths.REAL_DATA[0]
    free = shutil.disk_usage(downloads.existing(place)).free
    yield f"\nStill to be fetched, all together: {_said(downloads.bytes_missing(list(parts)))}, to {place},"
    yield f"where {_said(free)} are free. To fetch: capdec data fetch PART…"


def fetch(names: Sequence[str]) -> Iterator[str]:
    """Fetch what is missing of some parts, and give where each is."""
    downloads.ensure(names)
    yield from where(names)


def where(names: Sequence[str]) -> Iterator[str]:
    """Give where parts are, or where they would be put; all parts where none is named."""
    for part in downloads.chosen(names or list(downloads.PARTS)):
        found = part.found()
        yield f"{part.name:<22}{found or f'not here; it is fetched to {part.target}'}"


def verify(names: Sequence[str]) -> Iterator[str]:
    """Check the content of parts, of all that are here where none is named, and give what was found.

    Raises:
        CapdecError: at the end, where a part is damaged or not complete.
    """
    parts = downloads.chosen(names) or [part for part in downloads.PARTS.values() if part.here() != "no"]
    wrong = []
    for part in parts:
        lines = _trouble(part)
        yield f"{part.name:<22}{'wrong' if lines else f'whole, {part.found()}'}"
        yield from (f"    {line}" for line in lines)
        wrong += [part.name] if lines else []
    if not parts:
        yield "Nothing is here: capdec data fetch PART…"
    if wrong:
        raise CapdecError(
            f"{len(wrong)} of {len(parts)} parts are damaged or not complete: {', '.join(wrong)}. Delete the files "
            f"that are damaged; `capdec data fetch {' '.join(wrong)}` fetches what is missing."
        )


def _trouble(part: Part) -> list[str]:
    if part.here() == "no":
        return ["it is not here"]
    lacking = [] if part.found() else [f"only {part.here()} is here"]
    return lacking + part.damage()


def _said(size: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    unit, name = next(
        (u, n) for u, n in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "bytes")) if size >= u or u == 1
    )
    return f"{size / unit:.3g} {name}"
