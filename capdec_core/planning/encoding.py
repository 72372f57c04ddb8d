"""What it takes to embed a corpus once: the towers' operations, counted without weights, and photographs to decode."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import open_clip
import torch
from open_clip.model import CLIP
from torch.utils.flop_counter import FlopCounterMode

from capdec_core.material import Wanted
from capdec_core.planning.space import CAPTIONS
from capdec_core.profiles import Profile

PHOTOGRAPH = 0.02
"""Seconds of a core to decode a photograph of 640 x 480 and bring it to a tower's size; measured once with Pillow."""


@dataclass(frozen=True)
class Encoding:
    """Operations of all towers, and how many photographs are decoded, again for each encoder."""

    operations: float
    photographs: int


@dataclass(frozen=True)
class Towers:
    """Operations of embedding one image, and one sentence of full length, and the parameters of both towers."""

    image: int
    text: int
    parameters: int


@functools.cache
def towers(model: str) -> Towers:
    """Return what an architecture that open_clip knows takes, without memory for weights; ValueError for another."""
    if model not in open_clip.list_models():
        raise ValueError(f"open_clip knows no architecture {model!r}")
    config = open_clip.get_model_config(model)
    with torch.device("meta"), torch.no_grad():
        network = CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"]).eval()
        side, context = config["vision_cfg"]["image_size"], config["text_cfg"]["context_length"]
        image = _counted(lambda: network.encode_image(torch.empty(1, 3, side, side)))
        text = _counted(lambda: network.encode_text(torch.zeros(1, context, dtype=torch.long)))
    return Towers(image, text, sum(weight.numel() for weight in network.parameters()))


def encoding(profile: Profile, wanted: Wanted) -> Encoding:
    """Return what the banks of a profile take whose encoders open_clip knows; sentences count at full length."""
    sizes, captioned = profile.corpus.sizes, profile.corpus.captioned
    looked_at = sum(sizes[split] for split in captioned)
    operations, photographs = 0.0, 0
    for encoder in {profile.encoder, *filter(None, wanted.images)}:
        trained_on = encoder in wanted.images or (encoder == profile.encoder and None in wanted.images)
        images = looked_at + trained_on * sizes["train"]
        texts = CAPTIONS * (looked_at + sizes["train"]) if encoder == profile.encoder else 0
        each = towers(encoder.model)
        operations += images * each.image + texts * each.text
        photographs += images
    return Encoding(operations, photographs)


def _counted(call: Callable[[], torch.Tensor]) -> int:
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()
