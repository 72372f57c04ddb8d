"""The nouns of the world: what they are called, how they look and where they are at home."""

from dataclasses import dataclass

Word = tuple[str, str]  # singular, plural
Row = tuple[str, str, tuple[str, ...], tuple[str, ...], str]  # words, emoji, poses, homes, traits

TOWN = ("street", "city")
COUNTRY = ("farm", "field", "garden")
WILD = ("forest", "mountains", "field")
HOT = ("desert", "field")
COLD = ("snow", "mountains")
WATER = ("beach", "lake")
PLAY = ("playground", "beach", "garden")
HOME = ("living room", "kitchen")
SCHOOL = ("classroom", "living room")

STAND = ("standing", "walking", "waiting")
GRAZE = ("standing", "walking", "resting")
PET = ("sitting", "standing", "playing")
PERCH = ("standing", "sitting", "resting")
DRIVE = ("driving", "parked", "stopped")
PARK = ("parked", "standing")
FLY = ("standing", "parked", "waiting")
LIE = ("lying", "sitting")
REST = ("standing", "sitting")


@dataclass(frozen=True)
class Noun:
    """One kind of object.

    `words` are (singular, plural) pairs that mean exactly this noun, the usual one first and its name;
    `emoji` the code points of its sprite; `poses` participles for when it is on the ground; `homes` the
    places where it is found most; `traits` words among "tinted" (its sprite comes in colours), "flies" (it
    can be in the sky) and "carries" (something can be on top of it).
    """

    family: str
    words: tuple[Word, ...]
    emoji: str
    poses: tuple[str, ...]
    homes: tuple[str, ...]
    traits: frozenset[str]

    @property
    def name(self) -> str:
        """The noun's label: its usual singular."""
        return self.words[0][0]


def _words(text: str) -> tuple[Word, ...]:
    """Read "dog, puppy/puppies": words parted by commas, an irregular plural after a slash."""
    pairs = (entry.strip().partition("/") for entry in text.split(","))
    return tuple((singular, plural or singular + "s") for singular, _, plural in pairs)


_PEOPLE: tuple[Row, ...] = (
    ("man/men, guy, gentleman/gentlemen", "1f468", STAND, TOWN, ""),
    ("woman/women, lady/ladies", "1f469", STAND, TOWN, ""),
    ("boy, young boy", "1f466", PET, PLAY, ""),
    ("girl, young girl", "1f467", PET, PLAY, ""),
    ("baby/babies, infant, toddler", "1f476", ("sitting", "playing", "crawling"), HOME, ""),
    ("chef, cook", "1f468-200d-1f373", ("standing", "cooking", "working"), ("kitchen",), ""),
    ("farmer", "1f468-200d-1f33e", ("standing", "working", "walking"), ("farm", "field"), ""),
    ("firefighter, fireman/firemen", "1f468-200d-1f692", ("standing", "working", "waiting"), TOWN, ""),
    ("policeman/policemen, police officer, cop", "1f46e-200d-2642-fe0f", STAND, TOWN, ""),
    ("dancer", "1f483", ("dancing", "posing", "performing"), ("city", "living room"), ""),
    ("surfer", "1f3c4-200d-2642-fe0f", ("surfing", "balancing", "posing"), WATER, ""),
    ("skier", "26f7-fe0f", ("skiing", "racing", "turning"), COLD, ""),
    (
        "cyclist, bicyclist",
        "1f6b4-200d-2642-fe0f",
        ("riding", "cycling", "racing"),
        ("street", "mountains"),
        "",
    ),
)

_ANIMALS: tuple[Row, ...] = (
    ("dog, puppy/puppies", "1f415", PET, ("garden", "living room", "beach"), ""),
    ("cat, kitten, kitty/kitties", "1f408", PET, ("living room", "kitchen", "garden"), ""),
    ("cow", "1f404", GRAZE, COUNTRY, ""),
    ("sheep/sheep, lamb", "1f411", GRAZE, COUNTRY, ""),
    ("pig, hog", "1f416", GRAZE, ("farm",), ""),
    ("bear", "1f43b", GRAZE, WILD, ""),
    ("lion", "1f981", GRAZE, HOT, ""),
    ("tiger", "1f405", GRAZE, ("forest", "field"), ""),
    ("zebra", "1f993", GRAZE, HOT, ""),
    ("giraffe", "1f992", GRAZE, HOT, ""),
    ("monkey, ape", "1f412", PET, ("forest", "playground"), ""),
    ("rabbit, bunny/bunnies", "1f407", PET, ("garden", "field"), ""),
    ("chicken, rooster", "1f413", PERCH, ("farm", "garden"), ""),
    ("duck", "1f986", PERCH, ("lake", "farm"), ""),
    ("penguin", "1f427", PERCH, COLD, ""),
    ("turtle, tortoise", "1f422", GRAZE, WATER, ""),
    ("horse, pony/ponies", "1f40e", GRAZE, COUNTRY, "carries"),
    ("elephant", "1f418", GRAZE, HOT, "carries"),
    ("camel", "1f42a", GRAZE, ("desert",), "carries"),
    ("bird", "1f426", PERCH, ("forest", "garden", "beach"), "tinted flies"),
    ("owl", "1f989", PERCH, ("forest", "mountains"), "flies"),
    ("butterfly/butterflies", "1f98b", PERCH, ("garden", "field"), "tinted flies"),
)

