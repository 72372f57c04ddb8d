"""Scoring many cells together: the same numbers as each alone, whatever the number of processes."""

import subprocess
from dataclasses import dataclass, replace

import numpy as np
import pytest
from small_world import InlineExecutor

from capdec_core import scoring, scoring_work
from capdec_core.material import corpus_of
from capdec_core.metrics import Scores, score
from capdec_core.metrics.meteor import MeteorProcess
from capdec_core.profiles import load_profile
from capdec_core.scoring import System, score_systems


@pytest.fixture(scope="module")
def profile():
    smoke = load_profile("smoke")
    return replace(smoke, corpus=replace(smoke.corpus, sizes={"train": 10, "val": 12, "test": 15}))


def told(profile, split: str, rank: int) -> dict[str, list[str]]:
    """The captions of one rank, as if a system had told them."""
    found = corpus_of(profile).split(split)
    return {image: [group[rank], group[0]] for image, group in zip(found.ids, found.captions, strict=True)}


@pytest.fixture(scope="module")
def systems(profile):
    return {
        System(f"cell{rank}", split, f"{split}/image"): told(profile, split, rank)
        for split in ("val", "test")
        for rank in (1, 2, 3)
    }


@pytest.fixture(scope="module")
def together(profile, systems):
    decodings = {system.cell: f"way {system.cell}" for system in systems}
    return score_systems(profile, systems, decodings, "cpu", processes=2)


def test_every_system_is_scored_on_its_split(profile, systems, together):
    assert together.keys() == systems.keys()
    for system, scores in together.items():
        assert scores.ids == corpus_of(profile).split(system.split).ids
        assert f"scenes/{system.split}" in scores.signature
        assert f"decoding:way {system.cell}" in scores.signature
        assert ("CHAIRi" in scores.corpus) == (system.split == "test")
        for name in ("meteor", "minilm"):
            assert (f"{name}:not computed" in scores.signature) == (system.split != "test")


def references_of(profile, split: str) -> dict[str, list[str]]:
    found = corpus_of(profile).split(split)
    return dict(zip(found.ids, found.captions, strict=True))


def test_as_alone(profile, systems, together):
    system = System("cell2", "test", "test/image")
    (alone,) = score(references_of(profile, "test"), {"": systems[system]}, split="", decoding="").values()
    for metric in ("BLEU-4", "METEOR", "ROUGE-L", "CIDEr"):
        assert together[system].corpus[metric] == alone.corpus[metric]
    assert together[system].corpus["MiniLM"] == pytest.approx(alone.corpus["MiniLM"], abs=1e-6)


def test_captions_for_selection_are_scored_by_cider_alone_and_by_the_same_cider(profile, systems, together):
    told = {" ".join(s): captions for s, captions in systems.items() if s.split == "val"}
    expected = score(references_of(profile, "val"), told, split="", decoding="", semantic=False)
    for name, scores in expected.items():
        found = together[System(*name.split())]
        assert set(found.corpus) == {"CIDEr"}
        assert found.per_image == {"CIDEr": scores.per_image["CIDEr"]}
        assert found.corpus["CIDEr"] == scores.corpus["CIDEr"]


def test_test_captions_are_judged_by_sentence_similarity(together):
    assert {system.split for system, scores in together.items() if "MiniLM" in scores.corpus} == {"test"}


def test_the_cosines_of_captions_and_references_are_kept(profile, together):
    """Study A's measure is their mean; the protocol study takes them apart."""
    groups = corpus_of(profile).split("test").captions
    for system, scores in together.items():
        if system.split != "test":
            assert scores.similarities == []
            continue
        assert [np.shape(matrix) for matrix in scores.similarities] == [(2, len(g)) for g in groups]
        means = [np.mean(matrix) for matrix in scores.similarities]
        assert means == pytest.approx(scores.per_image["MiniLM"], abs=1e-4)
        first = [matrix[1][0] for matrix in scores.similarities]  # a reference against itself
        assert first == pytest.approx([1.0] * len(first), abs=1e-4)


@dataclass
class Counted:
    """What a scoring in one process did."""

    starts_of_java: int
    embedded: list[list[str]]
    aligned: list[str]
    scores: dict[System, Scores]


@pytest.fixture(scope="module")
def counted(profile, systems) -> Counted:
    """A scoring of all systems, two of which say the same, in this process; 40 sentences are embedded at once."""
    starts, embedded, aligned = [], [], []
    popen, encode, ask = subprocess.Popen, scoring_work.encode_sentences, MeteorProcess._ask

    class CountingPopen(popen):  # type: ignore[misc,valid-type]
        def __init__(self, *args, **kwargs):
            starts.append(args)
            super().__init__(*args, **kwargs)

    def encoding(sentences, device):
        embedded.append(list(sentences))
        return encode(sentences, device)

    def asking(process, lines, answers):
        aligned.extend(line for line in lines if line.startswith("SCORE"))
        return ask(process, lines, answers)

    twin = {System("twin", "test", "test/image"): systems["cell1", "test", "test/image"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", CountingPopen)
        patch.setattr(scoring_work, "encode_sentences", encoding)
        patch.setattr(MeteorProcess, "_ask", asking)
        patch.setattr(scoring, "SENTENCES", 40)
        patch.setattr(scoring, "ProcessPoolExecutor", InlineExecutor)
        decodings = {system.cell: f"way {system.cell}" for system in systems | twin}
        scores = score_systems(profile, systems | twin, decodings, "cpu", processes=1)
    return Counted(len(starts), embedded, aligned, scores)


def test_java_starts_twice_for_all_systems_of_all_splits(systems, together, counted):
    assert counted.starts_of_java == 2
    for system in systems:
        assert counted.scores[system].signature == together[system].signature
        assert counted.scores[system].corpus == pytest.approx(together[system].corpus, abs=1e-6)


def test_a_sentence_is_embedded_once_whichever_system_says_it(profile, systems, counted):
    told = {text for s, c in systems.items() if s.split == "test" for group in c.values() for text in group}
    references = {text for group in corpus_of(profile).split("test").captions for text in group}
    assert sorted(text for block in counted.embedded for text in block) == sorted(told | references)
    assert {len(block) for block in counted.embedded[:-1]} == {40}


def test_a_caption_of_an_image_is_aligned_once_whichever_system_says_it(systems, counted):
    """Three systems on 15 images; the fourth says what the first says."""
    assert len(counted.aligned) == len(set(counted.aligned)) <= 3 * 15
    one, other = (counted.scores[System(cell, "test", "test/image")] for cell in ("cell1", "twin"))
    assert one.per_image == other.per_image


def test_scores_are_shown_with_the_metrics_first(together):
    names = [list(scores.corpus) for system, scores in together.items() if system.split == "test"]
    first = ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr", "MiniLM", "distinct-1"]
    assert [found[:9] for found in names] == [first] * len(names)
