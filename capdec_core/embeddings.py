"""The embedding bank: each caption and image is encoded once and memory-mapped for ever.

A bank is keyed by what decides its content: the corpus's and the encoder's fingerprints, the split and the modality.
Rows are the encoder's raw embeddings; `unit_rows` puts them on the unit sphere, where CapDec works.

While a bank is made, its rows stand in `<bank>.partial` and the checksums of the finished blocks in `<bank>.progress`:
an encoding that was cut off goes on behind the last block that is whole. A second process waits for the first.
"""

import fcntl
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib.format import open_memmap
from tqdm import tqdm

from capdec_core.corpora import Corpus, Split
from capdec_core.encoders import Encoder
from capdec_core.encoders.prefetch import prefetched
from capdec_core.errors import CapdecError
from capdec_core.files import digest, read_json, write_json

Modality = Literal["image", "text"]
MODALITIES: tuple[Modality, ...] = ("image", "text")
IMAGES_A_BLOCK = 256
TEXTS_A_BLOCK = 2048
PHOTOGRAPHS_AT_ONCE = 16
"""Photographs of sizes of their own that a thread holds whole, at about a megabyte each."""


def bank_path(folder: Path, corpus: Corpus, encoder: Encoder, split: str, modality: Modality) -> Path:
    """Return the file of one bank below `folder`."""
    key = digest([corpus.fingerprint, encoder.fingerprint, split, modality])[:16]
    return folder / f"{corpus.name}-{split}-{modality}-{key}.npy"


def bank(folder: Path, corpus: Corpus, encoder: Encoder, split: str, modality: Modality) -> np.ndarray:
    """Return one split's embeddings, read-only and memory-mapped; encode them if no bank holds them yet.

    Returns:
        float32 (rows, d), raw norm: one row an image, or one a caption in the order of the images.

    Raises:
        CapdecError: images are asked of a split that is text only.
    """
    path = bank_path(folder, corpus, encoder, split, modality)
    if not path.exists():
        _write(path, corpus.split(split), encoder, modality)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def unit_rows(embeddings: np.ndarray) -> np.ndarray:
    """Return the embeddings scaled to unit norm along the last axis, float32, in memory."""
    rows = np.asarray(embeddings, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@dataclass(frozen=True)
class _Block:
    """What is encoded in one go: row `rows[i]` of the bank is the embedding of `items[which[i]]`."""

    items: Sequence[Any]
    rows: list[int]
    which: list[int]


def _image_blocks(split: Split) -> list[_Block]:
    """Return blocks of image indices."""
    if split.text_only:
        raise CapdecError(f"split {split.name!r} is text only: there are no images to embed")
    count = len(split.ids)
    spans = [range(i, min(i + IMAGES_A_BLOCK, count)) for i in range(0, count, IMAGES_A_BLOCK)]
    return [_Block(span, list(span), list(range(len(span)))) for span in spans]


def _text_blocks(split: Split) -> list[_Block]:
    """Return blocks of distinct captions, the short ones first, each with all the rows where it stands."""
    rows = defaultdict(list)
    for row, caption in enumerate(caption for group in split.captions for caption in group):
        rows[caption].append(row)
    texts = sorted(rows, key=lambda text: (len(text), text))
    parts = [texts[i : i + TEXTS_A_BLOCK] for i in range(0, len(texts), TEXTS_A_BLOCK)]
    return [
        _Block(
            items=part,
            rows=[row for text in part for row in rows[text]],
            which=[item for item, text in enumerate(part) for _ in rows[text]],
        )
        for part in parts
    ]


def _encoded(
    blocks: list[_Block], split: Split, encoder: Encoder, modality: Modality
) -> Iterator[np.ndarray]:
    """Return the embeddings of each block's items; images are made while earlier ones are encoded."""
    items = [block.items for block in blocks]
    if modality == "text":
        return map(encoder.encode_texts, map(list, items))
    return map(encoder.encode_images, prefetched(_made(split, encoder), items))


def _made(split: Split, encoder: Encoder) -> Callable[[Sequence[int]], np.ndarray]:
    """Return what makes the images of a block; photographs are brought to the encoder's size a few at a time."""
    if not split.own_sizes:
        return split.render

    def made(span: Sequence[int]) -> np.ndarray:
        parts = [span[i : i + PHOTOGRAPHS_AT_ONCE] for i in range(0, len(span), PHOTOGRAPHS_AT_ONCE)]
        return np.concatenate([encoder.fitted(split.render(part)) for part in parts])

    return made


def _write(path: Path, split: Split, encoder: Encoder, modality: Modality) -> None:
    """Encode a split block by block into a partial file that takes the bank's name when it is whole."""
    blocks = _image_blocks(split) if modality == "image" else _text_blocks(split)
    shape = (sum(len(block.rows) for block in blocks), encoder.dim)
    partial, progress = path.with_suffix(".partial"), path.with_suffix(".progress")
    plan = digest([path.name, shape, [len(block.items) for block in blocks]])
    with _alone_with(partial):
        if path.exists():  # another process has made it meanwhile
            partial.unlink(missing_ok=True)
            return
        checksums = _finished(partial, shape, _said(progress, plan), blocks)
        todo = blocks[len(checksums) :]
        rows = open_memmap(partial, mode="r+" if checksums else "w+", dtype=np.float32, shape=shape)
        with tqdm(desc=f"encode {split.name} {modality}s", total=shape[0], leave=False) as bar:
            bar.update(shape[0] - sum(len(block.rows) for block in todo))
            for block, embeddings in zip(todo, _encoded(todo, split, encoder, modality), strict=True):
                rows[block.rows] = embeddings[block.which]
                checksums.append(_checksum(rows, block))
                write_json(progress, {"plan": plan, "checksums": checksums})
                bar.update(len(block.rows))
        rows.flush()
        partial.replace(path)
        progress.unlink()


@contextmanager
def _alone_with(partial: Path) -> Iterator[None]:
    """Hold the partial file, made where it is missing; wait for a process that holds it."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _said(progress: Path, plan: str) -> list[int]:
    """Return the checksums of the blocks that were finished by the same plan."""
    try:
        said = read_json(progress)
        return list(said["checksums"]) if said["plan"] == plan else []
    except (CapdecError, KeyError, TypeError):
        return []


def _finished(partial: Path, shape: tuple[int, int], said: list[int], blocks: list[_Block]) -> list[int]:
    """Return the checksums of the leading blocks that stand whole in the partial file."""
    try:
        rows = open_memmap(partial, mode="r")
    except (OSError, ValueError):
        return []
    if rows.shape != shape or rows.dtype != np.float32:
        return []
    pairs = takewhile(lambda pair: _checksum(rows, pair[1]) == pair[0], zip(said, blocks, strict=False))
    return [checksum for checksum, _ in pairs]


def _checksum(rows: np.ndarray, block: _Block) -> int:
    return zlib.crc32(rows[block.rows].tobytes())
