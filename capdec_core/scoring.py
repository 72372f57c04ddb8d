"""Score the captions of many cells at once, with one start of Java for the tokenizer and one for METEOR.

METEOR's Java aligns every distinct caption of an image beside the processes, which embed blocks of distinct
sentences for MiniLM and score parts of the systems by what reads words; whichever is free takes the next.
"""

import multiprocessing
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from capdec_core.corpora import Corpus, Split
from capdec_core.material import corpus_of
from capdec_core.metrics import Scores
from capdec_core.metrics.captions import Aligned, tokenized
from capdec_core.metrics.judges import Objects, Wording, add_meteor, add_semantic
from capdec_core.metrics.meteor import MeteorProcess
from capdec_core.metrics.minilm import DIM
from capdec_core.metrics.semantic import SentenceSpace
from capdec_core.profiles import Profile
from capdec_core.scoring_work import JUDGED_SPLITS, Task, embed, score_part

SENTENCES = 4096
"""Sentences that a process embeds before it takes other work (6 MiB of embeddings)."""

PARTS = 4
"""Parts into which a split's systems are dealt, for each process: more even out the load and repeat the
references' side."""


class System(NamedTuple):
    """The captions of one cell's evaluation of a split: `evaluation` is its key, such as "test/image"."""

    cell: str
    split: str
    evaluation: str


Captions = Mapping[str, list[str]]


def score_systems(
    profile: Profile,
    systems: Mapping[System, Captions],
    decodings: Mapping[str, str],
    device: str,
    processes: int,
) -> dict[System, Scores]:
    """Score systems in up to `processes` processes of one thread each; a system's scores depend on no other's.

    (Up to rounding: MiniLM's embedding of a sentence may differ by 1e-7 with the sentences beside it.) METEOR
    and MiniLM read each distinct caption once, whichever systems say it. `decodings` are words for the
    signature, by cell. CapdecError where Java fails.
    """
    tasks = [_task(profile, split, systems, decodings) for split in sorted({key.split for key in systems})]
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(max_workers=1) as beside,
        MeteorProcess() as meteor,
        ProcessPoolExecutor(max_workers=processes, mp_context=context) as pool,
    ):
        embedding = _Embedding(tasks, pool, device)
        tokens = tokenized([task.told for task in tasks])
        aligned = [
            beside.submit(meteor.score, told.references, told.firsts if task.judged else [])
            for task, told in zip(tasks, tokens, strict=True)
        ]
        parts = _submit_parts(tasks, tokens, pool, PARTS * processes)
        with tqdm(desc="score", unit="part", total=len(embedding.blocks) + len(parts)) as bar:
            space = embedding.collect(Path(folder) / "rows.npy", bar)
            found = _collect_parts(parts, space, bar)
        for task, of_meteor in zip(tasks, aligned, strict=True):
            if task.judged:
                add_meteor({name: found[name] for name in task.told.answers}, of_meteor.result())
    return {System(*name.split(" ")): scores for name, scores in found.items()}


def _task(
    profile: Profile, split: str, systems: Mapping[System, Captions], decodings: Mapping[str, str]
) -> Task:
    mine = {system: systems[system] for system in sorted(systems) if system.split == split}
    corpus, images = corpus_of(profile), set(next(iter(mine.values())))
    found = corpus.split(split)
    references = {i: group for i, group in zip(found.ids, found.captions, strict=True) if i in images}
    told = Aligned.of(references, {" ".join(system): captions for system, captions in mine.items()})
    words = {" ".join(system): decodings[system.cell] for system in mine}
    judged = split in JUDGED_SPLITS
    wording = Wording(f"{corpus.name}/{split}", words, semantic=judged)
    return Task(split, told if judged else told.first(), wording, _objects(corpus, found))


class _Embedding:
    """MiniLM's embeddings of every distinct sentence of the judged splits, made block by block in a pool."""

    def __init__(self, tasks: Sequence[Task], pool: ProcessPoolExecutor, device: str) -> None:
        texts = {text for task in tasks if task.judged for text in task.told.sentences}
        self._sentences = sorted(texts, key=lambda text: (-len(text), text))
        starts = range(0, len(self._sentences), SENTENCES)
        self.blocks = deque(
            pool.submit(embed, self._sentences[start : start + SENTENCES], device) for start in starts
        )

    def collect(self, path: Path, bar: tqdm) -> SentenceSpace:
        """Wait for the blocks and keep their rows in a file at `path`, not in memory."""
        if not self._sentences:
            return SentenceSpace.of_rows([], np.empty((0, DIM)))
        rows = np.lib.format.open_memmap(path, "w+", np.float32, (len(self._sentences), DIM))
        start = 0
        while self.blocks:
            block = self.blocks.popleft().result()
            rows[start : start + len(block)] = block
            start += len(block)
            bar.update()
        return SentenceSpace.of_rows(self._sentences, rows)


_Part = tuple[Task, list[str], Future[dict[str, Scores]]]


def _submit_parts(
    tasks: Sequence[Task], tokens: Sequence[Aligned], pool: ProcessPoolExecutor, count: int
) -> list[_Part]:
    """Hand the systems' words to the pool: what each part is of, its systems, its scores to come."""
    return [
        (
            task,
            names,
            pool.submit(score_part, replace(task, told=task.told.part(names).first()), told.part(names)),
        )
        for task, told in zip(tasks, tokens, strict=True)
        for names in task.parts(count)
    ]


def _collect_parts(parts: Sequence[_Part], space: SentenceSpace, bar: tqdm) -> dict[str, Scores]:
    """Wait for the parts; meanwhile add the similarities to those that are there."""
    found: dict[str, Scores] = {}
    for task, names, future in parts:
        results = future.result()
        if task.judged:
            add_semantic(results, task.told.part(names), space)
        found |= results
        bar.update()
    return found


def _objects(corpus: Corpus, split: Split) -> Objects | None:
    if split.labels is None or corpus.objects_mentioned is None:
        return None
    return Objects(dict(zip(split.ids, split.labels, strict=True)), corpus.objects_mentioned)
