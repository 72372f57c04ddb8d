"""The places of the world and how captions speak of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One place.

    `phrases` locate something there as they stand; `heads` are (preposition, noun) pairs that take an
    article and adjectives ("on a sunny beach"); `over` are what flies there flies over; `indoors` places
    have no weather and nothing in the sky.
    """

    name: str
    phrases: tuple[str, ...]
    heads: tuple[tuple[str, str], ...]
    over: tuple[str, ...] = ()
    indoors: bool = False


PLACES: dict[str, Place] = {
    place.name: place
    for place in (
        Place(
            "beach",
            ("on the beach", "at the beach", "on the sand", "by the sea", "near the ocean"),
            (("on", "beach"), ("on", "sandy beach")),
            ("the beach", "the sea", "the ocean"),
        ),
        Place(
            "forest",
            ("in the forest", "in the woods", "among the trees", "near the trees"),
            (("in", "forest"), ("in", "pine forest")),
            ("the forest", "the trees"),
        ),
        Place(
            "street",
            ("on the street", "on the road", "in the street", "along the road"),
            (("on", "street"), ("on", "road")),
            ("the street", "the road"),
        ),
        Place(
            "city",
            ("in the city", "in town", "downtown", "near tall buildings"),
            (("in", "city"),),
            ("the city", "the buildings", "the town"),
        ),
        Place(
            "snow",
            ("in the snow", "on the snow", "on a snowy hill"),
            (("in", "snowy field"), ("in", "snowy landscape")),
            ("the snow", "a snowy hill"),
        ),
        Place(
            "field",
            ("in a field", "on the grass", "in a meadow", "in the grass"),
            (("in", "green field"), ("in", "grassy field"), ("in", "meadow")),
            ("a field", "the grass", "a meadow"),
        ),
        Place(
            "lake",
            ("by the lake", "at the lake", "near the water", "on the shore of a lake"),
            (("by", "lake"), ("by", "blue lake")),
            ("the lake", "the water"),
        ),
        Place(
            "desert",
            ("in the desert", "near a cactus", "among the sand dunes"),
            (("in", "desert"), ("in", "dry desert")),
            ("the desert", "the dunes"),
        ),
        Place(
            "mountains",
            ("in the mountains", "near the mountains", "in the hills"),
            (("in", "mountain valley"), ("in", "rocky landscape")),
            ("the mountains", "the hills"),
        ),
        Place(
            "playground",
            ("at the playground", "on the playground", "near a slide", "by the swings"),
            (("on", "playground"),),
            ("the playground", "the swings"),
        ),
        Place(
            "farm",
            ("on the farm", "on a farm", "near a barn", "in front of a barn"),
            (("on", "farm"),),
            ("the farm", "a barn"),
        ),
        Place(
            "garden",
            ("in the garden", "among the flowers", "in the yard", "near some flowers"),
            (("in", "garden"), ("in", "flower garden")),
            ("the garden", "the flowers"),
        ),
        Place(
            "kitchen",
            ("in the kitchen", "on the kitchen floor", "near the stove"),
            (("in", "kitchen"), ("in", "clean kitchen")),
            indoors=True,
        ),
        Place(
            "living room",
            ("in the living room", "on the rug", "in a room with a lamp", "on the carpet"),
            (("in", "living room"), ("in", "cozy living room")),
            indoors=True,
        ),
        Place(
            "classroom",
            ("in the classroom", "at school", "in front of a blackboard", "near the blackboard"),
            (("in", "classroom"),),
            indoors=True,
        ),
    )
}

WEATHERS = ("plain", "sunny", "sunset", "night", "rain")
INDOORS = "indoors"
