"""The field's reference tool, run plainly, is the oracle: every number must be its number."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from capdec_core.errors import CapdecError
from capdec_core.java import java_environment
from capdec_core.metrics import Scores, bleu_from_statistics, score
from capdec_core.metrics import meteor as meteor_module
from capdec_core.metrics import tokenize as tokenize_module
from capdec_core.metrics.tokenize import tokenize

REFERENCES = {
    "1": ["A man rides a horse.", "Someone on a horse,\nin a field", "the rider's horse (brown)"],
    "2": ["Two dogs play -- in the grass!", "dogs"],
    "3": ["A sign that says no.", "5 people near a sign etc.", "Wash. D.C. in the U.S.", "A bus, circa '90"],
    "4": ["a café  with  a “red” awning", "people can't sit ||| outside", "a&b $5.00 1/2 price…"],
    "5": ["a man and a man and a man", "a man"],
}
SYSTEMS = {
    "good": {"1": "a man rides a brown horse", "2": "two dogs play in the grass", "3": "a sign that says no."}
    | {"4": "5 people sit outside a cafe with a red awning", "5": "a man and a man"},
    "collapsed": dict.fromkeys(REFERENCES, "a man"),
    "odd": {
        "1": "horse",
        "2": ".",
        "3": "it was made in '90",
        "4": "Can't ||| it?",
        "5": "\tA  MAN\nand A man ",
    },
}


@pytest.fixture(scope="module", autouse=True)
def _java_on_path() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", java_environment()["PATH"])
        yield


def _plain_tokens(captions: dict[str, list[str]]) -> dict[str, list[str]]:
    return PTBTokenizer().tokenize(
        {key: [{"caption": text} for text in row] for key, row in captions.items()}
    )


@dataclass
class _Run:
    ours: dict[str, Scores]
    starts_of_java: int
    plain: dict[str, dict]


def _plain_scores(references: dict[str, list[str]], systems: dict[str, dict[str, str]]) -> dict[str, dict]:
    expected, meteor, results = _plain_tokens(references), Meteor(), {}
    for name, captions in systems.items():
        given = _plain_tokens({key: [text] for key, text in captions.items()})
        given = {key: given[key] for key in expected}
        results[name] = {
            "BLEU": Bleu(4).compute_score(expected, given, verbose=0),
            "METEOR": meteor.compute_score(expected, given),
            "ROUGE-L": Rouge().compute_score(expected, given),
            "CIDEr": Cider().compute_score(expected, given),
        }
    return results


def _compare(references: dict[str, list[str]], systems: dict[str, dict[str, str]]) -> _Run:
    plain, starts, popen = _plain_scores(references, systems), [], subprocess.Popen

    class CountingPopen(popen):  # type: ignore[misc,valid-type]
        def __init__(self, *args, **kwargs) -> None:
            starts.append(args)
            super().__init__(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", CountingPopen)
        ours = score(references, systems, split="test", decoding="none", semantic=False)
    return _Run(ours, len(starts), plain)


def _random_captions(seed: int, number: int) -> list[str]:
    generator = np.random.default_rng(seed)
    words = [
        "a",
        "the",
        "man",
        "men",
        "person",
        "dog",
        "dogs",
        "puppy",
        "rides",
        "riding",
        "on",
        "big",
        "large",
    ]
    return [" ".join(generator.choice(words, size=generator.integers(1, 13))) for _ in range(number)]


@pytest.fixture(scope="module")
def run() -> _Run:
    """Awkward captions by hand, and 100 images of random ones with stems, synonyms and varied lengths."""
    references, systems = dict(REFERENCES), {name: dict(captions) for name, captions in SYSTEMS.items()}
    for image in range(100):
        *captions, answer, other = _random_captions(seed=image, number=3 + image % 5)
        references[f"random {image}"] = captions
        systems["good"][f"random {image}"] = answer
        systems["odd"][f"random {image}"] = other
        systems["collapsed"][f"random {image}"] = "a man"
    return _compare(references, systems)


@pytest.mark.parametrize("system", SYSTEMS)
def test_corpus_scores_are_the_reference_tools(run: _Run, system: str) -> None:
    corpus, plain = run.ours[system].corpus, run.plain[system]
    assert [corpus[f"BLEU-{n}"] for n in range(1, 5)] == plain["BLEU"][0]
    assert corpus["METEOR"] == plain["METEOR"][0]
    assert corpus["ROUGE-L"] == plain["ROUGE-L"][0]
    assert corpus["CIDEr"] == pytest.approx(plain["CIDEr"][0], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("system", SYSTEMS)
def test_image_scores_are_the_reference_tools(run: _Run, system: str) -> None:
    images, plain = run.ours[system].per_image, run.plain[system]
    assert images["BLEU-4"] == plain["BLEU"][1][3]
    assert images["METEOR"] == plain["METEOR"][1]
    assert images["ROUGE-L"] == plain["ROUGE-L"][1].tolist()
    np.testing.assert_allclose(images["CIDEr"], plain["CIDEr"][1], rtol=1e-12, atol=1e-15)
    assert np.mean(images["CIDEr"]) == run.ours[system].corpus["CIDEr"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_statistics_give_corpus_bleu_exactly(run: _Run, system: str) -> None:
    statistics = run.ours[system].statistics
    assert bleu_from_statistics(statistics).tolist() == run.plain[system]["BLEU"][0]


def test_java_starts_twice_however_many_systems(run: _Run) -> None:
    assert len(run.ours) == 3
    assert run.starts_of_java == 2


def test_tokens_are_the_reference_tools() -> None:
    flat = [caption for row in REFERENCES.values() for caption in row]
    plain = [caption for row in _plain_tokens(REFERENCES).values() for caption in row]
    assert tokenize([flat, ["the next block"]])[0] == plain


def test_a_blocks_tokens_do_not_depend_on_the_other_blocks() -> None:
    lasts = ["a sign no.", "etc.", "Wash.", "art.", "A bus, circa '90", ".", "", "a man"]
    followings = ["5 people", "The end", "lower case"]
    pairs = [(last, following) for last in lasts for following in followings]
    together = tokenize([block for last, following in pairs for block in (["a bus", last], [following])])[::2]
    alone = {last: tokenize([["a bus", last]])[0] for last in lasts}
    assert together == [alone[last] for last, _ in pairs]


def test_captions_that_look_past_their_end_come_out_as_in_their_own_block() -> None:
    """Whether a full stop stays depends on the next caption's digit, capital or whole first word ("S.", "Two")."""
    captions = [
        "a sign no.",
        "A sign no.",
        "5 people",
        "etc.",
        "<b> bus",
        '"no." 5',
        "",
        " 7 dogs no.",
        "é no.",
    ]
    captions += [
        "a bus.",
        "no. 5",
        "Wash.",
        "St.",
        "p.m.",
        "'tis no.",
        "U.S.",
        "a man",
        "  ",
        "(no.)",
        "$5 no.",
    ]
    generator = np.random.default_rng(0)
    blocks = [generator.choice(captions, 40).tolist() for _ in range(8)]
    plain = [_plain_tokens({"image": [*block, "a man"]})["image"][:-1] for block in blocks]
    assert [row[:-1] for row in tokenize(blocks)] == [row[:-1] for row in plain]
    assert tokenize([[*block, "a man"] for block in blocks]) == [[*row, "a man"] for row in plain]


