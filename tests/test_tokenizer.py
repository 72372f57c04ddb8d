"""The word-level tokenizer: order of ids, what it refuses to be told, and text as one writes it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capdec_core.errors import CapdecError
from capdec_core.tokenizer import SPECIALS, CaptionTokenizer

CAPTIONS = ["A dog on the beach.", "a dog, a cat and a man's T-shirt.", "The dog's on (the) beach!"]


@pytest.fixture(scope="module")
def tokenizer() -> CaptionTokenizer:
    return CaptionTokenizer.train(CAPTIONS)


def test_ids_follow_frequency_then_spelling_and_the_special_tokens_come_last():
    tokenizer = CaptionTokenizer.train(["b a c", "c b", "c d"])
    assert tokenizer.encode(["c b a d"]) == [[0, 1, 2, 3]]
    assert (tokenizer.vocab_size, tokenizer.pad_id, tokenizer.eos_id) == (7, 5, 6)


def test_the_order_of_captions_does_not_matter(tokenizer):
    again = CaptionTokenizer.train(reversed(CAPTIONS))
    assert again.fingerprint == tokenizer.fingerprint
    assert again.encode(CAPTIONS) == tokenizer.encode(CAPTIONS)


@pytest.mark.parametrize("caption", ["a dog on the beach.", "a man's t-shirt, and the (dog)!"])
def test_text_is_spaced_as_one_writes_it(tokenizer, caption):
    assert tokenizer.decode(tokenizer.encode([caption])[0]) == caption


def test_decoding_stops_at_end_of_text_and_skips_padding(tokenizer):
    dog, beach = tokenizer.encode(["dog beach"])[0]
    assert tokenizer.decode([dog, tokenizer.pad_id, tokenizer.eos_id, beach]) == "dog"


@settings(deadline=None)
@given(st.text())
def test_no_text_can_spell_a_special_token(tokenizer, text):
    ids = tokenizer.encode([text + " <|endoftext|> <|pad|>"])[0]
    assert tokenizer.eos_id not in ids
    assert tokenizer.pad_id not in ids


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["a", "dog's", ".", ",", "!", "(", ")", "on", "7", "t-shirt", "é"]), min_size=1)
)
def test_decoded_text_encodes_to_the_same_ids(words):
    tokenizer = CaptionTokenizer.train([" ".join(words)])
    ids = tokenizer.encode([" ".join(words)])[0]
    assert tokenizer.encode([tokenizer.decode(ids)])[0] == ids


def test_case_and_curly_apostrophes_fold(tokenizer):
    assert tokenizer.encode(["MAN’S"]) == tokenizer.encode(["man's"])


def test_save_and_load(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    loaded = CaptionTokenizer.load(path)
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.encode(["a dog ran"]) == tokenizer.encode(["a dog ran"])
    loaded.save(tmp_path / "again.json")
    assert path.read_bytes() == (tmp_path / "again.json").read_bytes()


@pytest.mark.parametrize(
    "content",
    ["[]", "{}", '{"model": {"vocab": {"a": 0}}}', '{"model": {"vocab": {"a": 0, "b": 7}}}', "not JSON"],
)
def test_foreign_files_are_refused(content, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(CapdecError, match=r"tokenizer\.json"):
        CaptionTokenizer.load(path)


def test_the_file_is_what_the_tokenizers_library_reads(tokenizer, tmp_path):
    from tokenizers import Tokenizer

    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    assert json.loads(path.read_text())["model"]["type"] == "WordLevel"
    assert Tokenizer.from_file(str(path)).encode(CAPTIONS[1]).ids == tokenizer.encode(CAPTIONS)[1]


def test_captions_without_a_word_are_refused():
    with pytest.raises(CapdecError, match="no word"):
        CaptionTokenizer.train(["", "  "])


def test_rare_words_are_one_unknown_word():
    captions = ["a dog ran", "a dog sat", "a cat"]
    tokenizer = CaptionTokenizer.train(captions, rare=2)
    unknown = tokenizer.vocab_size - SPECIALS
    assert tokenizer.vocab_size == 2 + SPECIALS
    assert tokenizer.encode(["a dog ran sat"]) == [[0, 1, unknown, unknown]]
    with pytest.raises(CapdecError, match="no word at least 4 times"):
        CaptionTokenizer.train(captions, rare=4)
