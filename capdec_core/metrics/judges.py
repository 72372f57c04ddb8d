"""What each judge adds to the scores of systems on the same images: words, METEOR's Java, MiniLM.

Their work is kept apart so that it can be done in different processes; together they make a system's scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capdec_core.metrics.bleu import bleu_of_rows
from capdec_core.metrics.captions import Aligned
from capdec_core.metrics.cider import ReferenceCider
from capdec_core.metrics.diversity import diversity, self_bleu
from capdec_core.metrics.hallucination import ObjectsMentioned, chair
from capdec_core.metrics.meteor import MeteorScores
from capdec_core.metrics.ngrams import count_ngrams
from capdec_core.metrics.scores import Scores
from capdec_core.metrics.segments import Segment, Segments
from capdec_core.metrics.semantic import SentenceSpace
from capdec_core.metrics.signature import SPICE_REASON, signatures

_FIRST = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr", "MiniLM")


@dataclass(frozen=True)
class Objects:
    """What CHAIR reads: the objects of each image, by id, and the function that finds them in a caption."""

    labels: Mapping[str, Sequence[str]]
    mentioned: ObjectsMentioned


@dataclass(frozen=True)
class Wording:
    """Words for the signature: the split, each system's decoding, and whether MiniLM judges it."""

    split: str
    decodings: Mapping[str, str]
    semantic: bool

    def signatures(self, told: Aligned, *, meteor: bool = True) -> dict[str, str]:
        """Return each system's signature; `meteor` tells whether METEOR is computed."""
        lines = signatures(
            dict(zip(told.ids, told.references, strict=True)),
            split=self.split,
            decodings=[self.decodings[system] for system in told.answers],
            semantic=self.semantic,
            meteor=meteor,
        )
        return dict(zip(told.answers, lines, strict=True))


def selection_scores(told: Aligned, tokens: Aligned, wording: Wording) -> dict[str, Scores]:
    """Score every system's answers by CIDEr alone, by which settings are chosen on validation images.

    `told` are the captions as they are, `tokens` the same tokenised.
    """
    cider = ReferenceCider([[count_ngrams(caption) for caption in row] for row in tokens.references])
    results, words = {}, wording.signatures(told, meteor=False)
    for name, captions in zip(tokens.answers, tokens.firsts, strict=True):
        images = [cider.of(image, count_ngrams(caption)) for image, caption in enumerate(captions)]
        corpus, nothing = {"CIDEr": float(np.mean(images))}, np.empty((0, 10), dtype=np.int64)
        results[name] = Scores(corpus, {"CIDEr": images}, list(told.ids), words[name], nothing)
    return results


def lexical_scores(
    told: Aligned, tokens: Aligned, wording: Wording, objects: Objects | None
) -> dict[str, Scores]:
    """Score every system by what reads words: BLEU, ROUGE-L, CIDEr, diversity and, with `objects`, CHAIR.

    `told` are the captions as they are, which CHAIR reads, and `tokens` the same tokenised.
    """
    segments = Segments(tokens.references)
    results, words = {}, wording.signatures(told)
    for name, rows in tokens.answers.items():
        result = _of_segments(segments.score([row[0] for row in rows]), told.ids)
        result.signature = words[name]
        result.not_computed = _not_computed(wording.semantic)
        result.corpus |= _diversity(rows)
        if objects is not None:
            _add_chair(result, [row[0] for row in told.answers[name]], objects)
        results[name] = result
    return results


def add_meteor(results: Mapping[str, Scores], found: Sequence[MeteorScores]) -> None:
    """Add METEOR to every system's scores, in their order."""
    for result, scores in zip(results.values(), found, strict=True):
        result.per_image["METEOR"] = scores.sentence
        result.corpus = _in_order(result.corpus | {"METEOR": scores.corpus})


def add_semantic(results: Mapping[str, Scores], told: Aligned, space: SentenceSpace) -> None:
    """Add MiniLM's similarities to every system's scores; KeyError for a sentence that `space` lacks."""
    references = [space.embed(captions) for captions in told.references]
    for name, result in results.items():
        cosines = space.cosines(told.answers[name], references)
        result.per_image["MiniLM"] = [float(matrix.mean()) for matrix in cosines]
        result.corpus = _in_order(result.corpus | {"MiniLM": float(np.mean(result.per_image["MiniLM"]))})
        result.similarities = [matrix.round(4).tolist() for matrix in cosines]


def _of_segments(segments: Sequence[Segment], ids: Sequence[str]) -> Scores:
    bleu = bleu_of_rows([segment.bleu for segment in segments])
    images = {
        "ROUGE-L": [segment.rouge for segment in segments],
        "CIDEr": [segment.cider for segment in segments],
    }
    corpus = {f"BLEU-{n}": value for n, value in enumerate(bleu.corpus, start=1)}
    corpus |= {name: float(np.mean(values)) for name, values in images.items()}
    return Scores(corpus, {"BLEU-4": bleu.sentence, **images}, list(ids), "", bleu.statistics)


def _in_order(corpus: Mapping[str, float]) -> dict[str, float]:
    """Return the scores in the order in which they are shown: the metrics, then what describes the captions."""
    names = [name for name in _FIRST if name in corpus]
    return {name: corpus[name] for name in (*names, *(name for name in corpus if name not in _FIRST))}


def _diversity(rows: Sequence[Sequence[str]]) -> dict[str, float]:
    measured = diversity([row[0] for row in rows])
    if all(len(row) > 1 for row in rows):
        measured["self-BLEU"] = self_bleu(rows)
    return measured


def _add_chair(result: Scores, captions: Sequence[str], objects: Objects) -> None:
    counts = chair(captions, [objects.labels[image] for image in result.ids], objects.mentioned)
    result.per_image["hallucinated objects"] = [float(count) for count in counts.hallucinated]
    result.per_image["mentioned objects"] = [float(count) for count in counts.mentioned]
    result.corpus |= {
        "CHAIRi": counts.chair_i,
        "CHAIRs": counts.chair_s,
        "objects per caption": counts.objects_per_caption,
    }


def _not_computed(semantic: bool) -> dict[str, str]:
    reasons = {"SPICE": SPICE_REASON}
    return reasons if semantic else {**reasons, "MiniLM": "switched off"}
