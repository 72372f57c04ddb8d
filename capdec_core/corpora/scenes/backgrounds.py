"""Backgrounds: the sky with its weather, and fifteen places drawn with simple shapes.

Everything is drawn at twice the size of an image (128 pixels) and halved, which smooths the edges.
Coordinates below are in those 128 pixels, y downwards; the ground begins at `HORIZON`.
"""

from collections.abc import Callable
from functools import cache

from PIL import Image, ImageDraw

from capdec_core.corpora.scenes.draws import Draws

SIDE = 128
HORIZON = 72
Colour = tuple[int, int, int]
Painter = Callable[[ImageDraw.ImageDraw, Draws], None]

_SKIES: dict[str, tuple[Colour, Colour]] = {  # at the top, at the horizon
    "plain": ((168, 205, 232), (222, 236, 243)),
    "sunny": ((62, 150, 240), (170, 220, 255)),
    "sunset": ((112, 74, 140), (255, 158, 84)),
    "night": ((8, 12, 40), (34, 44, 92)),
    "rain": ((104, 114, 126), (158, 166, 174)),
}
_LIGHTS: dict[str, tuple[float, float, float]] = {  # what the place's colours are multiplied by
    "plain": (1.0, 1.0, 1.0),
    "sunny": (1.06, 1.05, 0.98),
    "sunset": (1.0, 0.78, 0.68),
    "night": (0.36, 0.4, 0.58),
    "rain": (0.72, 0.75, 0.8),
}


def shade(draws: Draws, colour: Colour, spread: int = 10) -> Colour:
    """Return `colour` with a small random change of each channel (at most `spread`)."""
    red, green, blue = (max(0, min(255, channel + draws.integer(-spread, spread))) for channel in colour)
    return red, green, blue


