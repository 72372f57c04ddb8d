"""What the encoding part encodes: captions of the generated world, its scenes as photographs in a zip archive."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

from capdec_core.corpora import Split
from capdec_core.corpora.photographs import Photographs
from capdec_core.corpora.scenes import Scenes
from capdec_core.encoders import load_encoder
from capdec_core.encoders.open_clip import OpenClipEncoder

PHOTOGRAPH = (500, 375)
"""Width and height of a Flickr8k photograph, in pixels."""
FOLDER = "photographs"


class MadeCorpus:
    """Distinct captions, and photographs with an archive of their own, both in one split whatever its name.

    Args:
        captions, images: how many there are.
        folder: where the archive is written.
    """

    name = "made"
    objects_mentioned = None

    def __init__(self, captions: int, images: int, folder: Path) -> None:
        scenes = Scenes(0, {"train": max(images, captions)}).split("train")
        self.archive = folder / "photographs.zip"
        self.names = [f"{index}.jpg" for index in range(images)]
        self.texts = list(dict.fromkeys(text for group in scenes.captions for text in group))[:captions]
        self.fingerprint = f"{captions} captions, {images} images"
        _write_photographs(self.archive, self.names, scenes.render(range(images)))
        self.photographs = Photographs(self.archive, FOLDER, self.names, "It is made for a measurement.")

    def split(self, name: str) -> Split:
        """Return the split; its first image has all captions, which matters to nobody here."""
        captions = [self.texts, *([] for _ in self.names[1:])]
        return Split(name, self.names, captions, None, self._render)

    def _render(self, indices: Sequence[int]) -> np.ndarray:
        return self.photographs.images([self.names[index] for index in indices])


def _write_photographs(path: Path, names: Sequence[str], scenes: np.ndarray) -> None:
    """Write scenes, scaled up, as JPEG files into an uncompressed archive."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, scene in zip(names, scenes, strict=True):
            stream = io.BytesIO()
            Image.fromarray(scene).resize(PHOTOGRAPH, Image.Resampling.BICUBIC).save(
                stream, "JPEG", quality=90
            )
            archive.writestr(f"{FOLDER}/{name}", stream.getvalue())


def random_encoder(architecture: str, folder: Path, device: str) -> OpenClipEncoder:
    """Return an open_clip model with random weights, which are written to `folder`: speed does not depend on them."""
    torch.manual_seed(0)
    path = folder / f"{architecture}.safetensors"
    save_file(open_clip.create_model(architecture).state_dict(), path)
    return OpenClipEncoder(architecture, str(path), device)


def miniature(device: str) -> OpenClipEncoder:
    """Return the miniature on `device`."""
    encoder = load_encoder("miniature", device=device)
    assert isinstance(encoder, OpenClipEncoder)
    return encoder