@pytest.mark.parametrize("last", ["a sign no.", "etc.", "Wash.", "art.", ".", ""])
def test_a_blocks_last_caption_is_the_reference_tools(last: str) -> None:
    assert tokenize([["a bus", last]])[0] == _plain_tokens({"image": ["a bus", last]})["image"]


def test_every_line_break_is_a_space() -> None:
    assert tokenize([["a\rb\x0bc\x0cd\x85e\u2028f\u2029g\r\nh\ni", "next"], [], ["last"]]) == [
        ["a b c d e f g h i", "next"],
        [],
        ["last"],
    ]
    assert tokenize([[], []]) == [[], []]


def test_a_java_that_cannot_load_the_tokenizer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenize_module, "_JAR", Path("/no/such.jar"))
    with pytest.raises(CapdecError, match=r"PTB tokenizer returned 0 of 2 lines: .*PTBTokenizer"):
        tokenize([["a man"]])


def test_a_java_that_cannot_load_meteor_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meteor_module, "_ARGUMENTS", ["-jar", "no-such.jar"])
    stopped = pytest.raises(CapdecError, match=r"METEOR stopped after 0 of 1 answers: .*no-such\.jar")
    with stopped, meteor_module.MeteorProcess() as process:
        process.score([["a man"]], [["a man"]])


def test_no_systems_are_no_scores() -> None:
    assert score(REFERENCES, {}, split="test", decoding="none", semantic=False) == {}
