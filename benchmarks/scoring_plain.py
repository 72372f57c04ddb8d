"""The reference for scoring: pycocoevalcap's own classes, called as its readme calls them, once a system."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from capdec_core.java import java_environment

Captions = Mapping[str, Sequence[str]]
Tokens = dict[str, list[str]]
T = TypeVar("T")


@contextmanager
def java_on_path() -> Iterator[None]:
    """Let pycocoevalcap find the packaged Java by its name."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = java_environment()["PATH"]
    try:
        yield
    finally:
        os.environ["PATH"] = before


def plain_run(references: Captions, candidates: Captions) -> tuple[dict[str, float], dict[str, float]]:
    """Score one system from scratch; return its scores and the seconds that each step took.

    candidates: one caption an image, in a list.
    """
    seconds: dict[str, float] = {}
    with java_on_path():
        expected = _timed(seconds, "PTB, references", lambda: tokens(references))
        given = _timed(seconds, "PTB, captions", lambda: tokens(candidates))
        bleu, _ = _timed(seconds, "BLEU", lambda: Bleu(4).compute_score(expected, given, verbose=0))
        meteor, _ = _timed(seconds, "METEOR", lambda: Meteor().compute_score(expected, given))
        rouge, _ = _timed(seconds, "ROUGE-L", lambda: Rouge().compute_score(expected, given))
        cider, _ = _timed(seconds, "CIDEr", lambda: Cider().compute_score(expected, given))
    scores = {f"BLEU-{n}": value for n, value in enumerate(bleu, start=1)}
    return scores | {"METEOR": meteor, "ROUGE-L": float(rouge), "CIDEr": float(cider)}, seconds


def tokens(captions: Captions) -> Tokens:
    """Return the captions as pycocoevalcap's tokenizer gives them, in their order."""
    with java_on_path():
        found = PTBTokenizer().tokenize(
            {key: [{"caption": text} for text in row] for key, row in captions.items()}
        )
    return {key: found[key] for key in captions}


def plain_resample(expected: Tokens, given: Tokens, drawn: Sequence[str]) -> tuple[float, float]:
    """Return BLEU-4 and CIDEr of a resample of images, computed anew; repeated images get ids of their own."""
    some_expected = {f"{place}": expected[image] for place, image in enumerate(drawn)}
    some_given = {f"{place}": given[image] for place, image in enumerate(drawn)}
    bleu, _ = Bleu(4).compute_score(some_expected, some_given, verbose=0)
    cider, _ = Cider().compute_score(some_expected, some_given)
    return bleu[3], float(cider)


def _timed(seconds: dict[str, float], name: str, work: Callable[[], T]) -> T:
    start = perf_counter()
    result = work()
    seconds[name] = perf_counter() - start
    return result
