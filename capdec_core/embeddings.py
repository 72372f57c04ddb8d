"""The embedding bank: each caption and image is encoded once and memory-mapped for ever.

A bank is keyed by what decides its content: the corpus's and the encoder's fingerprints, the split and the modality.
Rows are the encoder's raw embeddings; `unit_rows` puts them on the unit sphere, where CapDec works.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib.format import open_memmap
from tqdm import tqdm

from capdec_core.corpora import Corpus, Split
from capdec_core.encoders import Encoder
from capdec_core.files import digest

Modality = Literal["image", "text"]
MODALITIES: tuple[Modality, ...] = ("image", "text")
IMAGES_A_BLOCK = 512


def bank_path(folder: Path, corpus: Corpus, encoder: Encoder, split: str, modality: Modality) -> Path:
    """Return the file of one bank below `folder`."""
    key = digest([corpus.fingerprint, encoder.fingerprint, split, modality])[:16]
    return folder / f"{corpus.name}-{split}-{modality}-{key}.npy"


def bank(folder: Path, corpus: Corpus, encoder: Encoder, split: str, modality: Modality) -> np.ndarray:
    """Return one split's embeddings, read-only and memory-mapped; encode them if no bank holds them yet.

    Returns:
        float32 (rows, d), raw norm: one row an image, or one a caption in the order of the images.
    """
    path = bank_path(folder, corpus, encoder, split, modality)
    if not path.exists():
        _write(path, corpus.split(split), encoder, modality)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def unit_rows(embeddings: np.ndarray) -> np.ndarray:
    """Return the embeddings scaled to unit norm along the last axis, float32, in memory."""
    rows = np.asarray(embeddings, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def _write(path: Path, split: Split, encoder: Encoder, modality: Modality) -> None:
    """Encode a split block by block into a temporary file that takes its name when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".partial-{os.getpid()}")
    count = len(split.ids) if modality == "image" else sum(map(len, split.captions))
    try:
        rows = open_memmap(temporary, mode="w+", dtype=np.float32, shape=(count, encoder.dim))
        done = 0
        for block in _blocks(split, encoder, modality):
            rows[done : done + len(block)] = block
            done += len(block)
        rows.flush()
        del rows
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _blocks(split: Split, encoder: Encoder, modality: Modality) -> Iterator[np.ndarray]:
    starts = range(0, len(split.ids), IMAGES_A_BLOCK)
    for start in tqdm(starts, desc=f"encode {split.name} {modality}s", unit="block", leave=False):
        indices = range(start, min(start + IMAGES_A_BLOCK, len(split.ids)))
        if modality == "image":
            yield encoder.encode_images(split.render(indices))
        else:
            yield encoder.encode_texts([caption for i in indices for caption in split.captions[i]])
