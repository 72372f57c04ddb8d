"""Captions: a file of Karpathy's archive as it is, or made into the file that a corpus reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from capdec_core.downloads import karpathy
from capdec_core.downloads.parts import Part, first_present, target_folder
from capdec_core.downloads.transport import partial_of, writing
from capdec_core.errors import CapdecError


@dataclass(frozen=True, kw_only=True)
class Captions(Part):
    """A data set's captions and splits in one file.

    `file` is its name, `member` the archive's; `instead` names what a corpus takes in its place. `made` turns the
    member into the file (None: it is the file). `check` raises CapdecError for a file that holds something else.
    """

    file: str
    member: str
    instead: tuple[str, ...] = ()
    made: Callable[[Path, Path], None] | None = None
    check: Callable[[Path], None]

    @property
    def target(self) -> Path:
        """The file, in the data set's folder."""
        return target_folder(self.corpus) / self.file

    def found(self) -> Path | None:
        """Return the file, or what is taken in its place."""
        return first_present(self.corpus, self.file, *self.instead)

    def here(self) -> str:
        """Say yes or no."""
        return "yes" if self.found() else "no"

    def missing(self) -> dict[str, int]:
        """Return the archive's missing bytes: the three files come out of one."""
        return {} if self.found() else karpathy.archive_missing()

    def fetch(self) -> None:
        """Take the file out of the archive; it gets its name once its content was checked."""
        partial = partial_of(self.target)
        with writing(self.target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            try:
                karpathy.unpack(self.member, partial)
                if self.made:
                    self.made(partial, partial)
                self.check(partial)
                partial.replace(self.target)
            finally:
                partial.unlink(missing_ok=True)

    def damage(self) -> list[str]:
        """Check what is here by the counts on record."""
        try:
            self.check(self.found() or self.target)
        except CapdecError as error:
            return [str(error)]
        return []


def expect(path: Path, found: Mapping, wanted: Mapping) -> None:
    """Raise CapdecError where what a file holds is not what is on record."""
    if dict(found) != dict(wanted):
        raise CapdecError(f"{path} holds {_listed(found)}; on record is {_listed(wanted)}")


def _listed(table: Mapping) -> str:
    return ", ".join(f"{key}: {value}" for key, value in sorted(table.items())) or "nothing"
