"""Scoring: whole systems against plain pycocoevalcap, MiniLM against sentence-transformers, and resampling."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from benchmarks.measure import Side, compare
from benchmarks.scoring_data import PhotoSystems, photo_systems
from benchmarks.scoring_minilm import against_sentence_transformers, arithmetic
from benchmarks.scoring_plain import plain_resample, plain_run, tokens
from capdec_core.metrics import Scores, bleu_from_statistics, score
from capdec_core.metrics.bleu import bleu_of_rows
from capdec_core.metrics.captions import Aligned, tokenized
from capdec_core.metrics.meteor import MeteorProcess
from capdec_core.metrics.minilm import BATCH
from capdec_core.metrics.segments import Segments
from capdec_core.metrics.tokenize import tokenize
from capdec_core.statistics import bootstrap_interval, bootstrap_statistic

T = TypeVar("T")

RESAMPLES, MOST_SECONDS = 2000, 30.0
"""So many resamples of corpus BLEU-4 and of CIDEr may take so many seconds together."""


@dataclass(frozen=True)
class Size:
    """How much is scored, and how often it is timed."""

    images: int
    systems: int
    pairs: int
    warm: int
    sentences: int


FULL, QUICK = Size(5000, 4, 3, 1, 3000), Size(40, 3, 1, 0, 64)


def run(device: str, quick: bool) -> dict[str, Any]:
    """Measure scoring; MiniLM runs on `device`, all else on the CPU."""
    size = QUICK if quick else FULL
    data = photo_systems(size.images, size.systems)
    sentences = sorted({text for group in data.references.values() for text in group})[: size.sentences]
    first = next(iter(data.systems))
    plain, seconds = plain_run(data.references, data.listed(first))
    ours = _score(data, [first])[first]
    check_equal(ours.corpus, plain)
    return {
        "comparisons": [
            *_systems(data, size),
            against_sentence_transformers(sentences, size.pairs, device),
        ],
        "tables": [
            _steps(data, seconds),
            _resampling(data, ours),
            arithmetic(sentences, device, BATCH[device.partition(":")[0]]),
        ],
        "notes": [
            f"References and systems: {data.source}, five references each; a system mixes captions of two images.",
            "The reference starts Java three times and counts the references anew for each system. The scores "
            "of both were checked to be equal (CIDEr up to rounding).",
            "A further system is scored where METEOR runs and the references are known; its tokens start Java anew, "
            "which a grid does not.",
            "Resampled CIDEr keeps the document frequencies of the whole set; BLEU is made anew from summed "
            "counts. One resample of the reference is computed from its tokens, and not multiplied by 2,000.",
        ],
    }


def check_equal(ours: dict[str, float], plain: dict[str, float]) -> None:
    """Raise ValueError unless every score is the reference tool's, to a relative 1e-9."""
    for name, value in plain.items():
        if not np.isclose(ours[name], value, rtol=1e-9, atol=1e-12):
            raise ValueError(f"{name} is {ours[name]} here and {value} by pycocoevalcap: not the same work")


def _score(data: PhotoSystems, names: list[str]) -> dict[str, Scores]:
    systems = {name: data.systems[name] for name in names}
    return score(data.references, systems, split="benchmark", decoding="none", semantic=False)


def _systems(data: PhotoSystems, size: Size) -> list[dict[str, Any]]:
    """The first system, and each further one, against one run of the reference."""
    names, images = list(data.systems), len(data.references)

    def plain() -> None:
        plain_run(data.references, data.listed(names[0]))

    def first() -> None:
        _score(data, names[:1])

    reference = Side("pycocoevalcap", images, plain)
    alone = Side("both Javas started", images, first)
    further = Side("references known, METEOR running", images * (len(names) - 1), lambda: _further(data))
    found = [("Scoring the first system", alone, 1.2), ("Scoring each further system", further, 1 / 3)]
    return [
        compare(
            name,
            ours,
            reference,
            unit="caption",
            pairs=size.pairs,
            warm=size.warm,
            bar=bar,
            at_most=True,
        )
        for name, ours, bar in found
    ]


