"""COCO in miniature: Karpathy's file, photographs of the generated world, CLIP and GPT-2 as the hub has them."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from PIL import Image
from published_layout import published_model, published_state
from safetensors.torch import save_file
from tiny_models import write_gpt2

from capdec_core.corpora.scenes import Scenes
from capdec_core.files import file_digest

SIZES = {"train": 30, "restval": 10, "val": 8, "test": 12}
"""Images of each of Karpathy's splits."""
FOLDER = {"train": "train2014", "restval": "val2014", "val": "val2014", "test": "val2014"}
REVISIONS = {
    "timm/resnet50x4_clip.openai": "1" * 40,
    "timm/vit_base_patch32_clip_224.openai": "2" * 40,
    "openai-community/gpt2": "3" * 40,
    "johko/capdec_05": "4" * 40,
}
"""What the small hub has, at which revision."""
PREPROCESS = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
RESNET: dict[str, Any] = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None}
VIT: dict[str, Any] = {"image_size": 64, "layers": 1, "width": 64, "patch_size": 32}
"""Image towers of the kinds of RN50x4 (a ModifiedResNet with attention pooling) and of ViT-B/32."""


def photograph_name(split: str, number: int) -> str:
    """The file name of a photograph, as COCO has them; numbers are unique over all splits."""
    return f"COCO_{FOLDER[split]}_{number:012d}.jpg"


def world() -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return Karpathy's table and the photographs by "val2014/COCO_….jpg": of many sizes, a third of them grey."""
    count = sum(SIZES.values())
    scenes = Scenes(0, {"train": count}).split("train")
    splits = [split for split, size in SIZES.items() for _ in range(size)]
    images, photographs = [], {}
    for number, (split, picture, captions) in enumerate(
        zip(splits, scenes.render(range(count)), scenes.captions, strict=True)
    ):
        name = photograph_name(split, number)
        photographs[f"{FOLDER[split]}/{name}"] = jpeg(picture, number)
        sentences = [{"raw": f"{caption} \n" if number % 2 else caption} for caption in captions]
        entry = {"filename": name, "filepath": FOLDER[split], "split": split, "cocoid": number}
        images.append(entry | {"sentences": sentences})
    return {"images": images, "dataset": "coco"}, photographs


def jpeg(picture: np.ndarray, number: int) -> bytes:
    """Return a picture as a JPEG of a size of its own; every third has one channel."""
    size = (70 + 7 * (number % 5), 100 - 9 * (number % 4))
    image = Image.fromarray(picture).resize(size)
    stream = io.BytesIO()
    (image.convert("L") if number % 3 == 0 else image).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def write_data(place: Path, table: dict[str, Any], photographs: Mapping[str, bytes]) -> Path:
    """Write Karpathy's file and some photographs as `capdec data fetch` lays them out; return the folder."""
    folder = place / "coco"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_coco.json").write_text(json.dumps(table))
    for name, data in photographs.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def write_clip(folder: Path, vision: dict[str, Any], dim: int, seed: int = 0) -> Path:
    """Write a CLIP as the hub has OpenAI's: configuration with QuickGELU, weights in open_clip's names."""
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    torch.manual_seed(seed)
    model = CLIP(dim, CLIPVisionCfg(**vision), CLIPTextCfg(**text), quick_gelu=True)
    with torch.no_grad():  # the initialisation leaves images almost equal
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "embedding" not in name:
                weight.mul_(2)
    folder.mkdir(parents=True)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors", {"format": "pt"})
    settings = {"embed_dim": dim, "vision_cfg": vision, "text_cfg": text, "quick_gelu": True}
    config = {"model_cfg": settings, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def write_capdec(folder: Path, gpt2: Path) -> Path:
    """Write a captioner as CapDec's was published, of random weights, before a GPT-2."""
    folder.mkdir(parents=True)
    model = published_model(gpt2, 640, "transformer", heads=4)
    torch.save(published_state(model), folder / "model.pt")
    return folder


def write_models(folder: Path, sentences: list[str]) -> dict[str, Path]:
    """Write the four models; return their folders by hub id."""
    resnet, vit, gpt2, capdec = REVISIONS
    return {
        resnet: write_clip(folder / "resnet", RESNET, 640),
        vit: write_clip(folder / "vit", VIT, 512, seed=1),
        gpt2: write_gpt2(folder / "gpt2", sentences=sentences, positions=128),
        capdec: write_capdec(folder / "capdec", folder / "gpt2"),
    }


def write_profile(folder: Path, models: Mapping[str, Path]) -> None:
    """Write the profile `coco_loopback` with the checksum of this machine's checkpoint."""
    checksum = file_digest(models["johko/capdec_05"] / "model.pt")
    text = Path(__file__).with_name("coco_loopback.toml").read_text().replace("CHECKSUM", checksum)
    folder.mkdir()
    (folder / "coco_loopback.toml").write_text(text)
