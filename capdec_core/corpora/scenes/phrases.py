"""Noun phrases, places and relations: the parts that captions are put together from."""

from dataclasses import dataclass

from capdec_core.corpora.scenes import lexicon
from capdec_core.corpora.scenes.draws import Draws
from capdec_core.corpora.scenes.nouns import NOUNS
from capdec_core.corpora.scenes.places import INDOORS, PLACES
from capdec_core.corpora.scenes.world import Group, Scene


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase and whether its verb is plural."""

    text: str
    plural: bool

    @property
    def verb(self) -> str:
        """The form of "to be" that agrees."""
        return "are" if self.plural and not self.text.startswith(("a group of", "a pair of")) else "is"

    @property
    def pronoun(self) -> str:
        """The object pronoun that agrees."""
        return "them" if self.plural else "it"


def article(following: str) -> str:
    """Return "a" or "an" for the word that follows; the world's words have no exception to the vowel rule."""
    return "an" if following[0] in "aeio" or following.startswith(("um", "ug")) else "a"


def with_article(words: str) -> str:
    """Return `words` after their indefinite article."""
    return f"{article(words)} {words}"


def _head(draws: Draws, group: Group) -> str:
    """Choose the noun: mostly the usual word, at times a synonym, seldom a word for its kind."""
    words = NOUNS[group.noun].words
    kind = draws.random()
    if kind < 0.04:
        word = draws.pick(lexicon.hypernyms(group.noun))
    elif kind < 0.30:
        word = draws.pick(words)
    else:
        word = words[0]
    return word[group.count > 1]


def _adjectives(draws: Draws, group: Group, detail: float) -> list[str]:
    """Choose size and colour, each told with a probability that grows with `detail` (0 to 1)."""
    found = []
    sizes = lexicon.SIZE_WORDS[group.size]
    if sizes and draws.chance(detail):
        found.append(draws.pick(sizes))
    if group.colour and draws.chance(0.25 + 0.6 * detail):
        found.append(group.colour)
    return found


def _quantity(draws: Draws, count: int) -> str:
    """Choose how a plural is counted: exactly two times in three, else vaguely."""
    return lexicon.NUMBERS[count] if draws.chance(0.67) else draws.pick(lexicon.VAGUE_COUNTS[count])


def noun_phrase(draws: Draws, group: Group, detail: float) -> Phrase:
    """Return a group as an indefinite noun phrase, such as "two small red cars"."""
    words = " ".join([*_adjectives(draws, group, detail), _head(draws, group)])
    if group.count == 1:
        return Phrase(f"one {words}" if draws.chance(0.02) else with_article(words), False)
    return Phrase(f"{_quantity(draws, group.count)} {words}", True)


def _placed_head(draws: Draws, scene: Scene, detail: float) -> tuple[str, str]:
    """Return the preposition and the noun phrase of the place, with what the weather adds."""
    preposition, head = draws.pick(PLACES[scene.place].heads)
    adjectives = lexicon.WEATHER_ADJECTIVES.get(scene.weather, ())
    if adjectives and draws.chance(0.2 + 0.6 * detail):
        head = f"{draws.pick(adjectives)} {head}"
    return preposition, with_article(head)


def place_name(draws: Draws, scene: Scene, detail: float) -> str:
    """Return the place as an indefinite noun phrase, such as "a sunny beach"."""
    return _placed_head(draws, scene, detail)[1]


def location(draws: Draws, scene: Scene, detail: float) -> str:
    """Return where something on the ground is, such as "on a sunny beach" or "by the sea"."""
    if draws.chance(0.5 - 0.3 * detail):
        return draws.pick(PLACES[scene.place].phrases)
    return " ".join(_placed_head(draws, scene, detail))


def air_location(draws: Draws, scene: Scene) -> str:
    """Return where something in the air is, such as "over the lake"."""
    return f"{draws.pick(('over', 'above', 'in the sky over'))} {draws.pick(PLACES[scene.place].over)}"


def weather_phrase(draws: Draws, scene: Scene, detail: float, clause: str) -> str:
    """Return a phrase such as " at night", or nothing: more often told with more detail.

    Nothing where `clause` has told the weather already.
    """
    if scene.weather == INDOORS or set(lexicon.WEATHER_ADJECTIVES[scene.weather]) & set(clause.split()):
        return ""
    phrases = lexicon.WEATHER_PHRASES[scene.weather]
    return f" {draws.pick(phrases)}" if phrases and draws.chance(0.15 + 0.55 * detail) else ""


def pose(draws: Draws, group: Group) -> str:
    """Return a participle that fits the group, such as "parked"."""
    if group.airborne:
        return "floating" if group.noun == "balloon" else draws.pick(("flying", "flying high"))
    return draws.pick(NOUNS[group.noun].poses)


def relation_words(draws: Draws, relation: str, swapped: bool) -> str:
    """Return how the one named first stands to the other; `swapped` if that is the scene's second group."""
    vague = {"left": 0.6, "front": 0.15}.get(relation, 0.0)
    if draws.chance(vague):
        return draws.pick(lexicon.BESIDE)
    return draws.pick(lexicon.RELATION_WORDS[relation][swapped])
