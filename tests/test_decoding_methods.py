"""Decodings as values, the one door to them, and re-ranking."""

import pytest
import torch
from tiny import DIM, EOS, trained_captioner, unit_rows

from capdec_core.captioner import Captioner
from capdec_core.decoding import (
    Beam,
    Contrastive,
    Decoding,
    Greedy,
    Reranked,
    Sampling,
    beam_candidates,
    caption_encoder,
    contrastive,
    decode_with,
    decoding_from_dict,
    greedy,
    rerank,
    sample,
)
from capdec_core.errors import CapdecError
from capdec_core.tokenizer import CaptionTokenizer

LONGEST = 12
NUCLEUS = Sampling(5, LONGEST, top_p=0.9)
ALL: list[Decoding] = [
    Greedy(LONGEST),
    Beam(3, LONGEST),
    NUCLEUS,
    Sampling(2, LONGEST, temperature=0.7, top_k=10),
    Contrastive(0.6, 4, LONGEST),
    Reranked(NUCLEUS),
    Reranked(Beam(3, LONGEST)),
]


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    return trained_captioner(steps=80)[0]


def directions(captions: list[list[int]]) -> torch.Tensor:
    """Stands in for the joint encoder: a direction of its own for each caption, of any norm."""
    generators = (torch.Generator().manual_seed(hash(tuple(tokens)) % 2**31) for tokens in captions)
    return torch.stack([torch.randn(DIM, generator=generator) for generator in generators])


def decoded(
    captioner: Captioner, decoding: Decoding, count: int = 30, seed: int = 0
) -> list[list[list[int]]]:
    rows = unit_rows(count, seed=9)
    return decode_with(captioner, rows, decoding, eos_id=EOS, seed=seed, encode=directions)


@pytest.mark.parametrize("decoding", ALL, ids=lambda decoding: decoding.label)
def test_dictionaries_are_read_back(decoding):
    assert decoding_from_dict(decoding.to_dict()) == decoding
    assert hash(decoding_from_dict(decoding.to_dict())) == hash(decoding)


def test_labels_name_method_and_settings():
    assert [decoding.label for decoding in ALL] == [
        "Greedy",
        "Beam 3",
        "Nucleus, p 0.9, temperature 1",
        "Top-k, k 10, temperature 0.7",
        "Contrastive, α 0.6, k 4",
        "Re-ranked, 5 × nucleus, p 0.9, temperature 1",
        "Re-ranked, beam 3",
    ]
    assert Sampling(1, LONGEST).label == "Sampling, temperature 1"
    both = Sampling(1, LONGEST, top_k=5, top_p=0.5)
    assert both.label == "Top-k and nucleus, k 5, p 0.5, temperature 1"


def test_only_reranking_looks_at_the_image_twice():
    assert [decoding.looks_twice for decoding in ALL] == [False] * 5 + [True] * 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "no decoding method None; the methods are: greedy, beam, sample, contrastive, rerank"),
        ({"method": "beams"}, "no decoding method 'beams'"),
        ({"method": "beam", "beams": 5}, "decoding 'beam': missing key 'max_tokens'"),
        ({"method": "greedy", "max_tokens": 5, "k": 1}, "decoding 'greedy': unknown key 'k'"),
        ({"method": "greedy", "max_tokens": 0}, "decoding 'greedy': max_tokens must be at least 1, not 0"),
        ({"method": "beam", "beams": True, "max_tokens": 5}, "decoding 'beam': beams: True is not a int"),
        ({"method": "beam", "beams": 0, "max_tokens": 5}, "decoding 'beam': beams must be at least 1"),
        ({"method": "sample", "n": 0, "max_tokens": 5}, "decoding 'sample': n must be at least 1"),
        ({"method": "sample", "n": 1, "max_tokens": 5, "top_k": 0}, "top_k must be at least 1"),
        ({"method": "sample", "n": 1, "max_tokens": 5, "top_p": 1.5}, r"top_p in \(0, 1\], not 1.0 and 1.5"),
        ({"method": "sample", "n": 1, "max_tokens": 5, "temperature": 0}, "temperature must be positive"),
        ({"method": "contrastive", "alpha": 2, "k": 4, "max_tokens": 5}, r"alpha must lie in \[0, 1\]"),
        ({"method": "contrastive", "alpha": 0.5, "k": 0, "max_tokens": 5}, "k must be at least 1"),
        ({"method": "rerank"}, "takes candidates, a decoding"),
        ({"method": "rerank", "candidates": Greedy(5).to_dict()}, "of beam or sample, not of greedy"),
    ],
)
def test_wrong_dictionaries_are_answered_with_the_reason(data, reason):
    with pytest.raises(CapdecError, match=reason):
        decoding_from_dict(data)


