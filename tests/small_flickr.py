"""Made-up data in the official layout of Flickr8k and Flickr30k: pictures of noise, sentences of no data set."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = {"train": 3, "val": 2, "test": 2}
LISTS = {"train": "train", "val": "dev", "test": "test"}


def name_of(split: str, index: int) -> str:
    """The file name of a photograph, as Flickr has them."""
    return f"{1000 + len(split) * 100 + index}_0a{index}.jpg"


def captions_of(split: str, index: int) -> list[str]:
    """Five sentences that tell their photograph."""
    return [f"A {split} picture , number {index} , told {time} times ." for time in range(5)]


def jpeg(seed: int, size: tuple[int, int] = (40, 30)) -> bytes:
    """A smooth random picture of (width, height) pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def names() -> list[str]:
    """Every photograph's name."""
    return [name_of(split, index) for split, size in SIZES.items() for index in range(size)]


def write_archive(place: Path, extra: dict[str, bytes] | None = None) -> Path:
    """Write the archive of photographs, with the clutter that the official one has."""
    path = place / "flickr8k" / "Flickr8k_Dataset.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("Flicker8k_Dataset")
        for seed, name in enumerate(names()):
            archive.writestr(f"Flicker8k_Dataset/{name}", jpeg(seed))
        archive.writestr("Flicker8k_Dataset/not_in_any_split.jpg", jpeg(99))
        archive.writestr("__MACOSX/._Flicker8k_Dataset", b"clutter")
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return path


def write_folder(place: Path) -> Path:
    """Write the photographs as the archive extracts them."""
    folder = place / "flickr8k" / "Flicker8k_Dataset"
    folder.mkdir(parents=True)
    for seed, name in enumerate(names()):
        (folder / name).write_bytes(jpeg(seed))
    return folder


def write_karpathy(place: Path) -> Path:
    """Write `dataset_flickr8k.json`."""
    images = [
        {
            "filename": name_of(split, index),
            "split": split,
            "sentences": [
                {"raw": text, "tokens": text.lower().split()} for text in captions_of(split, index)
            ],
        }
        for split, size in SIZES.items()
        for index in range(size)
    ]
    path = place / "flickr8k" / "dataset_flickr8k.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"dataset": "flickr8k", "images": images}))
    return path


def write_text(place: Path) -> Path:
    """Write the official text folder."""
    folder = place / "flickr8k" / "Flickr8k_text"
    folder.mkdir(parents=True)
    tokens = [
        f"{name_of(split, index)}#{number}\t{caption}\n"
        for split, size in SIZES.items()
        for index in range(size)
        for number, caption in enumerate(captions_of(split, index))
    ]
    (folder / "Flickr8k.token.txt").write_text("".join(sorted(tokens)))
    for split, size in SIZES.items():
        lines = [name_of(split, index) + "\n" for index in range(size)]
        (folder / f"Flickr_8k.{LISTS[split]}Images.txt").write_text("".join(lines))
    return folder


def write_flickr30k(place: Path) -> Path:
    """Write the captions of Flickr30k: four images a split, every other one a photograph that Flickr8k has."""
    path = place / "flickr30k" / "captions.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "filename": f"{split}{index}.jpg",
            "split": split,
            "in_flickr8k": index % 2 == 1,
            "captions": [f"Someone in {split} does thing {index} .", f"A person , {index} ."],
        }
        for split in SIZES
        for index in range(4)
    ]
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path
