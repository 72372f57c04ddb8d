"""What a grid takes on disk, by the numbers that it writes: weights and rows exactly, what is text about."""

import functools
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from capdec_core.cell import CellConfig, StoredCell
from capdec_core.downloads import existing
from capdec_core.encoders import embedding_dim
from capdec_core.language_model import LanguageModelConfig, build_language_model
from capdec_core.mapper import MapperConfig, build_mapper
from capdec_core.material import Wanted
from capdec_core.memory import FLOAT
from capdec_core.planning.work import shape_of
from capdec_core.profiles import EncoderSettings, NamedLanguageModelSettings, Profile

CAPTIONS = 5
"""Captions of an image, in every corpus of the book (COCO's have a few more)."""
TOLD, SCORED, STEP = 350, 700, 16
"""Bytes of text: an image's beam, its scores, a step's loss."""


def cell_bytes(cells: Sequence[StoredCell], profile: Profile) -> int:
    """Return the bytes of finished cells: weights, captions, scores and losses."""
    borrowed = isinstance(profile.language_model, NamedLanguageModelSettings)
    return sum(_weights(cell, borrowed) + _texts(cell) for cell in cells)


def bank_bytes(profile: Profile, wanted: Wanted) -> int:
    """Return the bytes of the embeddings of a corpus by every encoder, and of their reductions."""
    own = [_rows(profile, split, text=True) + _rows(profile, split) for split in profile.corpus.captioned]
    rows = sum(own) + _rows(profile, "train", text=True) + _rows(profile, "train") * (None in wanted.images)
    looked_at = sum(_rows(profile, split) for split in ("train", *profile.corpus.captioned))
    others = sum(looked_at * _dim(encoder) for encoder in wanted.images if encoder)
    return FLOAT * (rows * (_dim(profile.encoder) + sum(wanted.dims)) + others)


def free(folder: Path) -> int:
    """Return the free bytes of the disk that a folder is on, or will be."""
    return shutil.disk_usage(existing(folder)).free


def parameters(cell: CellConfig) -> tuple[int, int]:
    """Return the parameters of a cell's mapper and of its language model; no memory is taken for them."""
    shape = shape_of(cell)
    return _mapper_parameters(shape.mapper), _language_model_parameters(shape.language_model)


def _weights(cell: StoredCell, borrowed: bool) -> int:
    """A pre-trained language model that stays frozen is not written."""
    if not isinstance(cell, CellConfig):
        return 0
    mapper, language_model = parameters(cell)
    kept = 0 if borrowed and not cell.language_model["tuned"] else language_model
    return FLOAT * (mapper + kept)


def _texts(cell: StoredCell) -> int:
    images = sum(evaluation.images for evaluation in cell.evaluations)
    steps = cell.training["steps"] if isinstance(cell, CellConfig) else 0
    return images * (TOLD + SCORED) + steps * STEP


def _rows(profile: Profile, split: str, text: bool = False) -> int:
    return profile.corpus.sizes[split] * (CAPTIONS if text else 1)


def _dim(encoder: EncoderSettings) -> int:
    return embedding_dim(encoder.model, encoder.pretrained)


@functools.cache
def _mapper_parameters(config: MapperConfig) -> int:
    with torch.device("meta"):
        return sum(weight.numel() for weight in build_mapper(config).parameters())


@functools.cache
def _language_model_parameters(config: LanguageModelConfig) -> int:
    with torch.device("meta"):
        return sum(weight.numel() for weight in build_language_model(config).parameters())
