"""Score the captions of many cells at once: each metric starts once a process, references are prepared once."""

import multiprocessing
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from tqdm import tqdm

from capdec_core.corpora import Split
from capdec_core.files import read_json, write_json
from capdec_core.material import corpus_of
from capdec_core.metrics import Scores, score, score_for_selection
from capdec_core.metrics.semantic import SentenceSpace, encode_sentences
from capdec_core.profiles import Profile

JUDGED_SPLITS = ("test",)
"""Splits whose captions are scored by every metric; selection on the others is by CIDEr and needs no more."""


class System(NamedTuple):
    """The captions of one cell's evaluation of a split: `evaluation` is its key, such as "test/image"."""

    cell: str
    split: str
    evaluation: str


Captions = Mapping[str, list[str]]
T = TypeVar("T")


@dataclass(frozen=True)
class _Task:
    """What every process of a scoring needs beside its systems."""

    profile: Profile
    decodings: Mapping[str, str]
    sentences: Path
    device: str


def score_systems(
    profile: Profile,
    systems: Mapping[System, Captions],
    decodings: Mapping[str, str],
    device: str,
    processes: int,
) -> dict[System, Scores]:
    """Score systems in up to `processes` processes of one thread each; a system's scores depend on no other's.

    (Up to rounding: MiniLM's embedding of a sentence may differ by 1e-7 with the sentences beside it.) MiniLM
    reads each distinct caption once, whichever systems say it. `decodings` are words for the signature, by cell.
    """
    parts = [
        {system: systems[system] for system in group}
        for split in sorted({system.split for system in systems})
        for group in _groups(sorted(system for system in systems if system.split == split), processes)
    ]
    context = multiprocessing.get_context("spawn")
    found: dict[System, Scores] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(max_workers=processes, mp_context=context) as pool,
    ):
        task = _Task(profile, decodings, Path(folder), device)
        _embed_sentences(task, systems, pool, processes)
        futures = [pool.submit(_score_part, task, part) for part in parts]
        for future in tqdm(futures, desc="score", unit="part"):
            found |= future.result()
    return found


def _groups(items: list[T], count: int) -> list[list[T]]:
    return [group for group in (items[i::count] for i in range(count)) if group]


def _embed_sentences(
    task: _Task, systems: Mapping[System, Captions], pool: ProcessPoolExecutor, processes: int
) -> None:
    """Write every distinct sentence that MiniLM will compare, and its embedding, into the task's folder."""
    judged = [(system, captions) for system, captions in systems.items() if system.split in JUDGED_SPLITS]
    texts = {text for _, captions in judged for group in captions.values() for text in group}
    for split in {system.split for system, _ in judged}:
        texts |= {text for group in corpus_of(task.profile).split(split).captions for text in group}
    groups = _groups(sorted(texts, key=lambda text: (len(text), text)), processes)
    rows = list(pool.map(_encode, groups, [task.device] * len(groups)))
    write_json(task.sentences / "sentences.json", [text for group in groups for text in group])
    np.save(task.sentences / "rows.npy", np.concatenate(rows) if rows else np.empty((0, 0)))


def _encode(sentences: list[str], device: str) -> np.ndarray:
    torch.set_num_threads(1)
    return encode_sentences(sentences, device).astype(np.float32)


def _score_part(task: _Task, systems: dict[System, Captions]) -> dict[System, Scores]:
    """Score systems of one split in this process."""
    torch.set_num_threads(1)
    corpus, name = corpus_of(task.profile), next(iter(systems)).split
    split = corpus.split(name)
    captioned = set(next(iter(systems.values())))
    references = {i: group for i, group in zip(split.ids, split.captions, strict=True) if i in captioned}
    told = {" ".join(system): captions for system, captions in systems.items()}
    words = {" ".join(system): task.decodings[system.cell] for system in systems}
    where = f"{corpus.name}/{name}"
    if name not in JUDGED_SPLITS:
        found = score_for_selection(references, told, split=where, decoding=words)
    else:
        labels = _labels(split, captioned)
        found = score(
            references,
            told,
            split=where,
            decoding=words,
            labels=labels,
            objects_mentioned=None if labels is None else corpus.objects_mentioned,
            space=_space(task.sentences),
        )
    return {System(*key.split(" ")): scores for key, scores in found.items()}


def _space(folder: Path) -> SentenceSpace:
    rows = np.load(folder / "rows.npy", mmap_mode="r")
    return SentenceSpace.of_rows(read_json(folder / "sentences.json"), rows)


def _labels(split: Split, images: set[str]) -> dict[str, list[str]] | None:
    if split.labels is None:
        return None
    return {image: nouns for image, nouns in zip(split.ids, split.labels, strict=True) if image in images}
