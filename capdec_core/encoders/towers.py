"""The encoder `towers`: frozen image and text towers out of packages under small heads of this project.

Locked-image tuning (Zhai et al. 2022, "LiT") with both towers locked: EfficientNet-Lite2 and MiniLM come with installed
packages, the heads with the repository, so that any photograph and any sentence is embedded with no network.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from capdec_core.checkpoints import load_tensors, save_tensors
from capdec_core.device import autocast
from capdec_core.encoders.towers_heads import Heads
from capdec_core.encoders.towers_image import IMAGE_WIDTH, SIDE, WEIGHTS, ImageTower, fitted, normalised
from capdec_core.encoders.towers_text import (
    LAYERS,
    LONGEST,
    TEXT_WIDTH,
    TextTower,
    padded_batches,
    weights_path,
)
from capdec_core.errors import CapdecError
from capdec_core.files import digest, file_digest
from capdec_core.resume import tensor_digest

FILE = "heads.safetensors"
KIND = "heads of the towers"
IMAGE_BATCH = 32
TEXT_BATCH = 256


class Towers:
    """The frozen towers of both modalities; what they say of images and sentences is what heads read.

    `fingerprint` is a hash of what decides the features: the packages' weights and what is read of them.

    Raises:
        CapdecError: a package is missing or its weights are others than those that are known.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.image = ImageTower().to(self.device)
        self.text = TextTower().to(self.device)
        weights = [WEIGHTS.sha256, file_digest(weights_path())]
        self.fingerprint = digest([weights, SIDE, LAYERS, LONGEST])[:16]

    @torch.inference_mode()
    def image_features(self, images: np.ndarray) -> Tensor:
        """Return the features (n, IMAGE_WIDTH) of uint8 RGB images (n, height, width, 3), on the device."""
        parts = [torch.empty(0, IMAGE_WIDTH, device=self.device)]
        with autocast(self.device):
            for batch in np.split(fitted(images), range(IMAGE_BATCH, len(images), IMAGE_BATCH)):
                parts.append(self.image(normalised(batch, self.device)))
        return torch.cat(parts)

    @torch.inference_mode()
    def text_features(self, texts: list[str]) -> Tensor:
        """Return the features (n, TEXT_WIDTH) of sentences, on the device."""
        features = torch.empty(len(texts), TEXT_WIDTH, device=self.device)
        with autocast(self.device):
            for rows, tokens, mask in padded_batches(self.text.tokens(texts), TEXT_BATCH):
                features[rows.to(self.device)] = self.text(tokens.to(self.device), mask.to(self.device))
        return features


class TowersEncoder:
    """Towers and heads together: they answer the `Encoder` protocol.

    Args:
        towers: the frozen towers; several encoders may share them.
        heads: trained heads.
    """

    name = "towers"

    def __init__(self, towers: Towers, heads: Heads) -> None:
        self.towers = towers
        self.heads = heads.to(towers.device).eval().requires_grad_(False)
        self.dim = heads.dim
        weights = {name: tensor_digest(tensor) for name, tensor in sorted(heads.state_dict().items())}
        self.fingerprint = digest([towers.fingerprint, weights])[:16]

    @torch.inference_mode()
    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """Embed uint8 RGB images (n, height, width, 3) as float32 (n, dim), at their raw norm."""
        return self.heads.image(self.towers.image_features(images)).cpu().numpy()

    def fitted(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Return images of any size whole at the size that the tower reads: the aspect ratio is given up."""
        return np.concatenate([fitted(image[None]) for image in images])

    @torch.inference_mode()
    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """Embed sentences as float32 (n, dim), at their raw norm."""
        return self.heads.text(self.towers.text_features(texts)).cpu().numpy()


def load_towers(folder: Path, device: str = "cpu") -> TowersEncoder:
    """Return the encoder whose heads are in a folder.

    Raises:
        CapdecError: heads that are missing, damaged or of other towers; a package that is missing or damaged.
    """
    shape, tensors = load_tensors(folder / FILE, KIND)
    towers = Towers(device)
    if shape.pop("towers", None) != towers.fingerprint:
        raise CapdecError(f"{folder / FILE} was trained on other towers than the installed packages hold")
    try:
        heads = Heads(**shape)
        heads.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (TypeError, RuntimeError) as error:
        raise CapdecError(f"{folder / FILE} is damaged: {error}") from None
    return TowersEncoder(towers, heads)


def save_heads(folder: Path, heads: Heads, towers: Towers) -> None:
    """Write heads in half precision; they are computed with in single precision."""
    tensors = {name: tensor.half() for name, tensor in heads.state_dict().items()}
    save_tensors(folder / FILE, KIND, heads.shape | {"towers": towers.fingerprint}, tensors)
