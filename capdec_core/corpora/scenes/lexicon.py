"""The words of the world beside its nouns, and which nouns a caption mentions."""

import re
from functools import cache

from capdec_core.corpora.scenes.nouns import NOUNS, Word

# Words for any noun of a family. They name no noun of their own: `objects_mentioned` skips them.
HYPERNYMS: dict[str, tuple[Word, ...]] = {
    "person": (("person", "people"),),
    "animal": (("animal", "animals"),),
    "vehicle": (("vehicle", "vehicles"),),
    "food": (("snack", "snacks"),),
    "thing": (("object", "objects"),),
}
CHILD_WORDS: tuple[Word, ...] = (("child", "children"), ("kid", "kids"))

SIZE_WORDS = {"small": ("small", "little", "tiny"), "medium": (), "large": ("large", "big", "huge")}
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
VAGUE_COUNTS = {
    2: ("a couple of", "a pair of", "some"),
    3: ("some", "several", "a few", "a group of"),
    4: ("some", "several", "many", "a group of"),
}
OPENINGS = ("a picture of", "a photo of", "a drawing of", "an image of", "a view of")

WEATHER_ADJECTIVES = {
    "plain": (),
    "sunny": ("sunny",),
    "sunset": (),
    "night": ("dark",),
    "rain": ("rainy", "wet"),
}
WEATHER_PHRASES = {
    "plain": (),
    "sunny": ("on a sunny day", "in the sunshine", "under the sun"),
    "sunset": ("at sunset", "in the evening", "under an orange sky", "at dusk"),
    "night": ("at night", "under the moon", "in the dark", "under the stars"),
    "rain": ("in the rain", "on a rainy day", "while it rains"),
}

# How the first group stands to the second: wording from the first's side, then from the second's.
BESIDE = ("next to", "beside", "near", "by", "close to")
RELATION_WORDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "left": (("to the left of", "on the left of"), ("to the right of", "on the right of")),
    "front": (("in front of",), ("behind",)),
    "on": (("on top of", "on"), ("under", "below", "beneath")),
    "above": (("above", "over"), ("under", "below", "beneath")),
}

_WORD = re.compile(r"[a-z]+")


def hypernyms(noun: str) -> tuple[Word, ...]:
    """Return the (singular, plural) words for a wider class that `noun` belongs to."""
    return CHILD_WORDS if noun in ("boy", "girl") else HYPERNYMS[NOUNS[noun].family]


@cache
def vocabulary() -> dict[str, str]:
    """Return the map from every lower-case word or phrase for one noun, singular and plural, to it."""
    return {form.lower(): noun.name for noun in NOUNS.values() for word in noun.words for form in word}


@cache
def _longest_phrase() -> int:
    return max(len(form.split()) for form in vocabulary())


def objects_mentioned(caption: str) -> set[str]:
    """Return the nouns that a caption names, as labels: what CHAIR counts (Rohrbach et al. 2018).

    Synonyms and plurals count as their noun, and the longest phrase wins, so that "hot dog" is no dog.
    Words for a whole family ("person", "child", "animal", "vehicle") name no noun and are left out.
    """
    words = _WORD.findall(caption.lower())
    found, position, forms = set(), 0, vocabulary()
    while position < len(words):
        for length in range(_longest_phrase(), 0, -1):
            noun = forms.get(" ".join(words[position : position + length]))
            if noun is not None:
                found.add(noun)
                break
        position += length
    return found
