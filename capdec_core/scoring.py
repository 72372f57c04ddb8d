"""Score the captions of many cells at once: each metric starts once a process, references are prepared once."""

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import torch
from tqdm import tqdm

from capdec_core.corpora import Split
from capdec_core.material import corpus_of
from capdec_core.metrics import Scores, score
from capdec_core.profiles import Profile

SEMANTIC_SPLITS = ("test",)
"""Splits whose captions MiniLM judges; selection on the others is by CIDEr and needs no judge."""


class System(NamedTuple):
    """The captions of one cell's evaluation of a split: `evaluation` is its key, such as "test/image"."""

    cell: str
    split: str
    evaluation: str


Captions = Mapping[str, list[str]]


def score_systems(
    profile: Profile, systems: Mapping[System, Captions], device: str, processes: int
) -> dict[System, Scores]:
    """Score systems in up to `processes` processes of one thread each; a system's scores depend on no other's.

    (Up to rounding: MiniLM's embedding of a sentence may differ by 1e-7 with the sentences beside it.)
    """
    parts = [
        {system: systems[system] for system in group}
        for split in sorted({system.split for system in systems})
        for group in _groups(sorted(system for system in systems if system.split == split), processes)
    ]
    context = multiprocessing.get_context("spawn")
    found: dict[System, Scores] = {}
    with ProcessPoolExecutor(max_workers=min(processes, len(parts)), mp_context=context) as pool:
        futures = [pool.submit(_score_part, profile, part, device) for part in parts]
        for future in tqdm(futures, desc="score", unit="part"):
            found |= future.result()
    return found


def _groups(systems: list[System], count: int) -> list[list[System]]:
    return [group for group in (systems[i::count] for i in range(count)) if group]


def _score_part(profile: Profile, systems: dict[System, Captions], device: str) -> dict[System, Scores]:
    """Score systems of one split in this process."""
    torch.set_num_threads(1)
    corpus, name = corpus_of(profile), next(iter(systems)).split
    split = corpus.split(name)
    captioned = set(next(iter(systems.values())))
    references = {i: group for i, group in zip(split.ids, split.captions, strict=True) if i in captioned}
    labels = _labels(split, captioned)
    found = score(
        references,
        {" ".join(system): captions for system, captions in systems.items()},
        split=f"{corpus.name}/{name}",
        decoding=f"beam {profile.decoding.beams}, at most {profile.decoding.max_tokens} tokens",
        labels=labels,
        objects_mentioned=None if labels is None else corpus.objects_mentioned,
        semantic=name in SEMANTIC_SPLITS,
        device=device,
    )
    return {System(*key.split(" ")): scores for key, scores in found.items()}


def _labels(split: Split, images: set[str]) -> dict[str, list[str]] | None:
    if split.labels is None:
        return None
    return {image: nouns for image, nouns in zip(split.ids, split.labels, strict=True) if image in images}
