"""Scoring many cells together: the same numbers as each alone, whatever the number of processes."""

from dataclasses import replace

import pytest

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
    return score_systems(profile, systems, "cpu", processes=2)


def test_every_system_is_scored_on_its_split(profile, systems, together):
    assert together.keys() == systems.keys()
    for system, scores in together.items():
        assert scores.ids == corpus_of(profile).split(system.split).ids
        assert f"scenes/{system.split}" in scores.signature
        assert "CHAIRi" in scores.corpus


def test_as_each_alone(profile, systems, together):
    split = corpus_of(profile).split("test")
    references = dict(zip(split.ids, split.captions, strict=True))
    for system in (s for s in systems if s.split == "test"):
        (alone,) = score(references, {"": systems[system]}, split="", decoding="").values()
        for metric in ("BLEU-4", "METEOR", "ROUGE-L", "CIDEr"):
            assert together[system].corpus[metric] == alone.corpus[metric]
        assert together[system].corpus["MiniLM"] == pytest.approx(alone.corpus["MiniLM"], abs=1e-5)


def test_only_test_captions_are_judged_by_sentence_similarity(together):
    judged = {system.split for system, scores in together.items() if "MiniLM" in scores.corpus}
    assert judged == {"test"}
