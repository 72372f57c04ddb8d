"""All metrics for many systems at once: the references' side, and each start of Java, is paid once."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from capdec_core.metrics.bleu import BleuScores, ReferenceBleu
from capdec_core.metrics.cider import ReferenceCider
from capdec_core.metrics.diversity import diversity, self_bleu
from capdec_core.metrics.hallucination import ObjectsMentioned, chair
from capdec_core.metrics.inputs import Candidates, References, as_lists, check_ids, check_references
from capdec_core.metrics.meteor import MeteorScores, meteor
from capdec_core.metrics.rouge import rouge_l
from capdec_core.metrics.semantic import SentenceSpace
from capdec_core.metrics.signature import SPICE_REASON, signature
from capdec_core.metrics.tokenize import tokenize


@dataclass
class Scores:
    """One system's scores.

    corpus: score by metric name. per_image: by metric name, aligned with `ids`; their mean is the corpus
    score for CIDEr, ROUGE-L and MiniLM, not for BLEU and METEOR. statistics: int64 (images, 10), for
    `bleu_from_statistics`. similarities: MiniLM's cosine of each caption with each reference, one matrix
    (captions, references) an image, to four decimals. not_computed: reason by metric name. BLEU, METEOR,
    ROUGE-L, CHAIR and shares are in [0, 1], CIDEr in [0, 10], MiniLM in [-1, 1].
    """

    corpus: dict[str, float]
    per_image: dict[str, list[float]]
    ids: list[str]
    signature: str
    statistics: np.ndarray
    similarities: list[list[list[float]]] = field(default_factory=list)
    not_computed: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, dicts, strings and numbers, for JSON."""
        return {**vars(self), "statistics": self.statistics.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the scores that `to_dict` gave."""
        return cls(**{**values, "statistics": np.array(values["statistics"], dtype=np.int64).reshape(-1, 10)})


def score(
    references: References,
    systems: Mapping[str, Candidates],
    *,
    split: str,
    decoding: str | Mapping[str, str],
    labels: Mapping[str, Sequence[str]] | None = None,
    objects_mentioned: ObjectsMentioned | None = None,
    semantic: bool = True,
    space: SentenceSpace | None = None,
    device: str = "cpu",
) -> dict[str, Scores]:
    """Score every system's captions against the same references.

    references: image id -> captions. systems: system -> image id -> caption, or list of captions of which the
    first is the system's answer. BLEU, METEOR, ROUGE-L, CIDEr, CHAIR and diversity read the first; MiniLM is
    averaged over all (Study A's protocol: five), and self-BLEU compares them. split, decoding: words for the
    signature, of each system where it is a mapping. labels (image id -> objects) with objects_mentioned: CHAIR.
    space: MiniLM's embeddings of all these texts, where they are known; device: where MiniLM runs otherwise.

    A caption may be empty (a collapsed system scores 0). Raises CapdecError for ids that do not match, an
    image without references, a value that is no text, or a Java that fails; ValueError for labels without
    objects_mentioned or the reverse.
    """
    if (labels is None) != (objects_mentioned is None):
        raise ValueError("CHAIR needs labels and objects_mentioned, both or neither")
    check_references(references)
    ids = list(references)
    answers = {name: _aligned(ids, name, captions) for name, captions in systems.items()}
    if labels is not None:
        check_ids(references, labels, what="labels")
    tokens = _Tokens.of([list(references[image]) for image in ids], answers)
    results = _caption_metrics(tokens, ids)
    if semantic:
        expected = [list(references[image]) for image in ids]
        _add_semantic(results, expected, answers, space or _space(expected, answers, device))
    for name, result in results.items():
        words = decoding if isinstance(decoding, str) else decoding[name]
        result.signature = signature(references, split=split, decoding=words, semantic=semantic)
        result.not_computed = _not_computed(semantic)
        result.corpus |= _diversity(tokens.answers[name])
        if labels is not None and objects_mentioned is not None:
            _add_chair(result, [row[0] for row in answers[name]], labels, objects_mentioned)
    return results


def score_for_selection(
    references: References, systems: Mapping[str, Candidates], *, split: str, decoding: Mapping[str, str]
) -> dict[str, Scores]:
    """Score every system's captions by CIDEr alone, by which settings are chosen on validation images.

    Arguments and errors are those of `score`.
    """
    check_references(references)
    ids = list(references)
    answers = {name: _aligned(ids, name, captions) for name, captions in systems.items()}
    blocks = [[caption for captions in references.values() for caption in captions]]
    blocks += [[row[0] for row in rows] for rows in answers.values()]
    expected, *told = tokenize(blocks)
    cider = ReferenceCider(_spread(expected, [len(captions) for captions in references.values()]))
    return {
        name: _selection_scores(ids, cider.score(captions), references, split, decoding[name])
        for name, captions in zip(answers, told, strict=True)
    }


def _selection_scores(
    ids: list[str], of_cider: list[float], references: References, split: str, decoding: str
) -> Scores:
    words = signature(references, split=split, decoding=decoding, semantic=False)
    corpus, per_image = {"CIDEr": float(np.mean(of_cider))}, {"CIDEr": of_cider}
    return Scores(corpus, per_image, list(ids), words, np.empty((0, 10), dtype=np.int64))


def _aligned(ids: list[str], name: str, captions: Candidates) -> list[list[str]]:
    lists = as_lists(captions, what=f"system {name!r}")
    check_ids(ids, lists, what=f"system {name!r}")
    return [lists[image] for image in ids]


@dataclass(frozen=True)
class _Tokens:
    """Tokenised references and answers: [image][caption]."""

    references: list[list[str]]
    answers: dict[str, list[list[str]]]

    @classmethod
    def of(cls, references: list[list[str]], answers: dict[str, list[list[str]]]) -> Self:
        """Tokenise everything in one start of Java; a system's first captions are one block."""
        blocks = [[caption for captions in references for caption in captions]]
        for rows in answers.values():
            blocks.append([row[0] for row in rows])
            blocks.append([caption for row in rows for caption in row[1:]])
        tokenized = iter(tokenize(blocks))
        spread = _spread(next(tokenized), [len(captions) for captions in references])
        return cls(
            spread, {name: _rejoin(next(tokenized), next(tokenized), rows) for name, rows in answers.items()}
        )


def _spread(flat: list[str], sizes: list[int]) -> list[list[str]]:
    remaining = iter(flat)
    return [[next(remaining) for _ in range(size)] for size in sizes]


def _rejoin(first: list[str], others: list[str], rows: list[list[str]]) -> list[list[str]]:
    return [
        [head, *tail]
        for head, tail in zip(first, _spread(others, [len(row) - 1 for row in rows]), strict=True)
    ]


def _caption_metrics(tokens: _Tokens, ids: list[str]) -> dict[str, Scores]:
    """The n-gram metrics; METEOR's Java works beside this process's own loops."""
    first = {name: [row[0] for row in rows] for name, rows in tokens.answers.items()}
    with ThreadPoolExecutor(max_workers=1) as beside:
        of_meteor = beside.submit(meteor, tokens.references, list(first.values()))
        bleu, cider = ReferenceBleu(tokens.references), ReferenceCider(tokens.references)
        others = [
            (bleu.score(captions), cider.score(captions), rouge_l(tokens.references, captions))
            for captions in first.values()
        ]
    return {
        name: _collect(ids, of_bleu, meteor_scores, {"CIDEr": of_cider, "ROUGE-L": of_rouge})
        for name, (of_bleu, of_cider, of_rouge), meteor_scores in zip(
            first, others, of_meteor.result(), strict=True
        )
    }


def _collect(
    ids: list[str], bleu: BleuScores, of_meteor: MeteorScores, images: dict[str, list[float]]
) -> Scores:
    corpus = {f"BLEU-{n}": value for n, value in enumerate(bleu.corpus, start=1)}
    corpus |= {"METEOR": of_meteor.corpus}
    corpus |= {name: float(np.mean(images[name])) for name in ("ROUGE-L", "CIDEr")}
    per_image = {"BLEU-4": bleu.sentence, "METEOR": of_meteor.sentence, **images}
    return Scores(corpus, per_image, list(ids), "", bleu.statistics)


def _space(references: list[list[str]], answers: dict[str, list[list[str]]], device: str) -> SentenceSpace:
    rows = [*references, *(row for captions in answers.values() for row in captions)]
    return SentenceSpace((caption for row in rows for caption in row), device=device)


def _add_semantic(
    results: dict[str, Scores],
    references: list[list[str]],
    answers: dict[str, list[list[str]]],
    space: SentenceSpace,
) -> None:
    for name, result in results.items():
        pairs = zip(answers[name], references, strict=True)
        cosines = [space.cosines(generated, captions) for generated, captions in pairs]
        result.per_image["MiniLM"] = [float(matrix.mean()) for matrix in cosines]
        result.corpus["MiniLM"] = float(np.mean(result.per_image["MiniLM"]))
        result.similarities = [matrix.round(4).tolist() for matrix in cosines]


def _diversity(rows: list[list[str]]) -> dict[str, float]:
    measured = diversity([row[0] for row in rows])
    if all(len(row) > 1 for row in rows):
        measured["self-BLEU"] = self_bleu(rows)
    return measured


def _add_chair(
    result: Scores,
    captions: list[str],
    labels: Mapping[str, Sequence[str]],
    objects_mentioned: ObjectsMentioned,
) -> None:
    counts = chair(captions, [labels[image] for image in result.ids], objects_mentioned)
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
