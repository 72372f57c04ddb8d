"""Pictures of every kind become what a viewer shows, in RGB, or are refused with the reason."""

import contextlib
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from capdec_core import pictures as module
from capdec_core.errors import CapdecError
from capdec_core.pictures import FORMATS, square, upright_rgb

RED, WHITE = (255, 0, 0), (255, 255, 255)
LOSSLESS = {"BMP": {}, "GIF": {}, "PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}, "JPEG2000": {}}


def stored(image: Image.Image, kind: str, **options: object) -> io.BytesIO:
    """A picture as a file of some format."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream


def seen(image: Image.Image, kind: str = "PNG", **options: object) -> np.ndarray:
    """What is made of a picture that is stored in a format: (height, width, 3)."""
    return np.asarray(upright_rgb(stored(image, kind, **options)))


def quarters(size: tuple[int, int] = (32, 24)) -> Image.Image:
    """A picture whose four quarters have colours of their own, so that any turn shows."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    rows, columns = size[1] // 2, size[0] // 2
    pixels[:rows, :columns], pixels[:rows, columns:] = RED, (0, 255, 0)
    pixels[rows:, :columns], pixels[rows:, columns:] = (0, 0, 255), (255, 255, 0)
    return Image.fromarray(pixels)


def png_header(width: int, height: int, depth: int = 8, kind: int = 2) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def png_of(header: bytes, rows: bytes) -> io.BytesIO:
    body = b"IDAT" + zlib.compress(rows)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return io.BytesIO(header + chunk + b"\0\0\0\0IEND\xaeB`\x82")


# ---- what is handled


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_plain_picture_is_what_it_was(kind: str) -> None:
    assert np.array_equal(seen(quarters(), kind, **LOSSLESS[kind]), np.asarray(quarters()))


@pytest.mark.parametrize("kind", ["AVIF", "JPEG"])
def test_a_lossy_picture_is_near_what_it_was(kind: str) -> None:
    found = seen(quarters(), kind, quality=95).astype(int)
    assert np.abs(found - np.asarray(quarters())).mean() < 8


def test_every_format_is_tried() -> None:
    assert set(FORMATS) == {*LOSSLESS, "AVIF", "JPEG"}


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *[("L", "PNG"), ("LA", "PNG"), ("1", "PNG"), ("P", "PNG"), ("P", "GIF"), ("P", "TIFF")],
        *[("RGBA", "PNG"), ("RGBA", "TIFF"), ("CMYK", "TIFF"), ("CMYK", "JPEG"), ("YCbCr", "JPEG")],
    ],
)
def test_a_picture_of_any_mode(mode: str, kind: str) -> None:
    """Grey, palette, CMYK and so on: the colour that was put in, as far as the mode has it."""
    found = seen(Image.new("RGB", (16, 16), RED).convert(mode, dither=Image.Dither.NONE), kind)
    luma = round(0.299 * RED[0])  # ITU-R BT.601
    expected = {"L": [luma] * 3, "LA": [luma] * 3, "1": [0, 0, 0]}.get(mode, RED)
    assert np.abs(found.astype(int) - expected).max() <= 3


def test_a_picture_in_lab() -> None:
    assert seen(Image.new("LAB", (8, 8), (255, 128, 128)), "TIFF").min() >= 250


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000"])
def test_sixteen_bit_greys_keep_their_range(kind: str) -> None:
    """Value v of 65535 becomes v / 257 of 255; a plain conversion would clip nearly all of them to white."""
    grey = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    found = seen(Image.fromarray(grey), kind)
    assert np.array_equal(found, np.repeat(np.arange(256).reshape(16, 16, 1), 3, axis=2))


def test_big_endian_sixteen_bits() -> None:
    data = np.full((4, 4), 0x8080, ">u2")
    image = Image.frombytes("I;16B", (4, 4), data.tobytes())
    assert np.unique(seen(image, "TIFF")).tolist() == [128]


def test_sixteen_bit_colours() -> None:
    rows = b"".join(b"\0" + struct.pack(">HHH", 0xFFFF, 0x8080, 0) * 4 for _ in range(3))
    found = np.asarray(upright_rgb(png_of(png_header(4, 3, depth=16), rows)))
    assert found.shape == (3, 4, 3)
    assert found.reshape(-1, 3).tolist() == [[255, 128, 0]] * 12


@pytest.mark.parametrize("alpha", [0, 51, 255])
def test_what_is_transparent_stands_on_white(alpha: int) -> None:
    """Alpha compositing over white: c alpha + 255 (1 - alpha)."""
    expected = [round(c * alpha / 255 + 255 * (1 - alpha / 255)) for c in RED]
    for kind in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        found = seen(Image.new("RGBA", (8, 8), (*RED, alpha)), kind, **options)
        assert np.abs(found.astype(int) - expected).max() <= 1


