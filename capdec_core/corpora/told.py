"""What a source of captions tells: images by split, each with its name and its sentences, checked."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from capdec_core.corpora import Split
from capdec_core.errors import CapdecError

Told = dict[str, list[tuple[str, list[str]]]]
"""Split to (file name, captions) of its images, in the order of the source."""


def image_told(name: Any, captions: Any) -> tuple[str, list[str]]:
    """Return one image's entry; ValueError for a name that is no plain file name or captions that are no sentences."""
    if not isinstance(name, str) or not name.strip(".") or "\\" in name or PurePosixPath(name).name != name:
        raise ValueError(f"{name!r} is not a plain file name")
    if not isinstance(captions, list) or not captions:
        raise ValueError(f"{name} has no captions")
    if not all(isinstance(caption, str) and caption.strip() for caption in captions):
        raise ValueError(f"{name} has a caption without words")
    return name, captions


def first_of_splits(corpus: str, told: Told, sizes: Mapping[str, int]) -> Told:
    """Return the first `sizes[split]` images of each split that is asked for.

    Raises:
        CapdecError: an unknown split, or a size that is no whole number from 1 to the number of its images.
    """
    for split, size in sizes.items():
        _check_split(corpus, told, split)
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= len(told[split]):
            raise CapdecError(
                f"{corpus}: {size!r} images of split {split!r} are asked for; it has {len(told[split])}"
            )
    return {split: told[split][:size] for split, size in sizes.items()}


def split_told(
    corpus: str,
    told: Told,
    name: str,
    images: Callable[[list[str]], Any],
    text_only: bool = False,
    own_sizes: bool = False,
) -> Split:
    """Return one split; `images` makes uint8 (n, height, width, 3) of file names, or a list where they have own sizes.

    Raises:
        CapdecError: an unknown name; the message lists the right ones.
    """
    _check_split(corpus, told, name)
    names, captions = [row[0] for row in told[name]], [row[1] for row in told[name]]

    def render(indices: Sequence[int]) -> Any:
        return images([names[index] for index in indices])

    return Split(name, names, captions, None, render, text_only, own_sizes)


def _check_split(corpus: str, told: Told, name: str) -> None:
    if name not in told:
        raise CapdecError(f"{corpus}: no split {name!r}; the splits are {', '.join(told)}")
