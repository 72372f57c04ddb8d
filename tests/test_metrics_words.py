"""ROUGE-L, CIDEr and the n-grams under them, each caption by itself, against pycocoevalcap's own code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu_scorer import precook
from pycocoevalcap.cider.cider_scorer import CiderScorer
from pycocoevalcap.rouge.rouge import Rouge, my_lcs

from capdec_core.metrics import segments as segments_module
from capdec_core.metrics.cider import ReferenceCider
from capdec_core.metrics.ngrams import count_ngrams
from capdec_core.metrics.rouge import ReferenceRouge
from capdec_core.metrics.segments import Segments

words = st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join)
images = st.lists(st.tuples(st.lists(words, min_size=1, max_size=4), words), min_size=1, max_size=6)


@given(st.lists(st.sampled_from(["a", "b", "horse"]), max_size=12).map(" ".join))
def test_ngrams_are_the_reference_tools_in_its_order(caption: str) -> None:
    length, counts = precook(caption, n=4)
    ours = count_ngrams(caption)
    assert (ours.length, list(ours.counts.items())) == (length, list(counts.items()))


@settings(max_examples=300)
@given(st.lists(words, min_size=1, max_size=5), words)
def test_rouge_is_the_reference_tools(references: list[str], caption: str) -> None:
    assert ReferenceRouge([references]).of(0, caption) == Rouge().calc_score([caption], references)


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_the_longest_common_subsequence_may_be_longer_than_a_machine_word(length: int) -> None:
    generator = np.random.default_rng(length)
    one, other = (" ".join(generator.choice(list("abc"), size)) for size in (length, length + 7))
    shared = my_lcs(one.split(" "), other.split(" "))
    precision, recall = shared / length, shared / (length + 7)
    expected = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)
    assert ReferenceRouge([[other]]).of(0, one) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=300)
@given(images)
def test_cider_is_the_reference_tools(corpus: list[tuple[list[str], str]]) -> None:
    scorer = CiderScorer()
    for references, caption in corpus:
        scorer += (caption, references)
    if not scorer.crefs or not any(cooked for group in scorer.crefs for cooked in group):
        return  # the reference tool divides by the number of n-grams that there are
    _, theirs = scorer.compute_score()
    cider = ReferenceCider([[count_ngrams(text) for text in references] for references, _ in corpus])
    ours = [cider.of(image, count_ngrams(caption)) for image, (_, caption) in enumerate(corpus)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_a_caption_is_scored_once_on_an_image_and_anew_on_another(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def counting(caption: str):
        counted.append(caption)
        return count_ngrams(caption)

    segments = Segments([["a b c d"], ["c d"]])
    monkeypatch.setattr(segments_module, "count_ngrams", counting)
    first, again, other = (segments.score(pair) for pair in (["a b", "c d"], ["a b", "c d"], ["a b", "a b"]))
    assert counted == ["a b", "c d", "a b"]
    assert first == again
    assert other[0] == first[0]
    assert other[1] != first[0]