_VEHICLES: tuple[Row, ...] = (
    ("car, automobile", "1f697", DRIVE, TOWN, "tinted carries"),
    ("taxi, cab, taxicab", "1f695", DRIVE, TOWN, "carries"),
    ("bus/buses", "1f68c", DRIVE, TOWN, "carries"),
    ("truck, delivery truck", "1f69a", DRIVE, TOWN, "carries"),
    ("fire truck, fire engine", "1f692", DRIVE, TOWN, "carries"),
    ("ambulance", "1f691", DRIVE, TOWN, "carries"),
    ("train, locomotive", "1f682", ("stopped", "waiting", "passing"), ("mountains", "city"), "carries"),
    ("tractor", "1f69c", DRIVE, ("farm", "field"), "tinted carries"),
    ("bicycle, bike", "1f6b2", PARK, ("street", "playground"), ""),
    ("motorcycle, motorbike", "1f3cd-fe0f", DRIVE, ("street", "desert"), "tinted"),
    ("scooter, moped", "1f6f5", PARK, TOWN, "tinted"),
    ("boat, sailboat", "26f5", ("sailing", "floating", "waiting"), WATER, "tinted"),
    ("airplane, plane, jet", "2708-fe0f", FLY, ("city", "mountains", "beach"), "flies"),
    ("helicopter, chopper", "1f681", FLY, ("city", "mountains"), "tinted flies"),
)

_FOOD: tuple[Row, ...] = (
    ("apple", "1f34e", LIE, ("garden", "kitchen"), ""),
    ("banana", "1f34c", LIE, ("kitchen",), ""),
    ("watermelon", "1f349", LIE, ("kitchen", "beach"), ""),
    ("pineapple", "1f34d", LIE, ("kitchen", "beach"), ""),
    ("carrot", "1f955", LIE, ("garden", "kitchen", "farm"), ""),
    ("pizza, slice of pizza/slices of pizza", "1f355", LIE, HOME, ""),
    ("hamburger, burger, cheeseburger", "1f354", LIE, ("kitchen", "street"), ""),
    ("hot dog", "1f32d", LIE, ("kitchen", "street"), ""),
    ("sandwich/sandwiches", "1f96a", LIE, ("kitchen", "classroom"), ""),
    ("cake, birthday cake", "1f382", LIE, HOME, ""),
    ("donut, doughnut", "1f369", LIE, HOME, ""),
    ("ice cream, ice cream cone", "1f366", LIE, ("beach", "playground"), ""),
)

_THINGS: tuple[Row, ...] = (
    ("umbrella, parasol", "2602-fe0f", REST, ("beach", "street"), "tinted"),
    ("ball, soccer ball, football", "26bd", LIE, PLAY, ""),
    ("kite", "1fa81", LIE, ("beach", "field"), "flies"),
    ("balloon", "1f388", REST, ("playground", "living room"), "tinted flies"),
    ("chair", "1fa91", REST, ("classroom", "kitchen"), "carries"),
    ("couch/couches, sofa", "1f6cb-fe0f", REST, ("living room",), "tinted carries"),
    ("bed", "1f6cf-fe0f", REST, ("living room",), ""),
    ("clock, alarm clock", "23f0", REST, SCHOOL, ""),
    ("book, notebook", "1f4d5", LIE, SCHOOL, "tinted"),
    ("laptop, computer", "1f4bb", REST, SCHOOL, ""),
    ("television, TV", "1f4fa", REST, ("living room",), "carries"),
    ("guitar", "1f3b8", LIE, ("living room", "classroom"), "tinted"),
    ("teddy bear, stuffed bear", "1f9f8", REST, ("living room", "playground"), ""),
    ("suitcase", "1f9f3", REST, ("city", "living room"), "tinted carries"),
    ("backpack, school bag", "1f392", REST, ("classroom", "mountains"), "tinted"),
    ("snowman/snowmen", "26c4", REST, COLD, ""),
    ("tent", "26fa", REST, ("forest", "mountains", "lake"), "tinted"),
    ("skateboard", "1f6f9", LIE, ("street", "playground"), ""),
)

_FAMILIES = {"person": _PEOPLE, "animal": _ANIMALS, "vehicle": _VEHICLES, "food": _FOOD, "thing": _THINGS}


def _read(family: str, row: Row) -> Noun:
    words, emoji, poses, homes, traits = row
    return Noun(family, _words(words), emoji, poses, homes, frozenset(traits.split()))


NOUNS: dict[str, Noun] = {
    noun.name: noun for family, rows in _FAMILIES.items() for noun in (_read(family, row) for row in rows)
}
