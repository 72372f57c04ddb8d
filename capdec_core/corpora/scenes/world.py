"""What can be in a scene: sampling scene descriptions, and which split each may belong to.

Two partitions are properties of the world and depend on no seed, so that no seed's test scene is another
seed's training scene: every description belongs to one in-distribution split by its hash, and a fixed
tenth of the noun-place and noun-noun pairs is held out of all of them.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import combinations

from capdec_core.corpora.scenes.draws import Draws
from capdec_core.corpora.scenes.nouns import NOUNS
from capdec_core.corpora.scenes.places import INDOORS, PLACES, WEATHERS

HELD_OUT = "held_out"
SHARES = {"pretrain": 10, "train": 4, "val": 1, "test": 1}  # sixteenths of all descriptions
SPLITS = (*SHARES, HELD_OUT)
TINTS = ("red", "yellow", "green", "blue", "purple", "pink")

_NAMES = tuple(NOUNS)
_PLACE_NAMES = tuple(PLACES)
_ONE_IN = 10
_TWO_GROUPS = 0.74
_DISTRACTOR = 0.25
_AT_HOME = 0.5
_SIZES = (("small", 0.25), ("medium", 0.4), ("large", 0.35))
_COUNTS_ALONE = ((1, 0.5), (2, 0.22), (3, 0.16), (4, 0.12))
_COUNTS_IN_PAIR = ((1, 0.68), (2, 0.2), (3, 0.12))


@dataclass(frozen=True, slots=True)
class Group:
    """`count` objects of one noun; `size` is "small", "medium" or "large"; `colour` None for most nouns."""

    noun: str
    count: int
    size: str
    colour: str | None
    airborne: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene: one or two groups in focus, how the first stands to the second, and where.

    `relation` is "left", "front", "on" or "above" (None for one group); `weather` is "indoors" where the
    place is; `distractor` is an object that no caption mentions (None in most scenes).
    """

    groups: tuple[Group, ...]
    relation: str | None
    place: str
    weather: str
    distractor: str | None

    @property
    def nouns(self) -> list[str]:
        """Every noun that is present, the distractor last."""
        return [group.noun for group in self.groups] + ([self.distractor] if self.distractor else [])

    @property
    def description(self) -> str:
        """All that captions can tell; two scenes with one description differ in nuisance alone."""
        groups = ";".join(f"{g.noun},{g.count},{g.size},{g.colour},{g.airborne}" for g in self.groups)
        return f"{groups}|{self.relation}|{self.place}|{self.weather}"


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=4, key=b"capdec scenes 1").digest())


@cache
def is_held_out(noun: str, other: str) -> bool:
    """Return whether a pair of nouns, or of a noun and a place, occurs in no training scene."""
    return _hash("+".join(sorted((noun, other)))) % _ONE_IN == 0


def held_out_pairs(nouns: list[str], place: str) -> list[tuple[str, str]]:
    """Return the held-out pairs among the objects of a scene and its place."""
    pairs = [*combinations(nouns, 2), *((noun, place) for noun in nouns)]
    return [pair for pair in pairs if is_held_out(*pair)]


@cache
def _owners() -> tuple[str, ...]:
    return tuple(split for split, share in SHARES.items() for _ in range(share))


def belongs(scene: Scene, split: str) -> bool:
    """Return whether `scene` may be in `split`.

    A held-out scene has a held-out pair among what is in focus; any other has none at all and a
    description whose hash gives it to this split.
    """
    if split == HELD_OUT:
        return bool(held_out_pairs([group.noun for group in scene.groups], scene.place))
    if held_out_pairs(scene.nouns, scene.place):
        return False
    owners = _owners()
    return owners[_hash(scene.description) % len(owners)] == split


def _relation(draws: Draws, first: str, second: str, sky: bool) -> str:
    """Choose how `first` stands to `second`, among what the two nouns and the place allow."""
    options = [("left", 1.0), ("front", 0.6)]
    if sky and "flies" in NOUNS[first].traits:
        options.append(("above", 3.0))
    elif "carries" in NOUNS[second].traits and NOUNS[first].family != "vehicle":
        options.append(("on", 1.0))
    return draws.weighted(options)


def _shape(draws: Draws, relation: str | None, first: bool) -> tuple[int, str]:
    """Choose a count and a size that leave room: what carries or stands behind is one large object."""
    if relation in ("on", "front"):
        if not first:
            return 1, "large"
        return draws.weighted(((1, 0.75), (2, 0.25))), draws.weighted((("small", 0.5), ("medium", 0.5)))
    count = draws.weighted(_COUNTS_IN_PAIR if relation else _COUNTS_ALONE)
    most = 1 if relation else 2
    if count > most:
        return count, draws.weighted((("small", 0.4), ("medium", 0.6)))
    size = draws.weighted(_SIZES)
    return count, "medium" if relation == "above" and first and size == "large" else size


def _group(draws: Draws, noun: str, relation: str | None, first: bool, sky: bool) -> Group:
    count, size = _shape(draws, relation, first)
    colour = draws.pick(TINTS) if "tinted" in NOUNS[noun].traits else None
    aloft = relation == "above" and first
    if sky and relation is None and "flies" in NOUNS[noun].traits:
        aloft = draws.chance(0.6)
    return Group(noun, count, size, colour, aloft)


def _place(draws: Draws, nouns: list[str]) -> str:
    """Choose a place: at home for one of the nouns half of the time, else anywhere."""
    homes = NOUNS[draws.pick(nouns)].homes
    return draws.pick(homes if homes and draws.chance(_AT_HOME) else _PLACE_NAMES)


def _weather(draws: Draws, place: str) -> str:
    if PLACES[place].indoors:
        return INDOORS
    weather = draws.weighted(tuple((w, 2.0 if w == "plain" else 1.0) for w in WEATHERS))
    return "plain" if weather == "rain" and place in ("snow", "desert") else weather


def sample_scene(draws: Draws) -> Scene:
    """Draw one scene from the whole world, whatever split it belongs to."""
    first, second, third = draws.pick(_NAMES), draws.pick(_NAMES), draws.pick(_NAMES)
    pair = draws.chance(_TWO_GROUPS) and second != first
    nouns = [first, second] if pair else [first]
    place = _place(draws, nouns)
    sky = not PLACES[place].indoors
    relation = _relation(draws, first, second, sky) if pair else None
    groups = tuple(_group(draws, noun, relation, noun == first, sky) for noun in nouns)
    distractor = third if draws.chance(_DISTRACTOR) and third not in nouns else None
    return Scene(groups, relation, place, _weather(draws, place), distractor)


def scene_of(seed: int, split: str, index: int) -> Scene:
    """Return scene `index` of a split: a function of these three alone, found by rejection."""
    draws = Draws(f"{seed}/{split}/{index}/scene")
    while True:
        scene = sample_scene(draws)
        if belongs(scene, split):
            return scene
