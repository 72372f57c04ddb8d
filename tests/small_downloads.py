"""The servers of the real data in miniature: made-up captions in Karpathy's layout, pictures of noise."""

import hashlib
import io
import json
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import small_flickr
from loopback import Loopback

from capdec_core import downloads, paths
from capdec_core.downloads import karpathy, registry, transport
from capdec_core.downloads.transport import Remote
from capdec_core.files import digest

COCO = {
    "COCO_train2014_000000000001.jpg": "train",
    "COCO_val2014_000000000002.jpg": "restval",
    "COCO_val2014_000000000003.jpg": "val",
    "COCO_val2014_000000000004.jpg": "val",
    "COCO_val2014_000000000005.jpg": "test",
}
"""File name to Karpathy's split."""

FLICKR30K = {
    "9000.jpg": "train",
    "1500.jpg": "train",
    "61209225.jpg": "train",
    "9001.jpg": "val",
    "9002.jpg": "test",
}
"""1500 is the number of a photograph in Flickr8k's splits, 61209225 of one in its archive alone."""

ZIP = "/cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"
FLICKR8K_ZIP = "/github.com/jbrownlee/Datasets/releases/download/Flickr8k/Flickr8k_Dataset.zip"


def sentences(name: str) -> list[str]:
    """Two sentences that tell their image."""
    return [f"The image {name} .", f"Again {name} ."]


def told(images: dict[str, str]) -> bytes:
    """A file of captions in Karpathy's layout."""
    rows = [
        {"filename": name, "split": split, "sentences": [{"raw": text} for text in sentences(name)]}
        for name, split in images.items()
    ]
    return json.dumps({"images": rows}).encode()


def members(place: Path) -> dict[str, bytes]:
    """The three files of Karpathy's archive."""
    flickr8k = small_flickr.write_karpathy(place).read_bytes()
    return {
        "dataset_coco.json": told(COCO),
        "dataset_flickr8k.json": flickr8k,
        "dataset_flickr30k.json": told(FLICKR30K),
    }


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive of some files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def photograph_path(name: str) -> str:
    """Where a server has a photograph of COCO."""
    return f"/images.cocodataset.org/{name.split('_')[1]}/{name}"


def serve_archive(site: Loopback, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server have an archive of captions, and the registry its size and checksum."""
    site.files[ZIP] = zipped(files)
    remote = on_record(karpathy.ARCHIVE.url, site.files[ZIP], "sha256")
    monkeypatch.setattr(karpathy, "ARCHIVE", remote)


def on_record(url: str, data: bytes, algorithm: str) -> Remote:
    """What a registry says of a file."""
    return Remote(url, len(data), f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")


def serve(site: Loopback, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server have everything in miniature, with a registry to match and data in `folder`/data."""
    monkeypatch.setattr(transport, "BACKOFF", 0)
    monkeypatch.setattr(transport, "_own", threading.local())
    monkeypatch.setattr(paths, "REAL_DATA", [folder / "data", folder / "elsewhere"])
    monkeypatch.setenv("CAPDEC_MIRROR", site.address)
    serve_archive(site, members(folder / "source"), monkeypatch)
    site.files |= {photograph_path(name): small_flickr.jpeg(seed) for seed, name in enumerate(COCO)}
    site.files[FLICKR8K_ZIP] = small_flickr.write_archive(folder / "source").read_bytes()
    released = replace(
        downloads.PARTS["flickr8k/photographs"],
        remote=on_record(registry.FLICKR8K_ZIP.url, site.files[FLICKR8K_ZIP], "md5"),
        count=len(small_flickr.names()) + 1,
    )
    monkeypatch.setitem(downloads.PARTS, "flickr8k/photographs", released)
    monkeypatch.setattr(registry, "COCO_COUNTS", {"train": (2, 4), "val": (2, 4), "test": (1, 2)})
    names = {"val": [], "test": []}
    for name, split in COCO.items():
        names.get(split, []).append(name)
    monkeypatch.setattr(registry, "COCO_NAMES", {split: digest(own) for split, own in names.items()})
    counts = {split: (size, 5 * size) for split, size in small_flickr.SIZES.items()}
    monkeypatch.setattr(registry, "FLICKR8K_COUNTS", counts)
    monkeypatch.setattr(registry, "FLICKR30K_COUNTS", {"train": 1, "val": 1, "test": 1})