def test_transparency_of_palettes_greys_and_single_colours() -> None:
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, *RED])
    assert np.unique(seen(palette, "PNG", transparency=1)).tolist() == [255]
    assert np.unique(seen(palette, "GIF", transparency=1)).tolist() == [255]
    assert np.unique(seen(Image.new("LA", (8, 8), (0, 0)))).tolist() == [255]
    assert np.unique(seen(Image.new("RGB", (8, 8), RED), transparency=RED)).tolist() == [255]


# Where a picture's rows and columns go when it is stored under each orientation (EXIF 2.3, tag 0x0112).
STORED_AS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x.swapaxes(0, 1)[::-1],
    7: lambda x: x.swapaxes(0, 1)[::-1, ::-1],
    8: lambda x: x.swapaxes(0, 1)[:, ::-1],
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", STORED_AS)
def test_a_turned_picture_stands_upright(orientation: int, kind: str) -> None:
    upright = np.asarray(quarters())
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = Image.fromarray(np.ascontiguousarray(STORED_AS[orientation](upright)))
    assert np.array_equal(seen(turned, kind, exif=exif.tobytes(), **LOSSLESS[kind]), upright)


def test_a_turned_sixteen_bit_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    grey = np.array([[0, 257 * 100], [257 * 200, 65535]], np.uint16)
    found = seen(Image.fromarray(grey), "PNG", exif=exif.tobytes())
    assert found[:, :, 0].tolist() == [[200, 0], [255, 100]]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"])
def test_a_picture_with_damaged_exif_data_is_read_as_it_is_stored(exif: bytes) -> None:
    assert seen(quarters(), "JPEG", exif=exif).shape == (24, 32, 3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_read(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, (0, 255, 0), (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    found = seen(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert found.reshape(-1, 3).tolist() == [list(RED)] * 64


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (16, 16), (40, 30)])
def test_a_square_holds_the_whole_picture(size: tuple[int, int]) -> None:
    found = square(Image.new("RGB", size, RED), 16)
    assert found.shape == (16, 16, 3)
    assert np.unique(found.reshape(-1, 3), axis=0).tolist() == [list(RED)]
    corners = square(quarters(), 16)[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.abs(corners.astype(int) - np.asarray(quarters())[[0, 0, -1, -1], [0, -1, 0, -1]]).max() < 10


# ---- what is refused


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture at all",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"P6 1 1 255\n\0\0\0",
    ],
    ids=["empty", "text", "svg", "pdf", "eps", "heic", "ppm"],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(CapdecError, match="cannot be read as one of these formats: AVIF, BMP, GIF, JPEG"):
        upright_rgb(io.BytesIO(data))


def test_other_formats_than_those_asked_for_are_refused() -> None:
    with pytest.raises(CapdecError, match=r"cannot be read as one of these formats: JPEG$"):
        upright_rgb(stored(quarters(), "PNG"), formats=("JPEG",))


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize("side", [8945, 9500, 20_000, 2**31 - 1])
def test_a_huge_picture_is_refused_before_it_is_decoded(side: int) -> None:
    """There are no pixels behind the header, so that decoding would fail in another way."""
    with pytest.raises(CapdecError, match=r"^more than 80 million pixels$"):
        upright_rgb(png_of(png_header(side, side), b""))


def test_the_most_pixels_are_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PIXELS", 32 * 24)
    assert seen(quarters()).shape == (24, 32, 3)
    monkeypatch.setattr(module, "MOST_PIXELS", 32 * 24 - 1)
    with pytest.raises(CapdecError, match="million pixels"):
        seen(quarters())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = stored(Image.fromarray(noise), kind).getvalue()
    with pytest.raises(CapdecError, match=r"damaged: |cannot be read"):
        upright_rgb(io.BytesIO(data[: len(data) // 2]))


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_a_picture_whose_white_is_not_known_is_refused(dtype: type) -> None:
    with pytest.raises(CapdecError, match="32 bits a pixel: it is not known which value is white"):
        seen(Image.fromarray(np.ones((4, 4), dtype)), "TIFF")


SOUND = [stored(quarters(), kind).getvalue() for kind in FORMATS]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SOUND), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6)
)
def test_damage_of_any_kind_gives_a_picture_or_a_reason(data: bytes, damage: list[tuple[float, int]]) -> None:
    spoilt = bytearray(data)
    for place, value in damage:
        spoilt[int(place * (len(spoilt) - 1))] = value
    with contextlib.suppress(CapdecError):
        assert upright_rgb(io.BytesIO(bytes(spoilt))).mode == "RGB"
