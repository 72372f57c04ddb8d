"""The sprites of the world, read from the committed atlas."""

import colorsys
import io
from functools import cache

import numpy as np
from PIL import Image

from capdec_core import paths
from capdec_core.corpora.scenes.nouns import NOUNS
from capdec_core.errors import CapdecError
from capdec_core.files import file_digest, read_json

STYLES = ("google", "twitter")
_PICTURE, _TABLE = "atlas.png", "atlas.json"
_MOST_PIXELS = 4_000_000
_TINTS = {  # hue, least saturation, most saturation; value is kept
    "red": (0.0, 0.75, 1.0),
    "yellow": (0.14, 0.75, 1.0),
    "green": (0.33, 0.6, 0.85),
    "blue": (0.59, 0.65, 0.95),
    "purple": (0.76, 0.5, 0.7),
    "pink": (0.91, 0.3, 0.5),
}


def atlas_digest() -> str:
    """Return the hex SHA-256 of the atlas's picture and table, one after the other."""
    _check_present()
    return file_digest(paths.ATLAS / _PICTURE) + file_digest(paths.ATLAS / _TABLE)


def _check_present() -> None:
    for name in (_PICTURE, _TABLE):
        if not (paths.ATLAS / name).is_file():
            raise CapdecError(f"no {name} in {paths.ATLAS}: run python scripts/make_atlas.py")


def _open_picture() -> Image.Image:
    try:
        picture = Image.open(io.BytesIO((paths.ATLAS / _PICTURE).read_bytes()), formats=("PNG",))
        if picture.width * picture.height > _MOST_PIXELS:
            raise CapdecError(
                f"{paths.ATLAS / _PICTURE} has {picture.size} pixels: not an atlas of this project"
            )
        return picture.convert("RGBA")
    except OSError as error:
        raise CapdecError(f"{paths.ATLAS / _PICTURE} is not a picture: {error}") from None


@cache
def _sprites() -> dict[tuple[str, str], Image.Image]:
    """Return every sprite by (noun, style); a noun that the atlas lacks raises CapdecError."""
    _check_present()
    table, picture = read_json(paths.ATLAS / _TABLE), _open_picture()
    try:
        side = table["side"]
        boxes = {(row["noun"], row["style"]): (row["x"], row["y"]) for row in table["sprites"]}
    except (KeyError, TypeError) as error:
        raise CapdecError(f"{paths.ATLAS / _TABLE} is not an atlas table: {error!r}") from None
    missing = [f"{noun} ({style})" for noun in NOUNS for style in STYLES if (noun, style) not in boxes]
    if missing:
        raise CapdecError(f"the atlas lacks {', '.join(missing)}: run python scripts/make_atlas.py")
    return {key: picture.crop((x, y, x + side, y + side)) for key, (x, y) in boxes.items()}


def _tint(sprite: Image.Image, colour: str) -> Image.Image:
    """Return the sprite with its vivid pixels moved to the hue of `colour`; greys stay as they are."""
    pixels = np.array(sprite).astype(np.float64)
    rgb = pixels[..., :3] / 255
    value, low = rgb.max(-1), rgb.min(-1)
    saturation = np.where(value > 0, (value - low) / np.maximum(value, 1e-9), 0)
    hue, least, most = _TINTS[colour]
    lifted = np.clip(saturation, least, most)[..., None]
    pure = np.array(colorsys.hsv_to_rgb(hue, 1, 1))
    bright = (0.35 + 0.65 * value)[..., None]
    tinted = bright * (1 - lifted * (1 - pure))
    mask = (saturation > 0.35)[..., None]
    pixels[..., :3] = np.where(mask, tinted, rgb) * 255
    return Image.fromarray(pixels.round().astype(np.uint8))


@cache
def _coloured(noun: str, style: str, colour: str | None) -> Image.Image:
    sprite = _sprites()[noun, style]
    return _tint(sprite, colour) if colour else sprite


@cache
def sprite(noun: str, style: str, colour: str | None, side: int, flipped: bool) -> Image.Image:
    """Return a noun's sprite, RGBA, `side` pixels square; made once and shared, so not to be written to."""
    image = _coloured(noun, style, colour).resize((side, side), Image.Resampling.LANCZOS)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flipped else image
