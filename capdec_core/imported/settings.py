"""What is said of a published checkpoint beforehand: its mapper's shape, and where it is."""

import re
from dataclasses import dataclass
from typing import Any

from capdec_core.errors import CapdecError


@dataclass(frozen=True)
class StatedShape:
    """A checkpoint's mapper as stated; None: found from the tensors' shapes, which tell all but the heads."""

    kind: str | None = None
    prefix_length: int | None = None
    clip_length: int | None = None
    heads: int | None = None
    layers: int | None = None


@dataclass(frozen=True)
class PublishedSettings:
    """A checkpoint on the model hub; CapdecError unless its revision and its hash are given in full.

    Attributes:
        hub: its repository, "owner/name".
        revision: the commit, 40 hex digits.
        file: the file's name in the repository.
        sha256: of the file, 64 hex digits.
        variance: per coordinate, of the Gaussian noise that it was trained with, beside an embedding of norm 1.
        stop: the token at which its captions end, since no end of text was trained.
        mapper: the mapper's shape, of which the heads must be stated.
    """

    hub: str
    revision: str
    file: str
    sha256: str
    variance: float
    stop: str
    mapper: StatedShape

    def __post_init__(self) -> None:
        for name, digits in (("revision", 40), ("sha256", 64)):
            if not re.fullmatch(rf"[0-9a-f]{{{digits}}}", getattr(self, name)):
                raise CapdecError(
                    f"checkpoint {self.hub}: {name} {getattr(self, name)!r} is not {digits} hex digits; it is pinned "
                    "in full, so that what was scored can be found again"
                )
        for name in ("hub", "file"):
            if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", getattr(self, name)):
                raise CapdecError(f"{getattr(self, name)!r} is no {name} of a published checkpoint")

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> "PublishedSettings":
        """Invert `dataclasses.asdict`."""
        return cls(**{**table, "mapper": StatedShape(**table["mapper"])})
