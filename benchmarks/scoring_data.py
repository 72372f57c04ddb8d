"""What is scored: photographs with five captions each, and systems that mix the captions of two images."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.data import COCO
from capdec_core.corpora import load_corpus

REFERENCES = 5


@dataclass(frozen=True)
class PhotoSystems:
    """References and systems' captions by image id, and what they are."""

    references: dict[str, list[str]]
    systems: dict[str, dict[str, str]]
    source: str

    def listed(self, name: str) -> dict[str, list[str]]:
        """A system's captions as lists of one."""
        return {image: [caption] for image, caption in self.systems[name].items()}


def photo_systems(images: int, systems: int) -> PhotoSystems:
    """Return up to `images` images with five references each, and as many systems as asked for."""
    groups, source = _captions(images)
    names = list(groups)
    told = {
        f"system {rank}": {image: _mixed(groups, names, place, rank) for place, image in enumerate(names)}
        for rank in range(systems)
    }
    return PhotoSystems(groups, told, source)


def _mixed(groups: Mapping[str, list[str]], names: list[str], place: int, rank: int) -> str:
    """Return the first half of one of the image's captions with the second half of another image's.

    The caption and the other image depend on `rank`: systems differ, and every one is partly right.
    """
    own = groups[names[place]][rank % REFERENCES].split()
    other = groups[names[(place + 1 + rank) % len(names)]][rank % REFERENCES].split()
    return " ".join([*own[: (len(own) + 1) // 2], *other[len(other) // 2 :]])


def _captions(images: int) -> tuple[dict[str, list[str]], str]:
    """Return captions of COCO's photographs; of the generated world where COCO is absent."""
    if COCO is None:
        split = load_corpus("scenes", 0, {"test": images}).split("test")
        return dict(zip(split.ids, split.captions, strict=True)), f"{images:,} generated scenes"
    groups: dict[str, list[str]] = {}
    for entry in json.loads(COCO.read_text(encoding="utf-8"))["annotations"]:
        groups.setdefault(str(entry["image_id"]), []).append(entry["caption"])
    chosen = {image: captions[:REFERENCES] for image, captions in sorted(groups.items())[:images]}
    return chosen, f"{len(chosen):,} photographs of COCO val2017"
