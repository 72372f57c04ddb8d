"""Any open_clip model as an encoder: by name and tag, by hub id and revision, by weights file, or from a folder."""

from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors import SafetensorError
from torchvision.transforms import Compose

from capdec_core.device import autocast
from capdec_core.encoders.prefetch import prefetched
from capdec_core.encoders.text_tower import CausalTextTower, causal_text_tower
from capdec_core.encoders.weights import find_weights, fingerprint, pin_of
from capdec_core.errors import CapdecError
from capdec_core.files import digest, file_digest
from capdec_core.resume import tensor_digest

IMAGE_BATCH = {"cpu": 32, "cuda": 128}
TEXT_BATCH = {"cpu": 64, "cuda": 1024}
"""By type of device: a processor is fastest where a batch stays in its cache, a GPU where it is filled."""
UNREADABLE = (
    AssertionError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    UnpicklingError,
    ValueError,
)
"""What open_clip raises for a model that is unknown or a file that is missing, damaged or foreign."""


class OpenClipEncoder:
    """A frozen open_clip model that answers the `Encoder` protocol.

    Images are prepared as the model's own evaluation transform does it (resize, centre crop, normalise);
    images that already have the model's size go through the same normalisation in one batch. On a GPU that has
    bfloat16 the model computes in it, under autocast; embeddings are float32 everywhere. The fingerprint is that of
    the weights: like a cell, an embedding is named by what it is made of and not by the device that computed it.

    Raises:
        CapdecError: the model or its weights cannot be loaded; the message carries open_clip's reason.
    """

    def __init__(
        self, model: str, pretrained: str | None = None, device: str = "cpu", name: str | None = None
    ):
        self.device = torch.device(device)
        pin = pin_of(model, pretrained)
        folder = find_weights(pin) if pin else None
        where, tag = (f"local-dir:{folder}", None) if folder else (model, pretrained)
        self.model: Any
        self.transform: Any
        self.model, self.transform = _load(where, tag, self.device)
        self._fitting = Compose(self.transform.transforms[:-2])  # the last two make a tensor and normalise it
        self.text_tower = causal_text_tower(self.model)
        self.tokenizer = _load_tokenizer(where)
        self.name = name or (f"{model} ({pretrained})" if pretrained else model)
        self.fingerprint = fingerprint(folder) if folder else _fingerprint(model, pretrained, self.model)
        self.dim = int(self.encode_texts(["a"]).shape[1])

    @torch.inference_mode()
    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """Embed uint8 RGB images (n, height, width, 3) as float32 (n, dim), at their raw norm."""
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise ValueError(f"images must be uint8 (n, height, width, 3), not {images.dtype} {images.shape}")
        step = IMAGE_BATCH[self.device.type]
        batches = [images[i : i + step] for i in range(0, len(images), step)]
        fitting = batches if self._fit(images) else prefetched(self.fitted, batches)
        with autocast(self.device):
            rows = [self.model.encode_image(self._normalised(batch)) for batch in fitting]
        return torch.cat(rows).float().cpu().numpy()

    def fitted(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Return images of any size as the model's own transform resizes and crops them, uint8 (n, side, side, 3)."""
        return np.stack([np.asarray(self._fitting(Image.fromarray(image))) for image in images])

    @torch.inference_mode()
    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """Embed sentences as float32 (n, dim), at their raw norm; batches are of similar length."""
        tokens, tower = self.tokenizer(texts), self.text_tower
        with autocast(self.device):
            rows = self._by_length(tokens, tower) if tower else self._whole(tokens)
        return rows.float().cpu().numpy()

    def _whole(self, tokens: torch.Tensor) -> torch.Tensor:
        """Embed token ids (n, context), padding included."""
        parts = tokens.split(TEXT_BATCH[self.device.type])
        return torch.cat([self.model.encode_text(part.to(self.device)) for part in parts])

    def _by_length(self, tokens: torch.Tensor, tower: CausalTextTower) -> torch.Tensor:
        """Embed token ids (n, context), the short ones first, each batch cut behind its longest sentence."""
        lengths = tower.lengths(tokens)
        order = lengths.argsort(stable=True)
        parts = []
        for batch in order.split(TEXT_BATCH[self.device.type]):
            cut = tokens[batch, : int(lengths[batch[-1]])]
            parts.append(tower(cut.to(self.device), lengths[batch].to(self.device)))
        return torch.cat(parts)[order.argsort().to(self.device)]

    def _fit(self, images: np.ndarray) -> bool:
        """Tell whether the images have the model's own size."""
        size = self.model.visual.image_size
        return images.shape[1:3] == (tuple(size) if isinstance(size, tuple | list) else (size, size))

    def _normalised(self, images: np.ndarray) -> torch.Tensor:
        return normalise(torch.from_numpy(images).to(self.device), self.model.visual.preprocess_cfg)


def normalise(images: torch.Tensor, preprocess: dict) -> torch.Tensor:
    """Turn uint8 images (n, h, w, 3) into the normalised float batch (n, 3, h, w) that the model reads."""
    mean = torch.tensor(preprocess["mean"], device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(preprocess["std"], device=images.device).view(1, 3, 1, 1)
    return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std


def _load(model: str, pretrained: str | None, device: torch.device) -> tuple[torch.nn.Module, Any]:
    """Return the model, with the GELU that a tag's weights were trained with (open_clip only warns), and transform."""
    _require_weights(model, pretrained)
    trained = open_clip.get_pretrained_cfg(model, pretrained) if pretrained else {}
    try:
        with torch.random.fork_rng(devices=[]):  # weights are drawn before they are read
            network, _, transform = open_clip.create_model_and_transforms(
                model,
                pretrained,
                device=device,
                require_pretrained=True,
                force_quick_gelu=bool(trained.get("quick_gelu")),
            )
    except UNREADABLE as error:
        label = f"{model} ({pretrained})" if pretrained else model
        raise CapdecError(f"open_clip cannot load {label}: {error}") from None
    return network.eval().requires_grad_(False), transform


def _load_tokenizer(model: str) -> Any:
    try:
        return open_clip.get_tokenizer(model)
    except UNREADABLE as error:
        raise CapdecError(f"open_clip cannot load the tokenizer of {model}: {error}") from None


def _require_weights(model: str, pretrained: str | None) -> None:
    """Refuse what open_clip would answer with random weights and only a log line."""
    if model.startswith("local-dir:"):
        folder = Path(model.removeprefix("local-dir:"))
        if not (folder / "open_clip_model.safetensors").is_file():
            raise CapdecError(
                f"no weights in {folder}: expected open_clip_model.safetensors "
                "(the miniature's are made by `make miniature`)"
            )
    elif not pretrained and not model.startswith("hf-hub:"):
        raise CapdecError(
            f"{model}: say which weights (a pretrained tag or a file); random ones are not used"
        )


def _fingerprint(model: str, pretrained: str | None, network: torch.nn.Module) -> str:
    """Hash what decides the embeddings: a local folder's files but card and licence, or the weights themselves."""
    if model.startswith("local-dir:"):
        folder = Path(model.removeprefix("local-dir:"))
        files = [p for p in sorted(folder.iterdir()) if p.is_file() and p.suffix not in ("", ".md")]
        return digest({path.name: file_digest(path) for path in files})[:16]
    weights = {key: tensor_digest(value) for key, value in sorted(network.state_dict().items())}
    return digest({"model": model, "pretrained": pretrained and Path(pretrained).name, "weights": weights})[
        :16
    ]
