"""The captions of the generated world: true of their scene, varied, and written in English."""

import re
from collections import Counter

import pytest

from capdec_core.corpora.scenes import Scenes, lexicon, objects_mentioned
from capdec_core.corpora.scenes.draws import Draws
from capdec_core.corpora.scenes.grammar import caption
from capdec_core.corpora.scenes.nouns import NOUNS
from capdec_core.corpora.scenes.phrases import article, noun_phrase
from capdec_core.corpora.scenes.places import PLACES
from capdec_core.corpora.scenes.world import TINTS, Group, Scene, scene_of

SIZE = 1500
TOLD_BY_PLACES = {"blue lake", "green field"}


@pytest.fixture(scope="module")
def told() -> list[tuple[Scene, list[str]]]:
    captions = Scenes(0, {"pretrain": SIZE}).split("pretrain").captions
    return [(scene_of(0, "pretrain", index), five) for index, five in enumerate(captions)]


@pytest.fixture(scope="module")
def texts(told) -> list[str]:
    return [text for _, five in told for text in five]


def plain(text: str) -> str:
    words = f" {text.lower().rstrip('.').replace(',', '')} "
    for phrase in TOLD_BY_PLACES:
        words = words.replace(f" {phrase} ", f" {phrase.split()[1]} ")
    return words


def has(text: str, phrase: str) -> bool:
    return f" {phrase} " in plain(text)


def named(text: str, words: dict[str, tuple[str, ...]]) -> set[str]:
    return {key for key, phrases in words.items() if any(has(text, phrase) for phrase in phrases)}


def test_every_mentioned_noun_is_in_focus(told):
    for scene, five in told:
        focus = {group.noun for group in scene.groups}
        for text in five:
            assert objects_mentioned(text) <= focus, text


def test_places_weathers_sizes_colours_and_numbers_are_true(told):
    where = {p.name: (*p.phrases, *(f"{head}" for _, head in p.heads), *p.over) for p in PLACES.values()}
    weather = {
        w: (*lexicon.WEATHER_ADJECTIVES[w], *phrases) for w, phrases in lexicon.WEATHER_PHRASES.items()
    }
    for scene, five in told:
        for text in five:
            assert not (found := named(text, where)) or scene.place in found, text
            assert named(text, weather) <= {scene.weather}, text
            assert named(text, lexicon.SIZE_WORDS) <= {group.size for group in scene.groups}, text
            assert {c for c in TINTS if has(text, c)} <= {group.colour for group in scene.groups}, text
            assert {n for n, w in lexicon.NUMBERS.items() if has(text, w)} <= {
                g.count for g in scene.groups
            }, text


def test_five_different_captions_an_image(told):
    assert all(len(set(five)) == len(five) == 5 for _, five in told)


def test_captions_of_one_image_mention_subsets_of_their_own(told):
    pairs = [five for scene, five in told if len(scene.groups) == 2]
    kinds = [len({frozenset(objects_mentioned(text)) for text in five}) for five in pairs]
    assert sum(kind > 1 for kind in kinds) / len(kinds) > 0.6
    both = sum(len(objects_mentioned(text)) == 2 for five in pairs for text in five) / (5 * len(pairs))
    assert 0.5 < both < 0.9


def test_captions_vary_in_length_and_wording(texts):
    lengths = Counter(len(text.split()) for text in texts)
    assert min(lengths) <= 4
    assert max(lengths) >= 15
    assert len(set(texts)) / len(texts) > 0.9
    openings = Counter(text.split()[0] for text in texts)
    assert len(openings) >= 10
    assert 0.85 < sum(text.endswith(".") for text in texts) / len(texts) < 0.95


def test_the_vocabulary_is_that_of_a_small_world(texts):
    words = {word for text in texts for word in re.findall(r"[a-z]+", text.lower())}
    assert 250 <= len(words) <= 450


def test_no_caption_is_ill_formed(texts):
    for text in texts:
        assert text[0].isupper()
        assert "  " not in text
        assert not re.search(r"\ba (?:[aeio]|umb)|\ban [^aeiou]|\b(\w+) \1\b|[{}]", text.lower()), text


def test_verbs_agree_with_their_subjects(texts):
    for text in map(str.lower, texts):
        assert not re.match(r"(?:an?|one) (?:\w+ ){1,3}are\b", text) or text.startswith(
            ("a couple", "a few")
        ), text
        assert not re.match(r"(?:two|three|four|some|several|many|a few) (?:\w+ ){1,4}is\b", text), text
        assert not re.match(r"there are (?:an?|one) (?!couple|few)", text), text


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("apple", "an"),
        ("umbrella", "an"),
        ("orange", "an"),
        ("dog", "a"),
        ("huge cat", "a"),
        ("young boy", "a"),
    ],
)
def test_articles(word, expected):
    assert article(word) == expected


def test_no_word_of_the_world_breaks_the_rule_for_articles():
    words = [word[0] for noun in NOUNS.values() for word in noun.words]
    assert [word for word in words if word.startswith("u")] == ["umbrella"]
    assert not [
        word
        for word in words
        if word.startswith(("eu", "ho", "one")) and not word.startswith(("hor", "hot", "hog"))
    ]


def test_a_noun_phrase_counts_and_describes():
    group = Group("sheep", 3, "small", None, False)
    phrases = {noun_phrase(Draws(str(key)), group, 1.0).text for key in range(300)}
    assert {"three small sheep", "several tiny lambs"} <= phrases
    assert all(noun_phrase(Draws(str(key)), group, 1.0).plural for key in range(20))


def test_indoors_has_no_weather_and_nothing_flies(told):
    for scene, five in told:
        if PLACES[scene.place].indoors:
            assert scene.weather == "indoors"
            assert not any(has(text, "flying") or has(text, "rain") for text in five)


def test_a_caption_depends_on_its_key():
    scene = scene_of(0, "train", 5)
    assert caption(Draws("a"), scene) == caption(Draws("a"), scene)
    assert len({caption(Draws(str(key)), scene) for key in range(50)}) > 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A hot dog next to a dog.", {"hot dog", "dog"}),
        ("two hot dogs", {"hot dog"}),
        ("A teddy bear and a fire truck", {"teddy bear", "fire truck"}),
        ("Three puppies behind a police officer, near a TV.", {"dog", "policeman", "television"}),
        ("an animal, a person and a vehicle", set()),
        ("slices of pizza on motorbikes", {"pizza", "motorcycle"}),
        ("some ladies and gentlemen with sheep", {"woman", "man", "sheep"}),
        ("ice cream cones in front of a barn", {"ice cream"}),
        ("carpet, catalogue and boathouse", set()),
        ("", set()),
    ],
)
def test_objects_mentioned(text, expected):
    assert objects_mentioned(text) == expected


def test_words_of_the_lexicon_name_one_noun_each():
    forms = [form.lower() for noun in NOUNS.values() for word in noun.words for form in set(word)]
    assert len(forms) == len(set(forms))
    assert all(lexicon.vocabulary()[form] for form in forms)


def test_places_and_weathers_name_no_noun():
    for place in PLACES.values():
        for phrase in (*place.phrases, *place.over, *(head for _, head in place.heads)):
            assert not objects_mentioned(phrase), phrase
    for phrases in lexicon.WEATHER_PHRASES.values():
        assert not any(map(objects_mentioned, phrases))