def _further(data: PhotoSystems) -> float:
    """Return the seconds of all systems but the first, which is scored before them, as `score` goes about it."""
    first, *others = data.systems
    with ThreadPoolExecutor(max_workers=1) as beside, MeteorProcess() as process:
        (known,) = tokenized([Aligned.of(data.references, {first: data.systems[first]})])
        segments = Segments(known.references)
        segments.score(known.firsts[0])
        process.score(known.references, known.firsts)
        began = perf_counter()
        told = tokenize([list(data.systems[name].values()) for name in others])
        of_meteor = beside.submit(process.score, known.references, told)
        for captions in told:
            bleu_of_rows([segment.bleu for segment in segments.score(captions)])
        of_meteor.result()
        return perf_counter() - began


def _steps(data: PhotoSystems, plain: dict[str, float]) -> dict[str, Any]:
    """Where the time goes: each step of the first system and of the next, alone, beside the reference's."""
    told = Aligned.of(data.references, data.systems)
    names = list(data.systems)
    with MeteorProcess() as process:
        (tokens_of_all,), ptb = _timed(lambda: tokenized([told]))
        segments, preparing = _timed(lambda: Segments(tokens_of_all.references))
        words = [_timed(partial(segments.score, row))[1] for row in tokens_of_all.firsts[:2]]
        aligning = [
            _timed(partial(process.score, tokens_of_all.references, [row]))[1]
            for row in tokens_of_all.firsts[:2]
        ]
    lexical = sum(plain[name] for name in ("BLEU", "ROUGE-L", "CIDEr"))
    rows = [
        ["PTB tokenizer", ptb, None, plain["PTB, references"] + plain["PTB, captions"]],
        ["references' n-grams", preparing, None, None],
        ["BLEU, ROUGE-L, CIDEr", *words, lexical],
        ["METEOR", *aligning, plain["METEOR"]],
    ]
    return {
        "title": "Seconds of each step",
        "columns": ["Step", "First system", "Next system", "pycocoevalcap, one system"],
        "rows": rows,
        "note": f"The tokenizer reads all {len(names)} systems at once. Java reads METEOR's tables meanwhile.",
    }


def _resampling(data: PhotoSystems, scores: Scores) -> dict[str, Any]:
    """Seconds of the bootstrap of corpus BLEU-4 and CIDEr, beside one resample by the reference."""
    images = len(scores.ids)
    generator = np.random.default_rng(0)

    def of_bleu() -> None:
        bootstrap_statistic(
            lambda counts: bleu_from_statistics(scores.statistics, counts)[:, 3:],
            images=images,
            resamples=RESAMPLES,
            generator=generator,
        )

    def of_cider() -> None:
        rows = np.array([scores.per_image["CIDEr"]])
        bootstrap_interval(rows, resamples=RESAMPLES, generator=generator)

    expected, given = tokens(data.references), tokens(data.listed(next(iter(data.systems))))
    drawn = generator.choice(scores.ids, images).tolist()
    _, plain = _timed(lambda: plain_resample(expected, given, drawn))
    times = [_timed(of_bleu)[1], _timed(of_cider)[1]]
    met = "yes" if sum(times) <= MOST_SECONDS else "no"
    return {
        "title": f"{RESAMPLES:,} resamples of {images:,} images",
        "columns": ["Work", "Seconds", "Asked for", "Met"],
        "rows": [
            ["corpus BLEU-4", times[0], None, None],
            ["CIDEr", times[1], None, None],
            ["both", sum(times), f"at most {MOST_SECONDS:g}", met],
            ["one resample of both by pycocoevalcap", plain, None, None],
        ],
    }


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return what the work gives and its seconds."""
    began = perf_counter()
    return work(), perf_counter() - began
