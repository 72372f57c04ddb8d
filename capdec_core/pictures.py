"""Any picture as upright RGB: the one place where files of photographs are opened, the corpora's and readers' own."""

from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from capdec_core.errors import CapdecError

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")
"""What is opened. Pillow knows more formats; some of them run another program or hold no picture of their own."""
MOST_PIXELS = 80_000_000
"""A larger picture is refused before it is decoded: at four bytes a pixel it takes a third of a gigabyte."""
_TOO_LARGE = f"more than {MOST_PIXELS // 1_000_000} million pixels"


def upright_rgb(stream: BinaryIO, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Return a picture as a viewer shows it, in RGB with 8 bits.

    It is turned as its EXIF data say; of an animation it is the first frame; what is transparent stands on white;
    16-bit greys are brought to 8 bits, not clipped as Pillow does. Embedded colour profiles are not applied.

    Args:
        stream: the file, which can seek.
        formats: the formats that are accepted, names of Pillow.

    Raises:
        CapdecError: the reason alone, for the caller knows the picture's name: it is empty, damaged, of another
            format, has more than `MOST_PIXELS` pixels, or 32 bits a pixel and no known white.
    """
    try:
        with Image.open(stream, formats=formats) as stored:
            if stored.width * stored.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            return _rgb(ImageOps.exif_transpose(stored))
    except UnidentifiedImageError:
        raise CapdecError(f"cannot be read as one of these formats: {', '.join(formats)}") from None
    except Image.DecompressionBombError:
        raise CapdecError(_TOO_LARGE) from None
    except CapdecError:
        raise
    except Exception as error:  # a damaged file makes Pillow's readers fail in any way
        raise CapdecError(f"damaged: {error or type(error).__name__}") from None


def _rgb(image: Image.Image) -> Image.Image:
    """Return a picture of any mode in RGB; CapdecError where it is not known which value is white."""
    if image.mode in ("I", "F"):
        raise CapdecError("32 bits a pixel: it is not known which value is white")
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def square(image: Image.Image, side: int) -> np.ndarray:
    """Return an RGB picture whole as uint8 (side, side, 3): the aspect ratio is given up, nothing is cut off."""
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image)
