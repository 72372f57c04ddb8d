"""Captions to score: read from JSON and checked, with messages that name what is wrong.

Expected values are text; nothing is repaired or guessed.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from capdec_core.errors import CapdecError

References = Mapping[str, Sequence[str]]
"""Image id -> reference captions, at least one."""
Candidates = Mapping[str, str | Sequence[str]]
"""Image id -> caption, or several of which the first is the system's answer."""

_NAMED = 5


def load_references(path: Path) -> dict[str, list[str]]:
    """Read image id -> list of captions; CapdecError names the file and the ids at fault."""
    values = _load_object(path)
    check_references(values, what=str(path))
    return values


def load_candidates(path: Path) -> dict[str, list[str]]:
    """Read image id -> caption or list of captions, as lists; CapdecError names the file and ids at fault."""
    captions = as_lists(_load_object(path), what=str(path))
    _refuse_empty_captions(captions, what=str(path))
    return captions


def check_references(references: Mapping[str, Any], what: str = "references") -> None:
    """Raise CapdecError unless every image has a list of at least one caption, none empty."""
    single = [image for image, captions in references.items() if isinstance(captions, str)]
    _refuse(single, what, "with a string where a list of captions is expected")
    _refuse_empty_captions(as_lists(references, what), what)


def as_lists(captions: Mapping[str, Any], what: str) -> dict[str, list[str]]:
    """Return image id -> list of captions; CapdecError where there is none or where one is not text."""
    if not captions:
        raise CapdecError(f"{what}: there is no image in it")
    lists = {image: [value] if isinstance(value, str) else value for image, value in captions.items()}
    wrong = [image for image, value in lists.items() if not _is_texts(value)]
    _refuse(wrong, what, "with a value that is neither text nor a list of texts")
    _refuse([image for image, value in lists.items() if not value], what, "with an empty list of captions")
    broken = [image for image, value in lists.items() if not all(map(_is_unicode, value))]
    _refuse(broken, what, "with a caption that is not valid Unicode (an unpaired surrogate)")
    return {image: list(value) for image, value in lists.items()}


def check_ids(references: Collection[str], given: Collection[str], what: str) -> None:
    """Raise CapdecError, naming both kinds, unless `given` holds exactly the references' ids."""
    known, found = set(references), set(given)
    missing = [image for image in references if image not in found]
    extra = [image for image in given if image not in known]
    if not missing and not extra:
        return
    parts = []
    if missing:
        parts.append(
            f"{len(missing)} of {len(known)} images of the references are missing: {_names(missing)}"
        )
    if extra:
        parts.append(f"{len(extra)} ids are not in the references: {_names(extra)}")
    raise CapdecError(f"{what}: {'; '.join(parts)}. Both must hold the same image ids, written the same way.")


def _refuse_empty_captions(captions: Mapping[str, Sequence[str]], what: str) -> None:
    empty = [image for image, texts in captions.items() if not all(text.strip() for text in texts)]
    _refuse(empty, what, "with an empty caption")


def _refuse(images: Sequence[str], what: str, problem: str) -> None:
    if images:
        count = "1 image" if len(images) == 1 else f"{len(images)} images"
        raise CapdecError(f"{what}: {count} {problem}: {_names(images)}")


def _names(images: Sequence[str]) -> str:
    """The first few ids, quoted and in ASCII whatever they hold, and how many more."""
    shown = ", ".join(json.dumps(image) for image in images[:_NAMED])
    return shown if len(images) <= _NAMED else f"{shown} and {len(images) - _NAMED} more"


def _is_texts(value: Any) -> bool:
    return type(value) in (list, tuple) and all(isinstance(text, str) for text in value)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _load_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_Pairs)
    except FileNotFoundError:
        raise CapdecError(f"no such file: {path}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CapdecError(f"{path} is not JSON: {error}") from None
    except RecursionError:
        raise CapdecError(f"{path} is not a JSON object of captions: it is nested too deeply") from None
    except OSError as error:
        raise CapdecError(f"cannot read {path}: {error.strerror}") from None
    if not isinstance(value, _Pairs):
        raise CapdecError(
            f"{path}: a JSON object (image id to captions) is expected, not {type(value).__name__}"
        )
    _refuse(_repeated(image for image, _ in value), str(path), "given more than once")
    return dict(value)


class _Pairs(list):
    """A JSON object as its pairs, so that a repeated key is seen."""


def _repeated(images: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    repeated: dict[str, None] = {}
    for image in images:
        if image in seen:
            repeated[image] = None
        seen.add(image)
    return list(repeated)
