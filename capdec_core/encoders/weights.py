"""Where an open_clip model's weights lie: a local folder, or the hub at a pinned revision.

What has a pin is looked for

1. in the folder that CAPDEC_MODELS names (data/models without it), under its hub id: .../timm/resnet50x4_clip.openai;
2. in the hub's cache and on the hub, at its revision. HF_ENDPOINT names a mirror.

open_clip itself asks for the latest revision and looks at no checksum of what comes from the hub.
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from capdec_core import paths
from capdec_core.errors import CapdecError
from capdec_core.files import digest, file_digest
from capdec_core.quiet import UNREADABLE

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
"""What such a folder holds; architecture, preprocessing and the kind of GELU stand in the first."""
_HUB = re.compile(r"hf-hub:([\w-][\w.-]*/[\w-][\w.-]*)@([0-9a-f]{40})")


@dataclass(frozen=True)
class Pin:
    """A hub id, its revision, and the SHA-256 of its weights where that is known in advance."""

    hub: str
    revision: str
    sha256: str | None = None


PINS = {
    ("RN50x4", "openai"): Pin(
        "timm/resnet50x4_clip.openai",
        "89dd952669c168aa2ea94db6fdf2827927a6945e",
        "fcd5a494550d0951f314a9d74225887e727ddc20c28c78962b58464705bfb465",
    ),
    ("ViT-B-32", "openai"): Pin(
        "timm/vit_base_patch32_clip_224.openai",
        "a6f597a30f7b82c51704746581f9a4e41421e878",
        "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",
    ),
}
"""The encoders of CapDec and of ClipCap, by open_clip's name and tag."""


def pin_of(model: str, pretrained: str | None) -> Pin | None:
    """Return the pin of a model: of those in `PINS`, and of "hf-hub:owner/name@revision" (40 hex digits)."""
    if match := _HUB.fullmatch(model):
        return Pin(match[1], match[2])
    return PINS.get((model, pretrained or ""))


def find_weights(pin: Pin) -> Path:
    """Return the folder of what is pinned, after fetching it where that is needed.

    Raises:
        CapdecError: it is not to be had, or its weights are others.
    """
    local = Path(paths.MODELS) / pin.hub
    folder = local if local.is_dir() else _from_hub(pin, local)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise CapdecError(f"{folder} is no open_clip model: it has no {name}")
    if pin.sha256 not in (None, found := weights_digest(folder)):
        raise CapdecError(
            f"{folder / WEIGHTS} does not hold the weights of {pin.hub} that are asked for: its SHA-256 is {found}, "
            f"not {pin.sha256}. Delete it to have it fetched anew."
        )
    return folder


def weights_digest(folder: Path) -> str:
    """Return the SHA-256 of a folder's weights; they are read once a process, and again when they change."""
    path = folder / WEIGHTS
    return _hash(path, path.stat().st_mtime_ns)


def fingerprint(folder: Path) -> str:
    """Return the hash of what decides a folder's embeddings: its configuration and weights."""
    return digest({CONFIG: file_digest(folder / CONFIG), WEIGHTS: weights_digest(folder)})[:16]


@functools.cache
def _hash(path: Path, _changed: int) -> str:
    return file_digest(path)


def _from_hub(pin: Pin, local: Path) -> Path:
    """Return the hub's folder in its cache; a revision that is there in full is not asked for again."""

    def snapshot(**options: Any) -> Path:
        files = [CONFIG, WEIGHTS]
        return Path(snapshot_download(pin.hub, revision=pin.revision, allow_patterns=files, **options))

    try:
        cached = snapshot(local_files_only=True)
        if all((cached / name).is_file() for name in (CONFIG, WEIGHTS)):
            return cached
    except UNREADABLE:
        pass
    try:
        return snapshot()
    except UNREADABLE as error:
        raise CapdecError(
            f"the encoder {pin.hub} is neither in {local} (CAPDEC_MODELS names the folder above {pin.hub}) nor to be "
            f"had from the hub at revision {pin.revision} (HF_ENDPOINT names a mirror): {error}"
        ) from None
