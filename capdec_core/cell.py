"""A cell: one trained captioner with its evaluations, named by the hash of everything that decides its scores."""

import ast
import functools
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from capdec_core.files import digest
from capdec_core.paths import PACKAGE

Source = Literal["text", "image", "blank"]

DECIDING_CODE = (
    "attention.py",
    "noise",
    "batches.py",
    "bridges",
    "budget.py",
    "captioner.py",
    "causal.py",
    "decoding",
    "device.py",
    "distributed.py",
    "embeddings.py",
    "gguf_file.py",
    "gpt2.py",
    "imported",
    "incremental.py",
    "language_model.py",
    "mapper.py",
    "material.py",
    "packed_linear.py",
    "pretrained.py",
    "quiet.py",
    "scratch.py",
    "side_by_side.py",
    "subwords.py",
    "tokenizer.py",
    "training.py",
    "trial.py",
    "vocabulary_head.py",
    "worker.py",
)


@functools.cache
def code_fingerprint() -> str:
    """Return `fingerprint_of` the modules that decide a cell's captions."""
    return fingerprint_of(DECIDING_CODE)


def fingerprint_of(modules: Iterable[str]) -> str:
    """Hash the syntax trees of modules and folders of this package: comments and layout do not count."""
    paths = [path for name in modules for path in _modules(PACKAGE / name)]
    trees = {str(path.relative_to(PACKAGE)): ast.dump(ast.parse(path.read_text())) for path in paths}
    return digest(trees)[:16]


def _modules(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


@dataclass(frozen=True)
class Evaluation:
    """What is decoded: a split, and the modality of the embeddings that stand at the captioner's input.

    `image` is the task. `text` decodes each image's first caption from its own text embedding. `blank` gives
    every image the same constant embedding: what the language model says without being told anything.
    The first `images` of the split are captioned.
    """

    split: str
    source: Source
    images: int

    @property
    def key(self) -> str:
        """Name of this evaluation in a cell's files: "test/image"."""
        return f"{self.split}/{self.source}"


@dataclass(frozen=True)
class CellConfig:
    """Everything that decides a cell's captions.

    Attributes:
        corpus, encoder, tokenizer: fingerprints.
        train_on: the modality of the training embeddings; "text" is CapDec, "image" is ClipCap.
        bridge: what is done to embeddings on either side of the gap (`capdec_core.bridges`), as its dictionary.
        mapper, language_model, pretraining, training, decoding: the profile's settings as dictionaries.
        evaluations: what is decoded.
        seed: of the mapper's weights, the order of captions and the noise.
        code: hash of the modules that train and decode.
    """

    corpus: str
    encoder: str
    tokenizer: str
    train_on: Source
    bridge: dict[str, Any]
    mapper: dict[str, Any]
    language_model: dict[str, Any]
    pretraining: dict[str, Any]
    training: dict[str, Any]
    decoding: dict[str, Any]
    evaluations: tuple[Evaluation, ...]
    seed: int
    code: str = field(default_factory=code_fingerprint)

    @functools.cached_property
    def id(self) -> str:
        """The cell's name in the store: 16 hex digits."""
        return digest(asdict(self))[:16]

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> "CellConfig":
        """Return the configuration whose `dataclasses.asdict` is `table`."""
        evaluations = tuple(Evaluation(**entry) for entry in table["evaluations"])
        return cls(**{**table, "evaluations": evaluations})


@dataclass(frozen=True)
class Decoded:
    """The captions of a trained cell decoded in another way, or from moved images; nothing is trained for it.

    Attributes:
        cell: the cell whose captioner speaks; it is computed first.
        decoding: a `capdec_core.decoding.Decoding` as its dictionary.
        evaluations: what is decoded.
        moves: what is done to an image's embedding before it is read (`capdec_core.bridges`), as dictionaries.
    """

    cell: CellConfig
    decoding: dict[str, Any]
    evaluations: tuple[Evaluation, ...]
    moves: tuple[dict[str, Any], ...] = ()

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> "Decoded":
        """Return what the `dataclasses.asdict` of is `table`."""
        evaluations = tuple(Evaluation(**entry) for entry in table["evaluations"])
        cell, moves = CellConfig.from_dict(table["cell"]), tuple(table["moves"])
        return cls(**{**table, "cell": cell, "evaluations": evaluations, "moves": moves})

    @property
    def id(self) -> str:
        """The name in the store: 16 hex digits."""
        return digest(asdict(self))[:16]

    @property
    def seed(self) -> int:
        """The training seed; it seeds the draws of sampling too."""
        return self.cell.seed

    @property
    def encoder(self) -> str:
        """Fingerprint of what the embeddings come from."""
        return self.cell.encoder


@dataclass(frozen=True)
class Retrieved:
    """Captions that no captioner makes: each image gets the training caption that a bridge finds nearest to it.

    Attributes:
        corpus, encoder, tokenizer: fingerprints.
        bridge: a `capdec_core.bridges.Bridge` that ends in `NearestCaption`, as its dictionary.
        evaluations: which images.
        code: hash of the modules that find the captions.
    """

    corpus: str
    encoder: str
    tokenizer: str
    bridge: dict[str, Any]
    evaluations: tuple[Evaluation, ...]
    seed: int = 0
    code: str = field(default_factory=code_fingerprint)

    @property
    def id(self) -> str:
        """The name in the store: 16 hex digits."""
        return digest(asdict(self))[:16]


@dataclass(frozen=True)
class Imported:
    """Captions of a captioner that others trained and published; nothing is trained for it.

    Attributes:
        corpus, encoder, tokenizer: fingerprints.
        checkpoint: a `capdec_core.imported.settings.PublishedSettings` as its dictionary.
        language_model: the name of the GPT-2 that it speaks through.
        decoding: the profile's settings as a dictionary.
        evaluations: what is decoded.
        code: hash of the modules that read and decode it.
    """

    corpus: str
    encoder: str
    tokenizer: str
    checkpoint: dict[str, Any]
    language_model: str
    decoding: dict[str, Any]
    evaluations: tuple[Evaluation, ...]
    seed: int = 0
    code: str = field(default_factory=code_fingerprint)

    @property
    def id(self) -> str:
        """The name in the store: 16 hex digits."""
        return digest(asdict(self))[:16]


class StoredCell(Protocol):
    """What the store keeps under a name: a trained cell, one decoded in another way, or captions from elsewhere."""

    @property
    def id(self) -> str:
        """The name in the store."""

    @property
    def seed(self) -> int:
        """The training seed."""

    @property
    def encoder(self) -> str:
        """Fingerprint of what the embeddings come from."""

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """What is decoded."""