def _gradient(top: Colour, bottom: Colour, height: int) -> Image.Image:
    """Return a vertical gradient of SIDE by `height` pixels."""
    strip = Image.new("RGB", (1, 2))
    strip.putpixel((0, 0), top)
    strip.putpixel((0, 1), bottom)
    return strip.resize((SIDE, height * 2), Image.Resampling.BILINEAR).crop(
        (0, height // 2, SIDE, height // 2 + height)
    )


def _disc(pen: ImageDraw.ImageDraw, x: int, y: int, radius: int, colour: Colour) -> None:
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _ground(pen: ImageDraw.ImageDraw, draws: Draws, colour: Colour, top: int = HORIZON) -> None:
    pen.rectangle((0, top, SIDE, SIDE), fill=shade(draws, colour))


def _sky(pen: ImageDraw.ImageDraw, draws: Draws, weather: str) -> None:
    """Draw what hangs in the sky: clouds, sun, moon and stars."""
    x, y = draws.integer(16, 112), draws.integer(14, 28)
    if weather == "sunny":
        _disc(pen, x, y, 15, (255, 240, 150))
        _disc(pen, x, y, 11, (255, 216, 40))
    elif weather == "sunset":
        _disc(pen, x, HORIZON - 8, 17, (255, 212, 120))
    elif weather == "night":
        for _ in range(14):
            _disc(pen, draws.integer(0, SIDE), draws.integer(0, HORIZON - 12), 1, (235, 238, 255))
        _disc(pen, x, y, 10, (244, 242, 214))
        _disc(pen, x + 5, y - 3, 8, (14, 18, 50))
    else:
        colour = (236, 241, 245) if weather == "plain" else (84, 92, 104)
        for left in (x - 60, x, x + 55):
            for step, radius in ((-11, 7), (0, 10), (12, 7)):
                _disc(pen, left + step, y, radius, colour)


def _beach(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    shore = draws.integer(82, 92)
    pen.rectangle((0, 58, SIDE, shore), fill=shade(draws, (40, 140, 196)))
    pen.line((0, 66, SIDE, 68), fill=(110, 190, 224), width=2)
    pen.rectangle((0, shore, SIDE, SIDE), fill=shade(draws, (236, 211, 150)))
    pen.line((0, shore, SIDE, shore + 2), fill=(240, 248, 250), width=4)
    trunk = draws.pick((10, 116))
    pen.line((trunk, 96, trunk + 4, 50), fill=(132, 92, 52), width=5)
    for dx, dy in ((-20, 4), (-15, -10), (14, -11), (22, 2), (2, -15)):
        pen.line((trunk + 4, 50, trunk + 4 + dx, 50 + dy), fill=(44, 136, 60), width=5)


def _forest(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    pen.rectangle((0, 40, SIDE, HORIZON + 8), fill=shade(draws, (34, 84, 44)))
    _ground(pen, draws, (88, 112, 52), HORIZON + 4)
    for slot in range(-1, 8):
        x, foot, half = slot * 18 + draws.integer(0, 8), draws.integer(76, 88), draws.integer(12, 16)
        pen.rectangle((x - 3, foot - 20, x + 3, foot), fill=(92, 62, 38))
        green = shade(draws, (36, 110, 56), 16)
        for level in range(3):
            tip = foot - 72 + level * 18
            pen.polygon(((x, tip), (x - half, tip + 30), (x + half, tip + 30)), fill=green)


def _street(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    for slot in range(4):
        left, top = slot * 34 - draws.integer(0, 6), draws.integer(26, 42)
        wall = draws.pick(((196, 120, 92), (222, 196, 150), (150, 166, 180), (206, 150, 134)))
        pen.rectangle((left, top, left + 30, HORIZON), fill=wall)
        pen.polygon(((left - 2, top), (left + 15, top - 14), (left + 32, top)), fill=(118, 64, 54))
        for window in (left + 5, left + 18):
            pen.rectangle((window, top + 8, window + 7, top + 17), fill=(236, 240, 210))
    pen.rectangle((0, HORIZON, SIDE, HORIZON + 10), fill=(188, 186, 180))
    _ground(pen, draws, (92, 94, 98), HORIZON + 10)
    for x in range(draws.integer(-14, 0), SIDE, 28):
        pen.rectangle((x, 104, x + 15, 107), fill=(244, 236, 190))


def _city(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    x = -4
    while x < SIDE:
        width, top = draws.integer(15, 24), draws.integer(4, 40)
        pen.rectangle((x, top, x + width, HORIZON + 12), fill=shade(draws, (96, 108, 136), 18))
        for row in range(top + 5, HORIZON + 6, 9):
            for column in range(x + 4, x + width - 4, 6):
                pen.rectangle((column, row, column + 2, row + 3), fill=(255, 232, 140))
        x += width + 1
    _ground(pen, draws, (150, 152, 158), HORIZON + 12)
    for x in range(0, SIDE, 21):
        pen.line((x, HORIZON + 12, x * 2 - 64, SIDE), fill=(132, 134, 140), width=1)


def _snow(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    for x in (draws.integer(0, 40), draws.integer(80, 120)):
        pen.ellipse((x - 60, 50, x + 60, 130), fill=shade(draws, (222, 232, 244), 5))
    _ground(pen, draws, (240, 244, 250), HORIZON + 8)
    for _ in range(3):
        x, foot = draws.integer(4, 124), draws.integer(72, 80)
        pen.polygon(((x, foot - 32), (x - 10, foot), (x + 10, foot)), fill=(70, 116, 104))
        pen.polygon(((x, foot - 32), (x - 5, foot - 16), (x + 5, foot - 16)), fill=(250, 252, 255))
    for _ in range(22):
        _disc(pen, draws.integer(0, SIDE), draws.integer(0, SIDE), 1, (255, 255, 255))


def _field(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    hill = draws.integer(20, 108)
    pen.ellipse((hill - 80, 58, hill + 80, 140), fill=shade(draws, (124, 186, 84)))
    _ground(pen, draws, (104, 172, 66), HORIZON + 4)
    for _ in range(16):
        x, y = draws.integer(0, SIDE), draws.integer(HORIZON + 8, SIDE)
        pen.line((x - 2, y - 5, x, y, x + 2, y - 5), fill=(66, 132, 46), width=1)


def _lake(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    for x in (8, 44, 84, 120):
        pen.ellipse((x - 26, 48, x + 26, 92), fill=shade(draws, (58, 116, 74)))
    _ground(pen, draws, (118, 166, 82), HORIZON - 4)
    middle = draws.integer(50, 78)
    water = shade(draws, (62, 140, 206))
    pen.ellipse((middle - 74, HORIZON - 2, middle + 74, HORIZON + 36), fill=water)
    for y in (78, 86, 94):
        pen.line((middle - 34 + y % 7, y, middle - 6 + y % 7, y), fill=(160, 208, 238), width=2)


def _desert(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    for colour in ((224, 178, 108), (212, 160, 92)):
        x = draws.integer(0, SIDE)
        pen.ellipse((x - 70, 56, x + 70, 120), fill=shade(draws, colour))
    _ground(pen, draws, (232, 188, 116), HORIZON + 10)
    for x in (draws.integer(6, 40), draws.integer(88, 122)):
        pen.line((x, 92, x, 56), fill=(72, 140, 74), width=6)
        pen.line((x - 9, 66, x - 9, 76, x, 76), fill=(72, 140, 74), width=4)
        pen.line((x + 9, 60, x + 9, 70, x, 70), fill=(72, 140, 74), width=4)


def _mountains(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    for slot in (10, 112, 62):
        x, top = slot + draws.integer(-10, 10), draws.integer(8, 26)
        pen.polygon(((x, top), (x - 52, 84), (x + 52, 84)), fill=shade(draws, (112, 116, 130)))
        pen.polygon(((x, top), (x - 14, top + 17), (x, top + 12), (x + 14, top + 17)), fill=(246, 248, 252))
    _ground(pen, draws, (122, 150, 92), HORIZON + 8)
    for _ in range(5):
        x, y = draws.integer(0, SIDE), draws.integer(86, 124)
        pen.ellipse((x - 6, y - 4, x + 6, y + 3), fill=(146, 146, 150))


def _playground(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    pen.rectangle((0, 58, SIDE, HORIZON + 4), fill=shade(draws, (92, 160, 84)))
    _ground(pen, draws, (222, 160, 104), HORIZON + 4)
    slide, swing = draws.pick(((26, 96), (100, 34)))
    pen.line((slide - 16, 34, slide - 16, 84), fill=(214, 52, 52), width=4)
    pen.line((slide - 16, 36, slide + 20, 84), fill=(250, 206, 44), width=8)
    pen.line((swing - 26, 86, swing - 18, 32, swing + 18, 32, swing + 26, 86), fill=(46, 96, 190), width=4)
    for x in (swing - 8, swing + 8):
        pen.line((x, 32, x, 68), fill=(90, 90, 96), width=1)
        pen.rectangle((x - 5, 68, x + 5, 71), fill=(214, 52, 52))


def _farm(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    _ground(pen, draws, (172, 156, 84), HORIZON)
    x = draws.integer(26, 102)
    pen.rectangle((x - 24, 42, x + 24, 82), fill=shade(draws, (178, 44, 40)))
    pen.polygon(((x - 28, 43), (x - 16, 24), (x + 16, 24), (x + 28, 43)), fill=(112, 40, 38))
    pen.rectangle((x - 9, 56, x + 9, 82), fill=(244, 240, 232))
    pen.line((x - 9, 56, x + 9, 82), fill=(178, 44, 40), width=2)
    pen.line((x - 9, 82, x + 9, 56), fill=(178, 44, 40), width=2)
    for post in range(4, SIDE, 20):
        pen.rectangle((post, 76, post + 3, 92), fill=(240, 236, 226))
    pen.rectangle((0, 80, SIDE, 82), fill=(240, 236, 226))


def _garden(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    pen.rectangle((0, 50, SIDE, HORIZON + 4), fill=shade(draws, (52, 118, 60)))
    for x in range(0, SIDE + 16, 16):
        _disc(pen, x, 52, 10, (52, 118, 60))
    _ground(pen, draws, (132, 190, 96), HORIZON + 4)
    for _ in range(34):
        x, y = draws.integer(0, SIDE), draws.integer(60, 124)
        petals = draws.pick(((240, 82, 110), (250, 214, 70), (250, 250, 250), (176, 96, 214)))
        _disc(pen, x, y, 3, petals)
        _disc(pen, x, y, 1, (250, 190, 40))


def _kitchen(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    pen.rectangle((0, 0, SIDE, 92), fill=shade(draws, (238, 232, 214)))
    cupboard = shade(draws, draws.pick(((146, 188, 190), (198, 150, 104), (226, 226, 222))))
    for x in range(0, SIDE, 32):
        pen.rectangle((x + 1, 2, x + 30, 28), fill=cupboard, outline=(120, 110, 96))
        pen.rectangle((x + 1, 64, x + 30, 92), fill=cupboard, outline=(120, 110, 96))
    pen.rectangle((0, 58, SIDE, 64), fill=(96, 88, 84))
    stove = draws.pick((8, 84))
    pen.rectangle((stove, 56, stove + 34, 92), fill=(214, 216, 220), outline=(80, 80, 84))
    pen.rectangle((stove + 5, 68, stove + 29, 86), fill=(52, 54, 60))
    for row in range(3):
        for column in range(8):
            tile = (250, 250, 246) if (row + column) % 2 else (176, 186, 192)
            pen.rectangle((column * 16, 92 + row * 12, column * 16 + 16, 104 + row * 12), fill=tile)


def _living_room(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    pen.rectangle(
        (0, 0, SIDE, 82), fill=shade(draws, draws.pick(((214, 186, 160), (170, 190, 170), (206, 176, 190))))
    )
    pen.rectangle((0, 82, SIDE, SIDE), fill=shade(draws, (150, 104, 66)))
    lamp, window = draws.pick(((18, 84), (110, 44)))
    pen.rectangle((window - 22, 12, window + 22, 50), fill=(186, 220, 242), outline=(250, 248, 240), width=4)
    pen.line((window, 12, window, 50), fill=(250, 248, 240), width=3)
    pen.line((lamp, 44, lamp, 92), fill=(80, 66, 56), width=3)
    pen.polygon(((lamp - 7, 26), (lamp + 7, 26), (lamp + 13, 46), (lamp - 13, 46)), fill=(252, 226, 140))
    pen.ellipse((10, 92, 118, 126), fill=shade(draws, (168, 52, 60)))
    pen.ellipse((18, 96, 110, 122), fill=shade(draws, (214, 130, 112)))


def _classroom(pen: ImageDraw.ImageDraw, draws: Draws) -> None:
    pen.rectangle((0, 0, SIDE, 86), fill=shade(draws, (232, 222, 180)))
    pen.rectangle((0, 86, SIDE, SIDE), fill=shade(draws, (192, 150, 100)))
    for y in (98, 112):
        pen.line((0, y, SIDE, y), fill=(166, 124, 78), width=1)
    pen.rectangle((14, 10, 114, 62), fill=shade(draws, (38, 84, 62), 6), outline=(150, 104, 60), width=4)
    for y in (20, 32, 44):
        x = draws.integer(22, 40)
        pen.line((x, y, x + draws.integer(24, 56), y), fill=(226, 236, 228), width=2)


PAINTERS: dict[str, Painter] = {
    "beach": _beach,
    "forest": _forest,
    "street": _street,
    "city": _city,
    "snow": _snow,
    "field": _field,
    "lake": _lake,
    "desert": _desert,
    "mountains": _mountains,
    "playground": _playground,
    "farm": _farm,
    "garden": _garden,
    "kitchen": _kitchen,
    "living room": _living_room,
    "classroom": _classroom,
}


@cache
def _light_table(weather: str) -> list[int]:
    """Return the look-up table (three times 256 values) that casts a weather's light on a place."""
    return [min(255, round(value * share)) for share in _LIGHTS[weather] for value in range(256)]


def background(draws: Draws, place: str, weather: str) -> Image.Image:
    """Return a place in its weather, RGB, 64 by 64 pixels, without objects."""
    ground = Image.new("RGBA", (SIDE, SIDE))
    PAINTERS[place](ImageDraw.Draw(ground), draws)
    if weather not in _SKIES:
        return ground.convert("RGB").reduce(2)
    top, bottom = _SKIES[weather]
    canvas = _gradient(shade(draws, top), shade(draws, bottom), SIDE)
    _sky(ImageDraw.Draw(canvas), draws, weather)
    lit = ground.convert("RGB").point(_light_table(weather))
    canvas.paste(lit, (0, 0), ground.getchannel("A"))
    return canvas.reduce(2)
