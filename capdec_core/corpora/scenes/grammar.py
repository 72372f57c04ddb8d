"""Captions: what one person would write about a scene, in varied wording, syntax and level of detail."""

from capdec_core.corpora.scenes.draws import Draws
from capdec_core.corpora.scenes.lexicon import OPENINGS
from capdec_core.corpora.scenes.phrases import (
    Phrase,
    air_location,
    location,
    noun_phrase,
    place_name,
    pose,
    relation_words,
    weather_phrase,
)
from capdec_core.corpora.scenes.world import Group, Scene

CAPTIONS = 5
_DETAILS = ((0.1, 0.35), (0.45, 0.4), (0.85, 0.25))  # (level of detail, weight)
_TAILS = {  # how a second thing named after "with" is placed, by relation and by which group it is
    ("left", 0): ("on the left", "beside {it}", "next to {it}"),
    ("left", 1): ("on the right", "beside {it}", "next to {it}"),
    ("front", 0): ("in front", "in front of {it}"),
    ("front", 1): ("behind {it}", "in the background"),
    ("on", 0): ("on top", "on top of {it}"),
    ("on", 1): ("under {it}", "below {it}"),
    ("above", 0): ("overhead", "flying above {it}"),
    ("above", 1): ("below", "on the ground"),
}


def _where(draws: Draws, scene: Scene, group: Group, detail: float) -> str:
    return air_location(draws, scene) if group.airborne else location(draws, scene, detail)


def _describe_one(draws: Draws, scene: Scene, group: Group, detail: float) -> str:
    """Return a clause about one group and its place."""
    thing, where = noun_phrase(draws, group, detail), _where(draws, scene, group, detail)
    shape = draws.random()
    if shape < 0.28:
        return f"{thing.text} {where}"
    if shape < 0.52:
        return f"{thing.text} {pose(draws, group)} {where}"
    if shape < 0.66:
        return f"{thing.text} {thing.verb} {pose(draws, group)} {where}"
    if shape < 0.74:
        return f"{thing.text} {thing.verb} {where}"
    if shape < 0.82:
        return f"there {thing.verb} {thing.text} {where}"
    if shape < 0.9:
        return f"{draws.pick(OPENINGS)} {thing.text} {where}"
    return f"{place_name(draws, scene, detail)} with {thing.text}"


def _bare_one(draws: Draws, group: Group, detail: float) -> str:
    """Return a clause about one group and nothing else."""
    thing = noun_phrase(draws, group, detail)
    shape = draws.random()
    if shape < 0.3:
        return f"{draws.pick(OPENINGS)} {thing.text}"
    if shape < 0.7:
        return f"{thing.text} {thing.verb} {pose(draws, group)}"
    return f"there {thing.verb} {thing.text}"


def _with_tail(draws: Draws, first: Phrase, second: Phrase, relation: str, second_index: int) -> str:
    tail = draws.pick(_TAILS[relation, second_index]).format(it=first.pronoun)
    return f"{first.text} with {second.text} {tail}"


def _related(draws: Draws, scene: Scene, swapped: bool, detail: float) -> str:
    """Return a clause about both groups and how they stand to each other."""
    named = scene.groups[::-1] if swapped else scene.groups
    first, second = (noun_phrase(draws, group, detail) for group in named)
    relation = str(scene.relation)
    words = relation_words(draws, relation, swapped)
    shape = draws.random()
    if shape < 0.35:
        return f"{first.text} {words} {second.text}"
    if shape < 0.55:
        return f"{first.text} {pose(draws, named[0])} {words} {second.text}"
    if shape < 0.7:
        return f"{first.text} {first.verb} {words} {second.text}"
    if shape < 0.8:
        return f"there {first.verb} {first.text} {words} {second.text}"
    return _with_tail(draws, first, second, relation, 1 - int(swapped))


def _listed(draws: Draws, scene: Scene, swapped: bool, detail: float) -> str:
    """Return a clause that only lists both groups."""
    named = scene.groups[::-1] if swapped else scene.groups
    first, second = (noun_phrase(draws, group, detail) for group in named)
    shape = draws.random()
    if shape < 0.6:
        return f"{first.text} and {second.text}"
    if shape < 0.8:
        return f"{draws.pick(OPENINGS)} {first.text} and {second.text}"
    return f"there {first.verb} {first.text} and {second.text}"


def _describe_pair(draws: Draws, scene: Scene, detail: float) -> str:
    """Return a clause about both groups, with the place more often than not."""
    swapped = draws.chance(0.35)
    listed = draws.chance(0.4 - 0.3 * detail)
    clause = (_listed if listed else _related)(draws, scene, swapped, detail)
    if not draws.chance(0.5 + 0.3 * detail):
        return clause
    if draws.chance(0.15) and not clause.startswith(OPENINGS):
        return f"{location(draws, scene, detail)}, {clause}"
    return f"{clause} {location(draws, scene, detail)}"


def _clause(draws: Draws, scene: Scene, detail: float) -> str:
    """Choose what to mention: both groups, or one of them, with its place or without."""
    if len(scene.groups) == 2 and draws.chance(0.62 + 0.33 * detail):
        return _describe_pair(draws, scene, detail)
    group = scene.groups[0] if draws.chance(0.7) else scene.groups[-1]
    if draws.chance(0.78 + 0.2 * detail):
        return _describe_one(draws, scene, group, detail)
    return _bare_one(draws, group, detail)


def caption(draws: Draws, scene: Scene) -> str:
    """Return one caption: a capital letter first, a full stop last in nine of ten."""
    detail = draws.weighted(_DETAILS)
    clause = _clause(draws, scene, detail)
    text = clause + weather_phrase(draws, scene, detail, clause)
    return text[0].upper() + text[1:] + ("." if draws.chance(0.9) else "")


def captions_of(seed: int, split: str, index: int, scene: Scene) -> list[str]:
    """Return the five captions of scene `index` of a split, all different."""
    draws = Draws(f"{seed}/{split}/{index}/captions")
    found: list[str] = []
    while len(found) < CAPTIONS:
        text = caption(draws, scene)
        if text not in found:
            found.append(text)
    return found
