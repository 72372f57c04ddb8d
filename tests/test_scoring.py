"""Scoring many cells together: the same numbers as each alone, whatever the number of processes."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest
from small_world import InlineExecutor

from capdec_core import scoring, scoring_work
from capdec_core.material import corpus_of
from capdec_core.metrics import score
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


def test_a_sentence_is_embedded_once_whichever_system_says_it(profile, systems, monkeypatch):
    asked = []
    encode = scoring_work.encode_sentences

    def counting(sentences, device):
        assert len(sentences) <= 40
        asked.extend(sentences)
        return encode(sentences, device)

    monkeypatch.setattr(scoring_work, "encode_sentences", counting)
    monkeypatch.setattr(scoring, "SENTENCES", 40)
    monkeypatch.setattr(scoring, "ProcessPoolExecutor", InlineExecutor)
    some = {system: captions for system, captions in systems.items() if system.cell != "cell3"}
    score_systems(profile, some, dict.fromkeys(("cell1", "cell2"), ""), "cpu", processes=2)
    told = {text for s, c in some.items() if s.split == "test" for group in c.values() for text in group}
    references = {text for group in corpus_of(profile).split("test").captions for text in group}
    assert sorted(asked) == sorted(told | references)


def test_java_starts_twice_for_all_systems_of_all_splits(profile, systems, together, monkeypatch):
    starts, popen = [], subprocess.Popen

    class CountingPopen(popen):  # type: ignore[misc,valid-type]
        def __init__(self, *args, **kwargs):
            starts.append(args)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(subprocess, "Popen", CountingPopen)
    monkeypatch.setattr(scoring, "ProcessPoolExecutor", InlineExecutor)
    decodings = {system.cell: f"way {system.cell}" for system in systems}
    inline = score_systems(profile, systems, decodings, "cpu", processes=1)
    assert len(starts) == 2
    for system, scores in inline.items():
        assert scores.signature == together[system].signature
        expected = pytest.approx(together[system].corpus, abs=1e-6)
        assert scores.corpus == expected


def test_a_caption_of_an_image_is_aligned_once_whichever_system_says_it(profile, systems, monkeypatch):
    asked = []
    ask = scoring.MeteorProcess._ask

    def counting(process, lines, answers):
        asked.extend(line for line in lines if line.startswith("SCORE"))
        return ask(process, lines, answers)

    monkeypatch.setattr(scoring.MeteorProcess, "_ask", counting)
    monkeypatch.setattr(scoring, "ProcessPoolExecutor", InlineExecutor)
    twice = {System(cell, "test", "test/image"): systems["cell1", "test", "test/image"] for cell in "ab"}
    score_systems(profile, twice, {"a": "", "b": ""}, "cpu", processes=1)
    assert len(asked) == len(set(asked)) == len(corpus_of(profile).split("test").ids)


def test_scores_are_shown_with_the_metrics_first(together):
    names = [list(scores.corpus) for system, scores in together.items() if system.split == "test"]
    first = ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr", "MiniLM", "distinct-1"]
    assert [found[:9] for found in names] == [first] * len(names)
