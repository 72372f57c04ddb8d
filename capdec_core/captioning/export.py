"""Make of a trained cell a checkpoint that captions pictures anywhere, with its model card."""

from dataclasses import asdict
from pathlib import Path

from capdec_core import paths
from capdec_core.bridges import Bridge, bridge_from_dict
from capdec_core.captioner import Captioner
from capdec_core.captioning.card import card
from capdec_core.captioning.checkpoint import CARD, FACTS, TOKENIZER, WEIGHTS, Facts
from capdec_core.cell import CellConfig
from capdec_core.errors import CapdecError
from capdec_core.files import file_digest, read_json, write_atomic, write_json
from capdec_core.material import Material, Wanted, prepare
from capdec_core.profiles import DecodingSettings, Profile, load_profile
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

    Weights are stored in half precision. What the profile's cells share must be at hand, as where the cell was trained,
    so that nothing is written that another encoder or vocabulary belongs to.

    Raises:
        CapdecError: no such cell, one that was not trained or not scored, whose bridge moves embeddings, or that was
            trained on another corpus or encoder than the profile's.
    """
    cell = _trained_cell(cell_id, store)
    bridge = _bridge_without_moves(cell)
    material = prepare(profile, "cpu", Wanted())
    _require_same(cell, material, profile)
    scores = {key: table for key, table in store.scores(cell).items() if key.endswith("/image")}
    captioner = Captioner.load(store.path(cell) / CAPTIONER).half()
    captioner.save(folder / WEIGHTS)
    material.load_tokenizer().save(folder / TOKENIZER)
    facts = Facts(
        profile=profile.name,
        corpus=profile.corpus.name,
        encoder=profile.encoder,
        embeddings=cell.encoder,
        tokenizer=cell.tokenizer,
        weights=file_digest(folder / WEIGHTS),
        decoding=DecodingSettings(**cell.decoding),
        cell=asdict(cell),
        scores={key: table["corpus"] for key, table in scores.items()},
        signatures={key: table["signature"] for key, table in scores.items()},
        licence=LICENCE,
        sources=_sources(profile),
    )
    parameters = sum(parameter.numel() for parameter in captioner.parameters())
    write_atomic(folder / CARD, card(facts, cell, bridge, parameters))
    write_json(folder / FACTS, asdict(facts))
    return facts


def _trained_cell(cell_id: str, store: CellStore) -> CellConfig:
    """Return the configuration of a trained and scored cell."""
    path = store.folder / cell_id / "cell.json"
    try:
        cell = CellConfig.from_dict(read_json(path))
    except (KeyError, TypeError):
        raise CapdecError(f"{path} tells of no captioner that this version trains") from None
    if cell.id != cell_id:
        raise CapdecError(f"{path} does not belong there: its configuration is that of cell {cell.id}")
    if not store.has(cell) or not store.has_scores(cell):
        raise CapdecError(f"cell {cell_id} is not finished: train and score it first")
    return cell


def _bridge_without_moves(cell: CellConfig) -> Bridge:
    bridge = bridge_from_dict(cell.bridge)
    if bridge.moves:
        moves = ", ".join(move.label for move in bridge.moves)
        raise CapdecError(
            f"cell {cell.id} crosses the gap by moves ({moves}): only a captioner that was trained with noise alone, "
            "and reads an image's own embedding, can be made into a checkpoint"
        )
    return bridge


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
