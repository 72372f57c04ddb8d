"""A captioner in a folder with all that it takes to caption pictures: weights, tokenizer, and what they were made of.

<folder>/captioner.json         what it was made of (`Facts`)
         captioner.safetensors  the captioner, in half precision; it computes in single precision
         bridge.safetensors     what moves an image's embedding before it is read, in half precision; seldom there
         tokenizer.json         its words
         README.md              the model card
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from capdec_core import paths
from capdec_core.bridges import FittedBridge, load_bridge
from capdec_core.captioner import Captioner
from capdec_core.decoding import beam
from capdec_core.embeddings import unit_rows
from capdec_core.encoders import Encoder, load_encoder
from capdec_core.errors import CapdecError
from capdec_core.files import file_digest, read_json
from capdec_core.profiles import DecodingSettings, EncoderSettings, strict
from capdec_core.subwords import load_tokenizer
from capdec_core.tokenizer import TextTokenizer

FACTS, WEIGHTS, TOKENIZER, CARD = "captioner.json", "captioner.safetensors", "tokenizer.json", "README.md"
BRIDGE = "bridge.safetensors"


@dataclass(frozen=True)
class Facts:
    """What a checkpoint was made of.

    Attributes:
        profile, corpus: names of the scale and of the captions that it was trained on.
        encoder: what the joint encoder is loaded by.
        embeddings, tokenizer: fingerprints of that encoder and of the tokenizer.
        weights: SHA-256 of the weights' file.
        decoding: how captions are read off.
        cell: the cell's configuration, for the record.
        scores: {evaluation: {metric: value}} of the cell on images.
        signatures: {evaluation: how its scores were made}.
        licence: of the weights.
        sources: what they stand on, with its terms.
        bridge: SHA-256 of the file of what moves embeddings of images; None where they are read as they are.
    """

    profile: str
    corpus: str
    encoder: EncoderSettings
    embeddings: str
    tokenizer: str
    weights: str
    decoding: DecodingSettings
    cell: dict[str, Any]
    scores: dict[str, dict[str, float]]
    signatures: dict[str, str]
    licence: str
    sources: list[str]
    bridge: str | None = None


@dataclass(frozen=True)
class PictureCaptioner:
    """A captioner with the encoder that it reads pictures through.

    Attributes:
        captioner: on the CPU, in single precision.
        tokenizer: its words.
        encoder: the joint encoder that it was trained for.
        facts: what it was made of.
        bridge: what moves embeddings of images before they are read, in single precision; None where nothing does.
    """

    captioner: Captioner
    tokenizer: TextTokenizer
    encoder: Encoder
    facts: Facts
    bridge: FittedBridge | None = None

    def caption(self, images: np.ndarray) -> list[str]:
        """Return a caption each for uint8 RGB images (n, height, width, 3)."""
        rows = torch.from_numpy(unit_rows(self.encoder.encode_images(images)))
        if self.bridge is not None:
            rows = self.bridge.infer_side(rows)
        found = beam(self.captioner, rows, eos_id=self.tokenizer.eos_id, **asdict(self.facts.decoding))
        return [self.tokenizer.decode(tokens) for tokens in found]


def read_facts(folder: Path) -> Facts:
    """Return what a checkpoint says of itself; CapdecError where there is none, or another kind of file."""
    if not (folder / FACTS).is_file():
        raise CapdecError(
            f"no captioner in {folder}: it has no {FACTS}; `capdec checkpoint` makes such a folder of a trained cell"
        )
    return strict(Facts, read_json(folder / FACTS), str(folder / FACTS))


def load_checkpoint(folder: Path) -> PictureCaptioner:
    """Return the captioner in a folder, ready for pictures, on the CPU.

    Raises:
        CapdecError: a file that is missing, damaged or of another captioner; an encoder that cannot be loaded, or
            that is another one than the captioner was trained for.
    """
    facts = read_facts(folder)
    captioner = Captioner.load(folder / WEIGHTS).float()
    tokenizer = load_tokenizer(folder / TOKENIZER)
    bridge = load_bridge(folder / BRIDGE) if facts.bridge else None
    digests = file_digest(folder / WEIGHTS), bridge and file_digest(folder / BRIDGE)
    if digests != (facts.weights, facts.bridge) or tokenizer.fingerprint != facts.tokenizer:
        raise CapdecError(f"the files in {folder} do not belong together: {FACTS} tells of others")
    encoder = load_encoder(facts.encoder.model, facts.encoder.pretrained)
    if encoder.fingerprint != facts.embeddings:
        raise CapdecError(
            f"the captioner in {folder} was trained for another encoder than the {encoder.name} that is here "
            f"(its fingerprint is {encoder.fingerprint}, not {facts.embeddings})"
        )
    return PictureCaptioner(
        captioner, tokenizer, encoder, facts, bridge and in_precision(bridge, torch.float32)
    )


def in_precision(bridge: FittedBridge, kind: torch.dtype) -> FittedBridge:
    """Return a bridge whose moves have learned numbers of this floating-point type."""
    states = tuple(
        {name: held.to(kind) if held.is_floating_point() else held for name, held in state.items()}
        for state in bridge.states
    )
    return replace(bridge, states=states)


def has_shipped() -> bool:
    """Tell whether this copy of the project ships a captioner."""
    return (paths.SHIPPED / FACTS).is_file()


def load_shipped() -> PictureCaptioner:
    """Return the captioner that ships with the project; CapdecError says what to do where there is none."""
    if not has_shipped():
        raise CapdecError(
            f"this copy of the project ships no captioner ({paths.SHIPPED} has no {FACTS}): name one with "
            "--checkpoint; `capdec checkpoint` makes one of a trained cell"
        )
    return load_checkpoint(paths.SHIPPED)
