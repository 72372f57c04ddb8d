"""What speaks in a finished cell: a trained captioner, what moves images before it reads them, and its decoding."""

from dataclasses import asdict, dataclass
from typing import Any

from capdec_core.bridges import Bridge, bridge_from_dict
from capdec_core.bridges.serial import moves_from_dicts
from capdec_core.cell import CellConfig, Decoded
from capdec_core.decoding import Beam, decoding_from_dict
from capdec_core.errors import CapdecError
from capdec_core.files import read_json
from capdec_core.profiles import DecodingSettings
from capdec_core.store import CellStore


@dataclass(frozen=True)
class Speaker:
    """A finished cell, as far as it captions pictures.

    Attributes:
        source: the cell: a trained one, or one in which a trained cell's captioner reads moved images.
        trained: the cell whose captioner speaks.
        bridge: the noise that it was trained with, and the moves of what it reads.
        decoding: how captions are read off.
    """

    source: CellConfig | Decoded
    trained: CellConfig
    bridge: Bridge
    decoding: DecodingSettings

    @property
    def moves(self) -> Bridge:
        """What is done to an image's embedding before it is read: the bridge without the noise of training."""
        return Bridge(self.bridge.moves)

    @property
    def moves_in_words(self) -> str:
        """The moves by name, in their order; nothing where there are none."""
        return ", then ".join(move.label for move in self.bridge.moves)


def read_speaker(cell_id: str, store: CellStore) -> Speaker:
    """Return what speaks in a cell of a store.

    Raises CapdecError for no such cell, one that is not of a captioner trained here, that is not trained and scored, or
    whose captions are read off otherwise than by beam search.
    """
    path = store.folder / cell_id / "cell.json"
    try:
        speaker = speaker_of(read_json(path))
    except (KeyError, TypeError):
        raise CapdecError(f"{path} tells of no captioner that this version trains") from None
    source = speaker.source
    if source.id != cell_id:
        raise CapdecError(f"{path} does not belong there: its configuration is that of cell {source.id}")
    if not (store.has(speaker.trained) and store.has(source) and store.has_scores(source)):
        raise CapdecError(f"cell {cell_id} is not finished: train and score it first")
    return speaker


def speaker_of(table: dict[str, Any]) -> Speaker:
    """Return what speaks in the cell whose `dataclasses.asdict` is `table`; KeyError or TypeError for another table.

    CapdecError where captions are read off otherwise than by beam search.
    """
    source = Decoded.from_dict(table) if "cell" in table else CellConfig.from_dict(table)
    if isinstance(source, CellConfig):
        bridge = bridge_from_dict(source.bridge)
        return Speaker(source, source, bridge, DecodingSettings(**source.decoding))
    decoding = decoding_from_dict(source.decoding)
    if not isinstance(decoding, Beam):
        raise CapdecError(
            f"cell {source.id} reads its captions off by {decoding.label}: a checkpoint does so by beam search alone"
        )
    trained = bridge_from_dict(source.cell.bridge)
    bridge = Bridge(moves_from_dicts(source.moves), trained.noise) if source.moves else trained
    return Speaker(source, source.cell, bridge, DecodingSettings(**asdict(decoding)))
