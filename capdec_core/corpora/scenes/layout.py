"""Where the objects of a scene stand, in the pixels of a 64 by 64 image."""

from dataclasses import dataclass

from capdec_core.corpora.scenes.draws import Draws
from capdec_core.corpora.scenes.world import Group, Scene

SIDE = 64
_PIXELS = {"small": 16, "medium": 22, "large": 33}
_ALONE = {  # steps (right, up) of each object of a group from its middle, in object widths
    1: ((0.0, 0.0),),
    2: ((-0.6, 0.0), (0.6, 0.1)),
    3: ((-0.9, 0.0), (0.0, 0.35), (0.9, 0.0)),
    4: ((-0.6, 0.0), (0.6, 0.0), (-0.6, 0.95), (0.6, 0.95)),
}
_CLOSE = {
    1: ((0.0, 0.0),),
    2: ((-0.36, 0.0), (0.36, 0.45)),
    3: ((-0.45, 0.0), (0.45, 0.0), (0.0, 0.7)),
}
_CORNERS = ((9, 44), (55, 44), (9, 62), (55, 62), (32, 43), (32, 62))


@dataclass(frozen=True, slots=True)
class Spot:
    """One object's square: noun and colour, middle `x`, lower edge `y`, `side`, whether it is in the air."""

    noun: str
    colour: str | None
    x: int
    y: int
    side: int
    airborne: bool

    def overlap(self, other: "Spot") -> int:
        """Return the area, in pixels, that two squares share."""
        width = (self.side + other.side) / 2 - abs(self.x - other.x)
        height = min(self.y, other.y) - max(self.y - self.side, other.y - other.side)
        inner = min(self.side, other.side)
        return int(max(0, min(width, inner)) * max(0, min(height, inner)))


def _side(draws: Draws, size: str) -> int:
    return _PIXELS[size] + draws.integer(-1, 1)


def _spread(draws: Draws, group: Group, x: int, y: int, close: bool) -> list[Spot]:
    """Place a group around (x, y), the middle of its lower edge, with a little disorder."""
    spots = []
    for right, up in (_CLOSE if close else _ALONE)[group.count]:
        side = _side(draws, group.size)
        left = round(x + right * side) + draws.integer(-1, 1)
        low = round(y - up * side) + draws.integer(-1, 1)
        left = max(side // 2, min(SIDE - side // 2, left))
        low = max(side, min(SIDE - 1, low))
        spots.append(Spot(group.noun, group.colour, left, low, side, group.airborne))
    return spots


def _alone(draws: Draws, group: Group) -> list[Spot]:
    """Place the only group: near the middle, in the air if it flies."""
    reach = 14 if group.count == 1 else 3
    low = draws.integer(28, 36) if group.airborne else draws.integer(54, 61)
    return _spread(draws, group, 32 + draws.integer(-reach, reach), low, close=False)


def _pair(draws: Draws, scene: Scene) -> list[Spot]:
    """Place two groups as their relation says."""
    first, second = scene.groups
    if scene.relation == "left":
        low = draws.integer(55, 61)
        left = _spread(draws, first, 16, low, close=True)
        return left + _spread(draws, second, 48, low + draws.integer(-3, 2), close=True)
    middle = 32 + draws.integer(-10, 10)
    if scene.relation == "above":
        return _spread(draws, first, middle + draws.integer(-5, 5), 23, close=False) + _spread(
            draws, second, middle, 61, close=False
        )
    if scene.relation == "front":
        behind = _spread(draws, second, middle, 47, close=True)
        return behind + _spread(draws, first, middle + draws.pick((-9, -6, 6, 9)), 61, close=False)
    carrier = _spread(draws, second, middle, 62, close=True)
    top = carrier[0].y - carrier[0].side
    return carrier + _spread(draws, first, middle + draws.integer(-2, 2), top + 8, close=False)


def _aside(draws: Draws, noun: str, taken: list[Spot]) -> Spot:
    """Place the distractor, small, where it covers and is covered least."""
    side = _side(draws, "small")
    spots = [Spot(noun, None, x, y, side, False) for x, y in _CORNERS]
    return min(spots, key=lambda spot: sum(spot.overlap(other) for other in taken))


def place_objects(draws: Draws, scene: Scene) -> list[Spot]:
    """Return every object's square in drawing order: what is further away first, what flies last."""
    spots = _pair(draws, scene) if scene.relation else _alone(draws, scene.groups[0])
    if scene.distractor:
        spots.insert(0, _aside(draws, scene.distractor, spots))
    return spots if scene.relation == "on" else sorted(spots, key=lambda spot: (spot.airborne, spot.y))
