"""What can be fetched: a part of a data set, where it lies, what is missing of it, how it is fetched and checked."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from capdec_core import paths


@dataclass(frozen=True, kw_only=True)
class Part(ABC):
    """One thing to fetch.

    `size` are its bytes on disk, an estimate where `about`. `probe` is an address on its server. `needs` names the
    parts that it cannot be fetched without.
    """

    name: str
    what: str
    licence: str
    size: int
    probe: str
    about: bool = False
    needs: tuple[str, ...] = ()

    @property
    def corpus(self) -> str:
        """The data set, which is the folder's name too."""
        return self.name.partition("/")[0]

    @property
    @abstractmethod
    def target(self) -> Path:
        """Where it is put when it is fetched."""

    @abstractmethod
    def found(self) -> Path | None:
        """Return where it lies whole, or None; its content is not looked at."""

    @abstractmethod
    def here(self) -> str:
        """Say how much of it is here: yes, no, or a share."""

    @abstractmethod
    def missing(self) -> dict[str, int]:
        """Return the bytes that are still to be fetched by source, none where nothing is missing."""

    @abstractmethod
    def fetch(self) -> None:
        """Fetch what is missing; CapdecError says what went wrong, and what was fetched stays."""

    @abstractmethod
    def damage(self) -> list[str]:
        """Check the content of what is here and return a line for each thing that is wrong."""


def target_folder(corpus: str) -> Path:
    """Return the folder that a data set is fetched to, in CAPDEC_DATA where it is set, else in data/."""
    return paths.REAL_DATA[0] / corpus


def first_present(corpus: str, *names: str) -> Path | None:
    """Return the first file or folder of one of the names in the places of the real corpora."""
    candidates = (place / corpus / name for place in paths.REAL_DATA for name in names)
    return next((path for path in candidates if path.exists()), None)
