"""What a profile's data and weights have still to be fetched, how large that is, and whether it can be had."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests
from huggingface_hub import constants, hf_hub_url, try_to_load_from_cache

from capdec_core import downloads, paths
from capdec_core.encoders.weights import WEIGHTS, pin_of
from capdec_core.pretrained import HUB, NAME, PACKAGED
from capdec_core.profiles import NamedLanguageModelSettings, Profile

PARTS: dict[str, tuple[str, ...]] = {
    "coco": ("coco/captions", "coco/val", "coco/test"),
    "flickr8k": ("flickr8k/captions", "flickr8k/photographs"),
    "flickr30k-to-flickr8k": ("flickr30k/captions", "flickr8k/captions", "flickr8k/photographs"),
}
"""What a corpus is evaluated with, and the captions that it trains on; a corpus that is not named is made here."""
TRAINING_PHOTOGRAPHS: dict[str, tuple[str, ...]] = {"coco": ("coco/train",)}
"""What it takes beside that where training images are read."""
UNKNOWN = 750_000_000
"""Bytes that are taken for a file of weights whose server does not answer: about those of an encoder or a GPT-2."""
PATIENCE = 5
"""Seconds to wait for a server of weights."""


@dataclass(frozen=True)
class Weights:
    """A file on the model hub, and the folder or file that is taken in its place."""

    hub: str
    revision: str
    file: str
    instead: Path

    def here(self) -> bool:
        """Tell whether it is on this machine."""
        cached = try_to_load_from_cache(self.hub, self.file, revision=self.revision)
        return self.instead.exists() or isinstance(cached, str)

    def size(self) -> int | None:
        """Return its bytes as its server states them; None where there is no answer within seconds."""
        if constants.HF_HUB_OFFLINE:
            return None
        address = hf_hub_url(self.hub, self.file, revision=self.revision)
        try:
            answer = requests.head(address, allow_redirects=True, timeout=PATIENCE)
        except requests.RequestException:
            return None
        return int(answer.headers.get("Content-Length", UNKNOWN)) if answer.ok else None


@dataclass(frozen=True)
class Missing:
    """What is to be fetched.

    Attributes:
        parts: of data sets (`capdec_core.downloads`).
        weights: files of the model hub, by "owner/name".
        size: bytes of all of it, photographs' estimated.
        reachable: whether every server of it answers; True where nothing is missing.
    """

    parts: Sequence[str]
    weights: Sequence[str]
    size: int
    reachable: bool

    def __bool__(self) -> bool:
        return bool(self.parts or self.weights)


def parts_of(corpus: str, training_images: bool) -> list[str]:
    """Return the parts of data sets that a corpus is read from."""
    photographs = TRAINING_PHOTOGRAPHS.get(corpus, ()) if training_images else ()
    return [*PARTS.get(corpus, ()), *photographs]


def missing(profile: Profile, training_images: bool) -> Missing:
    """Return what of a profile's data and weights is not here; servers are asked only for what is not."""
    wanted = parts_of(profile.corpus.name, training_images)
    parts = [part for part in downloads.chosen(wanted) if part.found() is None]
    names = [part.name for part in parts]
    weights = [each for each in _weights(profile) if not each.here()]
    with ThreadPoolExecutor() as pool:
        sizes = list(pool.map(Weights.size, weights))
    reachable = None not in sizes and (not names or downloads.reachable(names))
    size = downloads.bytes_missing(names) + sum(size or UNKNOWN for size in sizes)
    return Missing(names, [each.hub for each in weights], size, reachable)


def _weights(profile: Profile) -> Iterator[Weights]:
    """Give the files of the model hub that a profile's encoders, language model and checkpoint are read from."""
    models = Path(paths.MODELS)
    for encoder in filter(None, dict.fromkeys((profile.encoder, profile.prefix_length.encoder))):
        if pin := pin_of(encoder.model, encoder.pretrained):
            yield Weights(pin.hub, pin.revision, WEIGHTS, models / pin.hub)
    model = profile.language_model
    if isinstance(model, NamedLanguageModelSettings) and model.name not in PACKAGED:
        match = NAME.fullmatch(model.name)
        hub, revision = HUB.get(model.name) or (match[1], match[2]) if match else (model.name, None)
        if revision is not None:
            yield Weights(hub, revision, "model.safetensors", models / (match[1] if match else hub))
    if checkpoint := profile.pretrained_capdec:
        local = models / checkpoint.hub / checkpoint.file
        yield Weights(checkpoint.hub, checkpoint.revision, checkpoint.file, local)
