"""Encoding a corpus: captions cut behind their last word, images made ahead, against the reference code's way.

The reference code of CapDec and ClipCap (`embeddings_generator.py`, `parse_coco.py`) encodes one caption or one image
at a time, every caption padded to the model's context, every photograph read and prepared while the model waits.
Batches of that kind are measured too, so that it shows what batches give and what the rest gives.
"""

import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.encoding_corpus import FOLDER, PHOTOGRAPH, MadeCorpus, miniature, random_encoder
from benchmarks.measure import Side, compare
from capdec_core.embeddings import Modality, bank
from capdec_core.encoders.open_clip import OpenClipEncoder

BATCH = 64


@dataclass(frozen=True)
class Size:
    """Which architecture (None: the miniature), how many captions and photographs, how many pairs of runs."""

    architecture: str | None
    captions: int
    images: int
    pairs: int


QUICK = Size(None, 40, 12, 1)
ON_CPU = Size("ViT-B-32", 128, 64, 3)
ON_GPU = Size("ViT-B-32", 8192, 2048, 5)


def run(device: str, quick: bool) -> dict[str, Any]:
    """Measure captions and photographs a second, ours against the reference way, one at a time and in batches."""
    size = QUICK if quick else ON_CPU if device == "cpu" else ON_GPU
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = MadeCorpus(size.captions, size.images, folder)
        encoder = (
            random_encoder(size.architecture, folder, device) if size.architecture else miniature(device)
        )
        work: list[tuple[Modality, str, int, Callable[[int], np.ndarray]]] = [
            ("text", "caption", size.captions, partial(padded_texts, encoder, corpus)),
            ("image", "photograph", size.images, partial(photographs_in_turn, encoder, corpus)),
        ]
        return {
            "comparisons": [
                compare(
                    f"encoding {unit}s, against {manner}",
                    Side("ours, bank written", count, partial(_in_a_new_bank, corpus, encoder, modality)),
                    Side(manner, count, partial(_nothing_kept, reference, batch)),
                    unit=unit,
                    pairs=size.pairs,
                    device=device,
                )
                for modality, unit, count, reference in work
                for batch, manner in ((1, "one at a time"), (BATCH, f"batches of {BATCH}"))
            ],
            "tables": [_sameness(corpus, encoder)],
            "notes": _notes(size, encoder),
        }


def _notes(size: Size, encoder: OpenClipEncoder) -> list[str]:
    model = f"{size.architecture} with random weights" if size.architecture else "The miniature"
    return [
        f"{model}; distinct captions of the generated world; its scenes as JPEG files of {PHOTOGRAPH[0]} x "
        f"{PHOTOGRAPH[1]} pixels in a zip archive, on disk.",
        f"The reference pads captions to {encoder.tokenizer.context_length} tokens and computes in float32; ours "
        "computes in bfloat16 on a GPU that has it.",
    ]


@torch.inference_mode()
def padded_texts(encoder: OpenClipEncoder, corpus: MadeCorpus, batch: int) -> np.ndarray:
    """Return the captions' embeddings, every caption padded to the context."""
    parts = [corpus.texts[i : i + batch] for i in range(0, len(corpus.texts), batch)]
    rows = [encoder.model.encode_text(encoder.tokenizer(part).to(encoder.device)).cpu() for part in parts]
    return torch.cat(rows).float().numpy()


@torch.inference_mode()
def photographs_in_turn(encoder: OpenClipEncoder, corpus: MadeCorpus, batch: int) -> np.ndarray:
    """Return the photographs' embeddings: a batch is read, prepared and encoded before the next one is begun."""
    rows = []
    with zipfile.ZipFile(corpus.archive) as archive:
        for start in range(0, len(corpus.names), batch):
            names = corpus.names[start : start + batch]
            opened = [Image.open(io.BytesIO(archive.read(f"{FOLDER}/{name}"))) for name in names]
            pixels = torch.stack([encoder.transform(image.convert("RGB")) for image in opened])
            rows.append(encoder.model.encode_image(pixels.to(encoder.device)).cpu())
    return torch.cat(rows).float().numpy()


def _nothing_kept(reference: Callable[[int], np.ndarray], batch: int) -> None:
    reference(batch)


def _in_a_new_bank(corpus: MadeCorpus, encoder: OpenClipEncoder, modality: Modality) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bank(Path(folder), corpus, encoder, "train", modality)


def _sameness(corpus: MadeCorpus, encoder: OpenClipEncoder) -> dict[str, Any]:
    """Return how far our embeddings of captions are from the padded ones."""
    with tempfile.TemporaryDirectory() as folder:
        ours = np.array(bank(Path(folder), corpus, encoder, "train", "text"))
    reference = padded_texts(encoder, corpus, BATCH)
    distances = np.linalg.norm(ours - reference, axis=1) / np.linalg.norm(reference, axis=1)
    return {
        "title": "Captions without padding against captions with it",
        "columns": ["captions", "largest distance, relative to the norm"],
        "rows": [[len(ours), float(distances.max())]],
    }
