"""The generated world: scenes of 79 nouns in 15 places, drawn with emoji and told in five captions each."""

from collections.abc import Mapping, Sequence

import numpy as np

from capdec_core.corpora import Split
from capdec_core.corpora.scenes.atlas import atlas_digest
from capdec_core.corpora.scenes.grammar import captions_of
from capdec_core.corpora.scenes.lexicon import objects_mentioned
from capdec_core.corpora.scenes.render import render_all
from capdec_core.corpora.scenes.world import SPLITS, scene_of
from capdec_core.errors import CapdecError
from capdec_core.files import digest

__all__ = ["SPLITS", "VERSION", "Scenes", "objects_mentioned"]

VERSION = 1  # to be raised with every change of what the world looks like or what is said of it


class Scenes:
    """The generated corpus: everything is a function of (seed, split, index).

    `sizes` gives the number of images of each split that will be used, among `SPLITS` ("pretrain" for the
    encoder; "train", "val" and "test" for the captioner; "held_out" for pairs of a noun with a place or
    another noun that the others never show). Splits share no scene description, whatever their seeds.
    Raises CapdecError for an unknown split or a size below 1.
    """

    name = "scenes"
    objects_mentioned = staticmethod(objects_mentioned)

    def __init__(self, seed: int, sizes: Mapping[str, int]) -> None:
        for split, size in sizes.items():
            _check_split(split, SPLITS)
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise CapdecError(
                    f"scenes: the size of split {split!r} is {size!r}, not a whole number above 0"
                )
        self.seed = seed
        self.sizes = dict(sizes)
        self.fingerprint = digest([self.name, VERSION, seed, self.sizes, atlas_digest()])
        self._splits: dict[str, Split] = {}

    def split(self, name: str) -> Split:
        """Return a split, described once and kept; an unknown name raises CapdecError with the right ones."""
        _check_split(name, tuple(self.sizes))
        if name not in self._splits:
            self._splits[name] = _describe(self.seed, name, self.sizes[name])
        return self._splits[name]


def _check_split(name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise CapdecError(f"scenes: no split {name!r}; the splits are {', '.join(known)}")


def _describe(seed: int, name: str, size: int) -> Split:
    """Sample the scenes of a split and their captions; images are drawn when asked for."""
    scenes = [scene_of(seed, name, index) for index in range(size)]

    def render(indices: Sequence[int]) -> np.ndarray:
        wanted = [int(index) for index in indices]
        if not all(0 <= index < size for index in wanted):
            raise IndexError(
                f"scenes: split {name!r} has {size} images; asked for {min(wanted)} to {max(wanted)}"
            )
        return render_all(seed, name, [(index, scenes[index]) for index in wanted])

    return Split(
        name=name,
        ids=[f"scenes-{name}-{index:06d}" for index in range(size)],
        captions=[captions_of(seed, name, index, scene) for index, scene in enumerate(scenes)],
        labels=[scene.nouns for scene in scenes],
        render=render,
    )
