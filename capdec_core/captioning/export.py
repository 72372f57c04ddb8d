"""Make of a trained cell a checkpoint that captions pictures anywhere, with its model card."""

from dataclasses import asdict
from pathlib import Path

import torch

from capdec_core import paths
from capdec_core.bridges import Sight
from capdec_core.captioner import Captioner
from capdec_core.captioning.card import card
from capdec_core.captioning.checkpoint import BRIDGE, CARD, FACTS, TOKENIZER, WEIGHTS, Facts, in_precision
from capdec_core.captioning.speaker import read_speaker
from capdec_core.cell import CellConfig
from capdec_core.errors import CapdecError
from capdec_core.files import file_digest, write_atomic, write_json
from capdec_core.material import Material, Wanted, prepare
from capdec_core.profiles import Profile, load_profile
from capdec_core.store import CAPTIONER, CellStore

LICENCE = "MIT"
CORPUS_SOURCES = {
    "flickr8k": "Flickr8k (Hodosh et al. 2013), for research and education only: its sentences",
    "flickr30k": "Flickr30k (Young et al. 2014), for research and education only: its sentences",
    "flickr30k-to-flickr8k": "Flickr30k (Young et al. 2014), for research and education only: its sentences",
    "coco": "COCO (Lin et al. 2014; Chen et al. 2015), captions under CC BY 4.0: its sentences",
    "scenes": "the generated world of this project: its sentences",
}
ENCODER_SOURCES = {
    "towers": "the encoder `towers`: EfficientNet-Lite2 and all-MiniLM-L6-v2 (Apache 2.0, from packages) under heads "
    "of this project (MIT) that were trained on Flickr8k's training split",
    "miniature": "the encoder `miniature` of this project (MIT)",
    "RN50x4": "the encoder CLIP RN50x4 of OpenAI (MIT)",
}


def export_cell(cell_id: str, profile_name: str, folder: Path) -> Path:
    """Write the checkpoint of a cell of `results/cells`, trained with a profile, and return its folder.

    Raises:
        CapdecError: see `write_checkpoint`.
    """
    write_checkpoint(cell_id, load_profile(profile_name, "cpu"), CellStore(paths.CELLS), folder)
    return folder


def write_checkpoint(cell_id: str, profile: Profile, store: CellStore, folder: Path) -> Facts:
    """Write a cell's checkpoint into a folder and return what it says of itself.

    Weights, and what moves images, are stored in half precision. What the profile's cells share must be at hand, as
    where the cell was trained, so that nothing is written that another encoder or vocabulary belongs to.

    Raises:
        CapdecError: see `read_speaker`; or the cell was trained on another corpus or encoder than the profile's.
    """
    speaker = read_speaker(cell_id, store)
    cell, moves = speaker.trained, speaker.moves
    sees_images = moves.sight is not Sight.NEVER
    material = prepare(profile, "cpu", Wanted(frozenset({None}) if sees_images else frozenset()))
    _require_same(cell, material, profile)
    scores = {key: t for key, t in store.scores(speaker.source).items() if key.endswith("/image")}
    captioner = Captioner.load(store.path(cell) / CAPTIONER).half()
    captioner.save(folder / WEIGHTS)
    material.load_tokenizer().save(folder / TOKENIZER)
    if moves.learns:
        known = material.fitting_material()
        fitted = moves.fit(known.texts, known.images, known.clusters)
        in_precision(fitted, torch.float16).save(folder / BRIDGE)
    facts = Facts(
        profile=profile.name,
        corpus=profile.corpus.name,
        encoder=profile.encoder,
        embeddings=cell.encoder,
        tokenizer=cell.tokenizer,
        weights=file_digest(folder / WEIGHTS),
        decoding=speaker.decoding,
        cell=asdict(speaker.source),
        scores={key: table["corpus"] for key, table in scores.items()},
        signatures={key: table["signature"] for key, table in scores.items()},
        licence=LICENCE,
        sources=_sources(profile),
        bridge=file_digest(folder / BRIDGE) if moves.learns else None,
    )
    parameters = sum(parameter.numel() for parameter in captioner.parameters())
    write_atomic(folder / CARD, card(facts, speaker, parameters))
    write_json(folder / FACTS, asdict(facts))
    return facts


def _require_same(cell: CellConfig, material: Material, profile: Profile) -> None:
    """Raise CapdecError unless the cell was trained on this corpus, encoder and tokenizer."""
    parts = ("corpus", "encoder", "tokenizer")
    other = [name for name in parts if getattr(cell, name) != getattr(material, name)]
    if other:
        raise CapdecError(
            f"cell {cell.id} was trained with another {' and '.join(other)} than profile {profile.name} has here"
        )


def _sources(profile: Profile) -> list[str]:
    """Return what a captioner stands on, with its terms."""
    corpus, model = profile.corpus.name, profile.encoder.model
    return [CORPUS_SOURCES.get(corpus, corpus), ENCODER_SOURCES.get(model, f"the encoder `{model}`")]
