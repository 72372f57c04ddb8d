"""A captioner that names colours: trained in a second on five sentences, with an encoder that sees nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from small_world import cell_config, small_profile
from torch.nn import functional

from capdec_core.batches import PackedCaptions
from capdec_core.bridges import Move
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.cell import CellConfig, Decoded, Evaluation
from capdec_core.decoding import Beam, Decoding
from capdec_core.files import write_atomic, write_json
from capdec_core.language_model import LanguageModelConfig
from capdec_core.mapper import MapperConfig
from capdec_core.material import Material
from capdec_core.noise import NoNoise
from capdec_core.profiles import CorpusSettings, DecodingSettings, EncoderSettings, Profile
from capdec_core.store import CAPTIONER, CellStore
from capdec_core.tokenizer import CaptionTokenizer
from capdec_core.training import train

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
CAPTIONS = {colour: f"a {colour} wall." for colour in COLOURS}
DECODING = DecodingSettings(beams=3, max_tokens=8)
BEAM = Beam(**asdict(DECODING))
SCORES = {"CIDEr": 0.4321, "BLEU-4": 0.1, "length": 4.0}


class ColourEncoder:
    """Embeds an image by its mean colour, a sentence by the colour that it names."""

    name, dim, fingerprint = "colours", 6, "colours"

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """Return rows that tell the colour."""
        mean = images.reshape(len(images), -1, 3).mean(axis=1).astype(np.float32) / 255
        return np.concatenate([mean, 1 - mean], axis=1)

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """Return the rows of what the sentences name."""
        named = [next(rgb for colour, rgb in COLOURS.items() if colour in text) for text in texts]
        return self.encode_images(np.array(named, np.uint8).reshape(-1, 1, 1, 3))


def profile() -> Profile:
    """The profile that the cell was trained with."""
    return small_profile(name="walls", corpus=CorpusSettings("walls", 0, {}, {}))


def material(tokenizer: CaptionTokenizer, folder: Path) -> Material:
    """What the profile's cells share: the sentences, each of its own image, which is embedded as its sentence is."""
    tokenizer.save(folder / "tokenizer.json")
    encoder, settings = ColourEncoder(), EncoderSettings("colours")
    write_atomic(folder / "captions.safetensors", save({"owners": torch.arange(len(CAPTIONS))}))
    np.save(folder / "rows.npy", encoder.encode_texts(list(CAPTIONS.values())))
    banks = dict.fromkeys(("train/text", "train/image"), str(folder / "rows.npy"))
    sizes = (encoder.dim, tokenizer.vocab_size)
    return Material("walls", encoder.fingerprint, tokenizer.fingerprint, *sizes, banks, folder, settings)


def trained() -> tuple[Captioner, CaptionTokenizer]:
    """Train the captioner until it knows its sentences."""
    captions, encoder = list(CAPTIONS.values()), ColourEncoder()
    tokenizer = CaptionTokenizer.train(captions)
    mapper = MapperConfig("mlp", encoder.dim, 32, prefix_length=2)
    config = CaptionerConfig(mapper, LanguageModelConfig(tokenizer.vocab_size, 32, 1, 2, 16, True))
    captioner = Captioner(config, seed=0)
    rows = functional.normalize(torch.from_numpy(encoder.encode_texts(captions)), dim=1)
    packed = PackedCaptions.pack(tokenizer.encode(captions))
    train(captioner, rows, packed, NoNoise(), Budget(150, 5, 1e-2, warmup_steps=10), seed=0)
    return captioner.eval(), tokenizer


def write_cell(
    store: CellStore, captioner: Captioner, tokenizer: CaptionTokenizer, changes: dict[str, Any] | None = None
) -> CellConfig:
    """Put the captioner into a store as a trained and scored cell; `changes` are of its configuration."""
    shape = asdict(captioner.config)
    values = {
        "corpus": "walls",
        "encoder": ColourEncoder.fingerprint,
        "tokenizer": tokenizer.fingerprint,
        "mapper": shape["mapper"],
        "language_model": shape["language_model"],
        "training": asdict(Budget(150, 5, 1e-2)),
        "decoding": asdict(DECODING),
        "evaluations": (Evaluation("test", "image", 5),),
    }
    cell = cell_config(**(values | (changes or {})))
    with store.writing(cell) as folder:
        captioner.save(folder / CAPTIONER)
        write_json(folder / "record.json", {"losses": [0.0]})
    scored = {"corpus": SCORES, "signature": "metrics:made up"}
    store.write_scores(cell, {"test/image": scored, "test/text": scored})
    return cell


def write_decoded(
    store: CellStore, cell: CellConfig, moves: Sequence[Move], decoding: Decoding = BEAM
) -> Decoded:
    """Put into a store, scored, what a trained cell's captioner says of moved images."""
    told = tuple(move.to_dict() for move in moves)
    decoded = Decoded(cell, decoding.to_dict(), cell.evaluations, told)
    with store.writing(decoded) as folder:
        write_json(folder / "record.json", {})
    store.write_scores(decoded, {"test/image": {"corpus": SCORES, "signature": "metrics:made up"}})
    return decoded


def write_pictures(folder: Path, suffix: str = "png") -> dict[str, Path]:
    """Write a picture of each colour and return {colour: file}."""
    return dict(_pictures(folder, suffix))


def _pictures(folder: Path, suffix: str) -> Iterator[tuple[str, Path]]:
    for number, (colour, rgb) in enumerate(COLOURS.items()):
        path = folder / f"{number}_{colour}.{suffix}"
        Image.new("RGB", (40 + number, 30), rgb).save(path)
        yield colour, path
