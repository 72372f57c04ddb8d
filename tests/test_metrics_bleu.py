"""Corpus BLEU from per-image statistics, against pycocoevalcap's scorer on the resampled corpus itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu_scorer import BleuScorer

from capdec_core.metrics.bleu import BleuScores, ReferenceBleu, bleu_from_statistics, bleu_of_rows
from capdec_core.metrics.ngrams import count_ngrams

sentences = st.lists(st.sampled_from("abc"), max_size=8).map(" ".join)
images = st.lists(st.tuples(st.lists(sentences, min_size=1, max_size=3), sentences), min_size=1, max_size=6)


def _plain(corpus: list[tuple[list[str], str]]) -> list[float]:
    scorer = BleuScorer(n=4)
    for references, candidate in corpus:
        scorer += (candidate, references)
    return scorer.compute_score(option="closest", verbose=0)[0]


def _ours(corpus: list[tuple[list[str], str]]) -> BleuScores:
    reference_bleu = ReferenceBleu([[count_ngrams(text) for text in references] for references, _ in corpus])
    return bleu_of_rows(
        [reference_bleu.row(image, count_ngrams(caption)) for image, (_, caption) in enumerate(corpus)]
    )


def _statistics(corpus: list[tuple[list[str], str]]) -> np.ndarray:
    return _ours(corpus).statistics


@settings(deadline=None, max_examples=200)
@given(images, st.data())
def test_resampled_bleu_is_exact(corpus: list[tuple[list[str], str]], data: st.DataObject) -> None:
    draws = st.lists(st.integers(0, len(corpus) - 1), min_size=1, max_size=8)
    resamples = data.draw(st.lists(draws, min_size=1, max_size=4))
    counts = np.array([np.bincount(drawn, minlength=len(corpus)) for drawn in resamples])
    expected = [_plain([corpus[image] for image in drawn]) for drawn in resamples]
    assert bleu_from_statistics(_statistics(corpus), counts).tolist() == expected


@given(images)
def test_corpus_and_sentence_bleu_are_the_reference_tools(corpus: list[tuple[list[str], str]]) -> None:
    scorer = BleuScorer(n=4)
    for references, candidate in corpus:
        scorer += (candidate, references)
    of_corpus, of_sentences = scorer.compute_score(option="closest", verbose=0)
    ours = _ours(corpus)
    assert ours.corpus == of_corpus
    assert ours.sentence == of_sentences[3]


def test_a_perfect_and_an_empty_system() -> None:
    perfect = bleu_from_statistics(_statistics([(["a b c d e"], "a b c d e")]))
    np.testing.assert_allclose(perfect, 1, atol=1e-8)
    empty = bleu_from_statistics(_statistics([(["a b c d e"], "")]))
    np.testing.assert_allclose(empty, 0, atol=1e-8)


def test_closest_reference_length_prefers_the_shorter_on_a_tie() -> None:
    row = _statistics([(["a a a a a", "a a a"], "a b c d")])[0]
    assert row.tolist() == [1, 0, 0, 0, 4, 3, 2, 1, 4, 3]


def test_one_row_of_counts_gives_one_row_of_scores() -> None:
    statistics = _statistics([(["a b"], "a b"), (["c"], "b")])
    once, both = bleu_from_statistics(statistics, np.array([1, 1])), bleu_from_statistics(statistics)
    assert once.shape == both.shape == (4,)
    assert once.tolist() == both.tolist()
    assert bleu_from_statistics(statistics, np.ones((7, 2))).shape == (7, 4)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 1, 2), ()])
def test_counts_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="do not fit 2 images"):
        bleu_from_statistics(np.ones((2, 10)), np.ones(shape))


def test_statistics_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="10"):
        bleu_from_statistics(np.ones((2, 9)))