def test_the_one_door_leads_to_every_method(captioner):
    rows, limits = unit_rows(30, seed=9), {"eos_id": EOS, "max_tokens": LONGEST}
    drawn = sample(captioner, rows, n=5, top_p=0.9, generator=torch.Generator().manual_seed(3), **limits)
    beams = beam_candidates(captioner, rows, beams=3, **limits)
    assert decoded(captioner, Greedy(LONGEST)) == [[c] for c in greedy(captioner, rows, **limits)]
    assert decoded(captioner, Beam(3, LONGEST)) == [captions[:1] for captions in beams]
    assert decoded(captioner, Beam(1, LONGEST)) == decoded(captioner, Greedy(LONGEST))
    assert decoded(captioner, NUCLEUS, seed=3) == drawn
    assert decoded(captioner, Contrastive(0.6, 4, LONGEST)) == [
        [c] for c in contrastive(captioner, rows, alpha=0.6, k=4, **limits)
    ]
    assert decoded(captioner, Reranked(NUCLEUS), seed=3) == [
        captions[:1] for captions in rerank(drawn, rows, directions)
    ]
    assert decoded(captioner, Reranked(Beam(3, LONGEST))) == [
        captions[:1] for captions in rerank(beams, rows, directions)
    ]


@pytest.mark.parametrize("decoding", ALL, ids=lambda decoding: decoding.label)
def test_seeds_decide_draws_and_nothing_else(captioner, decoding):
    first, again, other = (decoded(captioner, decoding, count=10, seed=seed) for seed in (1, 1, 2))
    drawn = isinstance(decoding, Sampling) or decoding == Reranked(NUCLEUS)
    assert first == again
    assert (first == other) is not drawn


def test_many_candidates_still_leave_an_image_a_batch(captioner):
    found = decoded(captioner, Sampling(700, LONGEST, top_p=0.9), count=2)
    assert [len(captions) for captions in found] == [700, 700]


def test_reranking_needs_a_judge(captioner):
    with pytest.raises(ValueError, match="needs a judge"):
        decode_with(captioner, unit_rows(1), Reranked(NUCLEUS), eos_id=EOS, seed=0)


def test_the_candidate_with_the_highest_cosine_comes_first():
    images = unit_rows(20, seed=1)
    candidates = [[[i, j] for j in range(6)] for i in range(20)]
    found = rerank(candidates, images, directions)
    for image, before, after in zip(images, candidates, found, strict=True):
        cosines = [torch.cosine_similarity(directions([c])[0], image, dim=0).item() for c in after]
        assert cosines == sorted(cosines, reverse=True)
        assert sorted(after) == before
    assert [captions[0] for captions in found] != [captions[0] for captions in candidates]


def test_each_distinct_caption_is_encoded_once_and_equals_keep_their_order():
    seen: list[list[list[int]]] = []

    def one_direction(captions: list[list[int]]) -> torch.Tensor:
        seen.append(captions)
        return torch.ones(len(captions), DIM)

    candidates = [[[3], [1], [3]], [[1], [2], []]]
    assert rerank(candidates, unit_rows(2), one_direction) == candidates
    assert seen == [[[3], [1], [2], []]]


def test_the_joint_encoder_reads_captions_as_they_are_printed():
    class Recorder:
        def encode_texts(self, texts: list[str]):
            return torch.tensor([[len(text)] for text in texts]).numpy()

    tokenizer = CaptionTokenizer.train(["a dog, asleep."])
    encode = caption_encoder(Recorder(), tokenizer)
    assert encode(tokenizer.encode(["A dog, asleep.", "a"])).tolist() == [[len("a dog, asleep.")], [1]]
