"""Pictures in, sentences out: what `capdec caption` does. What cannot be read is refused by name, the others go on."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from capdec_core.captioning.checkpoint import PictureCaptioner
from capdec_core.corpora.photographs import SIDE
from capdec_core.encoders.prefetch import prefetched
from capdec_core.errors import CapdecError
from capdec_core.pictures import square, upright_rgb

AT_ONCE = 64
"""So many pictures are embedded and captioned together; so many at most are held in memory."""
NO_WORDS = "(no words)"
"""Stands for a caption that ended before its first word."""


@dataclass(frozen=True)
class Answer:
    """A picture's caption, or the reason why it has none: one of the two is None."""

    picture: Path
    caption: str | None
    refused: str | None


def answers(captioner: PictureCaptioner, pictures: Iterable[Path]) -> Iterator[Answer]:
    """Yield what is said of each picture, in order; files are read while others are captioned."""
    reading = prefetched(_read, pictures)
    while block := list(islice(reading, AT_ONCE)):
        readable = [pixels for _, pixels in block if isinstance(pixels, np.ndarray)]
        captions = iter(captioner.caption(np.stack(readable)) if readable else [])
        for path, pixels in block:
            if isinstance(pixels, np.ndarray):
                yield Answer(path, next(captions), None)
            else:
                yield Answer(path, None, pixels)


def read_picture(path: Path) -> np.ndarray:
    """Return a picture file as photographs of a corpus are read, uint8 (SIDE, SIDE, 3); CapdecError says why not."""
    try:
        if not path.is_file():
            raise CapdecError("not a file" if path.exists() else "no such file")
        with path.open("rb") as stream:
            return square(upright_rgb(stream), SIDE)
    except OSError as error:
        raise CapdecError(f"cannot be read: {error.strerror}") from None


def _read(path: Path) -> tuple[Path, np.ndarray | str]:
    """Return a picture's pixels, or the reason why there are none."""
    try:
        return path, read_picture(path)
    except CapdecError as error:
        return path, str(error)


def as_line(answer: Answer) -> str:
    """Return an answer as one line of text: the picture's name, then its caption or the reason."""
    name = str(answer.picture).encode(errors="surrogateescape").decode(errors="replace")
    return f"{name}: {answer.refused or answer.caption or NO_WORDS}"


def as_json(captioner: PictureCaptioner, found: Sequence[Answer]) -> str:
    """Return all answers as JSON, with what tells the captioner: an object a picture, `caption` or `refused` null."""
    entries = [vars(answer) | {"picture": str(answer.picture)} for answer in found]
    facts = captioner.facts
    maker = {"weights": facts.weights, "encoder": captioner.encoder.name, "decoding": vars(facts.decoding)}
    return json.dumps({"captioner": maker, "pictures": entries}, indent=1)
