"""From a scene to its image: background, shadows, sprites, rain."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from capdec_core.corpora.scenes.atlas import STYLES, sprite
from capdec_core.corpora.scenes.backgrounds import background
from capdec_core.corpora.scenes.draws import Draws
from capdec_core.corpora.scenes.layout import SIDE, Spot, place_objects
from capdec_core.corpora.scenes.nouns import NOUNS
from capdec_core.corpora.scenes.world import TINTS, Scene


@cache
def _shadow(width: int) -> Image.Image:
    """Return the mask of a soft shadow, `width` pixels wide."""
    mask = Image.new("L", (width * 2, 8))
    ImageDraw.Draw(mask).ellipse((0, 0, width * 2 - 1, 7), fill=80)
    return mask.reduce(2)


def _paste(canvas: Image.Image, draws: Draws, spot: Spot, style: str) -> None:
    """Draw one object, and its shadow if it stands on something."""
    left = spot.x - spot.side // 2
    if not spot.airborne:
        mask = _shadow(spot.side)
        canvas.paste((0, 0, 0), (left, spot.y - 3), mask)
    colour = spot.colour or (draws.pick(TINTS) if "tinted" in NOUNS[spot.noun].traits else None)
    picture = sprite(spot.noun, style, colour, spot.side, draws.chance(0.5))
    canvas.paste(picture, (left, spot.y - spot.side), picture)


def _rain(canvas: Image.Image, draws: Draws) -> None:
    pen = ImageDraw.Draw(canvas)
    for _ in range(26):
        x, y = draws.integer(0, SIDE + 4), draws.integer(-4, SIDE)
        pen.line((x, y, x - 2, y + 5), fill=(196, 208, 226))


def render_scene(draws: Draws, scene: Scene) -> np.ndarray:
    """Return the image of a scene, uint8 (64, 64, 3); `draws` decides style, places, colours and flips."""
    canvas = background(draws, scene.place, scene.weather)
    style = draws.pick(STYLES)
    for spot in place_objects(draws, scene):
        _paste(canvas, draws, spot, style)
    if scene.weather == "rain":
        _rain(canvas, draws)
    return np.asarray(canvas)


def render_all(seed: int, split: str, scenes: list[tuple[int, Scene]]) -> np.ndarray:
    """Return the images of (index, scene) pairs, uint8 (n, 64, 64, 3), each a function of its index alone."""
    images = np.empty((len(scenes), SIDE, SIDE, 3), np.uint8)
    for row, (index, scene) in enumerate(scenes):
        images[row] = render_scene(Draws(f"{seed}/{split}/{index}/image"), scene)
    return images
