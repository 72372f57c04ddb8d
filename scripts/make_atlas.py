"""Pack the sprites of the generated world into data/scenes/atlas.png and atlas.json.

    python scripts/make_atlas.py [--archives FOLDER]

FOLDER holds the two npm archives named in SOURCES; without it, `npm pack` fetches them. Each archive must
have the checksum below, and files are read from it one by one by name: nothing is unpacked to disk. The
result is the same, byte for byte, every time with one version of Pillow.
"""

import argparse
import base64
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from capdec_core import paths
from capdec_core.corpora.scenes.atlas import STYLES
from capdec_core.corpora.scenes.nouns import NOUNS
from capdec_core.errors import CapdecError
from capdec_core.files import write_atomic, write_json

SIDE = 40  # pixels of a packed sprite
COLUMNS = 13
VERSION = "16.0.0"


@dataclass(frozen=True)
class Source:
    """An npm archive of emoji images: package, SHA-512 (base64, npm's "integrity"), terms of its images."""

    style: str
    sha512: str
    licence: str
    artist: str

    @property
    def package(self) -> str:
        """The npm package's name."""
        return f"emoji-datasource-{self.style}"

    @property
    def archive(self) -> str:
        """The archive's file name, as `npm pack` gives it."""
        return f"{self.package}-{VERSION}.tgz"


SOURCES = (
    Source(
        "google",
        "ZRexfzs7MVoLnmzZmNsO4TKhnAJp5D++Vm6PpUpH/jEQQlemp3l88CjZ+DoZ2faM9R4QxZkOPJCoT8DlPhfQ3A==",
        "Apache-2.0",
        "Noto Emoji, Google",
    ),
    Source(
        "twitter",
        "7F+uCuHH+7Qnrc15P5tnbvKkg9E6tlzi4MnT2uW1RlN4pLYTza6cP/dstIfSDMtpjFLWuZewWg8jBbuL2eyELQ==",
        "CC-BY-4.0",
        "Twemoji, Twitter and other contributors",
    ),
)


def fetch(source: Source, folder: Path) -> Path:
    """Return the archive of `source` in `folder`, fetched by npm if it is not there; checksum verified."""
    path = folder / source.archive
    if not path.exists():
        command = ["npm", "pack", f"{source.package}@{VERSION}", "--ignore-scripts", "--silent"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    found = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if found != source.sha512:
        raise CapdecError(f"{path} has SHA-512 {found}, not {source.sha512}: remove it and fetch it again")
    return path


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    """Return the bytes of one regular file of an archive."""
    try:
        stream = archive.extractfile(name)
    except KeyError:
        stream = None
    if stream is None:
        raise CapdecError(f"{archive.name!r} has no file {name}")
    return stream.read()


def _check_drawn(archive: tarfile.TarFile, source: Source) -> None:
    """Refuse a noun whose image is another set's, put in where this set lacks one."""
    entries = json.loads(_member(archive, "package/emoji.json"))
    drawn = {entry["image"] for entry in _with_variants(entries) if entry.get(f"has_img_{source.style}")}
    missing = [noun.name for noun in NOUNS.values() if f"{noun.emoji}.png" not in drawn]
    if missing:
        raise CapdecError(f"{source.package} has no image of its own for {', '.join(missing)}")


def _with_variants(entries: list[dict]) -> list[dict]:
    return entries + [v for entry in entries for v in entry.get("skin_variations", {}).values()]


def _sprite(png: bytes) -> Image.Image:
    """Return one emoji as an RGBA square of SIDE pixels, moved down to stand on its lower edge.

    Clear pixels are black, for compression.
    """
    image = Image.open(io.BytesIO(png)).convert("RGBA").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = np.array(image)
    pixels[pixels[..., 3] == 0] = 0
    rows = np.flatnonzero(pixels[..., 3].any(axis=1))
    return Image.fromarray(np.roll(pixels, SIDE - 1 - rows[-1], axis=0))


def read_sprites(source: Source, path: Path) -> dict[str, Image.Image]:
    """Return the sprite of every noun, drawn in the style of `source`."""
    with tarfile.open(path, "r:gz") as archive:
        _check_drawn(archive, source)
        folder = f"package/img/{source.style}/64"
        wanted = {f"{folder}/{noun.emoji}.png": noun.name for noun in NOUNS.values()}
        found = {wanted[m.name]: _member(archive, m.name) for m in archive if m.name in wanted and m.isfile()}
    return {noun: _sprite(found[noun]) for noun in NOUNS}


def pack(sprites: dict[str, dict[str, Image.Image]]) -> tuple[Image.Image, list[dict]]:
    """Lay the sprites (by style, then noun) on one image; return it with the place of each."""
    cells = [(style, noun) for style in STYLES for noun in NOUNS]
    rows = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGBA", (COLUMNS * SIDE, rows * SIDE))
    table = []
    for cell, (style, noun) in enumerate(cells):
        x, y = cell % COLUMNS * SIDE, cell // COLUMNS * SIDE
        sheet.paste(sprites[style][noun], (x, y))
        family = NOUNS[noun].family
        table.append(
            {"noun": noun, "family": family, "style": style, "emoji": NOUNS[noun].emoji, "x": x, "y": y}
        )
    return sheet, table


def main() -> None:
    """Fetch, pack, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archives", type=Path, help="folder with the npm archives (default: fetch them)")
    folder = parser.parse_args().archives
    with tempfile.TemporaryDirectory() as temporary:
        sprites = {s.style: read_sprites(s, fetch(s, folder or Path(temporary))) for s in SOURCES}
    sheet, table = pack(sprites)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    origin = [
        {
            "style": s.style,
            "package": f"{s.package}@{VERSION}",
            "sha512": s.sha512,
            "licence": s.licence,
            "artist": s.artist,
        }
        for s in SOURCES
    ]
    write_atomic(paths.ATLAS / "atlas.png", buffer.getvalue())
    write_json(paths.ATLAS / "atlas.json", {"side": SIDE, "sources": origin, "sprites": table})
    print(f"{len(table)} sprites, {len(buffer.getvalue())} bytes in {paths.ATLAS}")


if __name__ == "__main__":
    main()
