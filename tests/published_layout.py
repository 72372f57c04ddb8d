"""The published captioners in small, module for module as CapDec's and ClipCap's train.py name and compute them.

Written from the layout of rmokady/CLIP_prefix_caption and DavidHuji/CapDec, so that a file of these modules' own
`state_dict` has the published names and shapes, and their forward pass is the oracle for what is made of it.
"""

from pathlib import Path
from typing import Any

import torch
from tiny import padded, unit_rows
from tiny_models import DIM, write_tokenizer
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from capdec_core.captioner import Captioner
from capdec_core.files import file_digest


class Tanh(nn.Module):
    """ClipCap's MLP: `model.0` and `model.2`, with tanh between."""

    def __init__(self, dim: int, width: int, k: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(dim, width * k // 2), nn.Tanh(), nn.Linear(width * k // 2, width * k)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Attention(nn.Module):
    """Queries and keys-values without biases; heads side by side in a row of five dimensions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_queries = nn.Linear(width, width, bias=False)
        self.to_keys_values = nn.Linear(width, 2 * width, bias=False)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        queries = self.to_queries(x).reshape(b, n, self.heads, c // self.heads)
        both = self.to_keys_values(x).reshape(b, n, 2, self.heads, c // self.heads)
        scores = torch.einsum("bnhd,bmhd->bnmh", queries, both[:, :, 0]) * (c // self.heads) ** -0.5
        mixed = torch.einsum("bnmh,bmhd->bnhd", scores.softmax(dim=2), both[:, :, 1])
        return self.project(mixed.reshape(b, n, c))


class Feedforward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.relu(self.fc1(x)))


class Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, heads), Feedforward(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Layers(nn.Module):
    def __init__(self, width: int, heads: int, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Transformer(nn.Module):
    """CapDec's mapper: what the embedding says stands before the constants, and the constants' places are read."""

    def __init__(self, dim: int, width: int, k: int, clip: int, heads: int, count: int) -> None:
        super().__init__()
        self.clip = clip
        self.transformer = Layers(width, heads, count)
        self.linear = nn.Linear(dim, clip * width)
        self.prefix_const = nn.Parameter(torch.randn(k, width))

    def forward(self, x: Tensor) -> Tensor:
        read = self.linear(x).view(len(x), self.clip, -1)
        constants = self.prefix_const.unsqueeze(0).expand(len(x), *self.prefix_const.shape)
        return self.transformer(torch.cat((read, constants), dim=1))[:, self.clip :]


class PublishedModel(nn.Module):
    """ClipCaptionModel: `gpt` and `clip_project`, saved both, whether or not GPT-2 was trained."""

    def __init__(self, gpt: GPT2LMHeadModel, clip_project: nn.Module, k: int) -> None:
        super().__init__()
        self.gpt, self.clip_project, self.k = gpt, clip_project, k

    @torch.no_grad()
    def logits(self, embeddings: Tensor, tokens: Tensor) -> Tensor:
        """Return (batch, t + 1, vocabulary): the prefix's last place and the tokens'."""
        prefix = self.clip_project(embeddings).view(len(embeddings), self.k, -1)
        told = torch.cat((prefix, self.gpt.transformer.wte(tokens)), dim=1)
        return self.gpt(inputs_embeds=told).logits[:, self.k - 1 :]


def published_model(gpt: Path, dim: int, kind: str, heads: int = 8, seed: int = 3) -> PublishedModel:
    """Return a published captioner before the GPT-2 in a folder: prefix 3; a transformer of 2 layers, clip length 2."""
    torch.manual_seed(seed)
    model = GPT2LMHeadModel.from_pretrained(gpt, local_files_only=True)
    width = model.config.n_embd
    mapper = Tanh(dim, width, 3) if kind == "mlp" else Transformer(dim, width, 3, 2, heads, 2)
    return PublishedModel(model, mapper, 3).eval()


def published_state(
    model: PublishedModel, *, old: bool = True, mapper_only: bool = False
) -> dict[str, Tensor]:
    """Return what train.py saved; `old` adds the masks that GPT-2 had as buffers until transformers 4.31."""
    state = dict(model.state_dict())
    length = model.gpt.config.n_positions
    for layer in range(model.gpt.config.n_layer if old else 0):
        block = f"gpt.transformer.h.{layer}.attn."
        state[f"{block}bias"] = torch.ones(1, 1, length, length, dtype=torch.uint8).tril()
        state[f"{block}masked_bias"] = torch.tensor(-1e4)
    return {name: t for name, t in state.items() if name.startswith("clip_project.") or not mapper_only}


def saved(state: object, folder: Path) -> Path:
    """Save a state as train.py does; return the file."""
    path = folder / "model.pt"
    torch.save(state, path)
    return path


@torch.no_grad()
def logits(captioner: Captioner, embeddings: Tensor, tokens: Tensor) -> Tensor:
    """Return a captioner's, as `PublishedModel.logits` does."""
    model, prefix = captioner.language_model, captioner.prefix(embeddings)
    inputs = torch.cat([prefix, model.get_input_embeddings()(tokens)], dim=1)
    return model(inputs_embeds=inputs).logits[:, prefix.shape[1] - 1 :]


def tuned(model: PublishedModel) -> PublishedModel:
    """What training makes of GPT-2: every weight moved a little."""
    with torch.no_grad():
        for weight in model.gpt.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return model


def same_logits(captioner: Captioner, model: PublishedModel) -> None:
    """Assert that a captioner computes what a published one does, up to float rounding."""
    tokens, _ = padded([[1, 5, 9, 200], [7], [42, 3]])
    rows = unit_rows(3)
    assert rows.shape[1] == DIM
    torch.testing.assert_close(
        logits(captioner, rows, tokens), model.logits(rows, tokens), atol=2e-4, rtol=1e-4
    )


TABLE = """[pretrained_capdec]
hub = "{hub}"
revision = "{revision}"
file = "model.pt"
sha256 = "{sha256}"
variance = 0.05
stop = "."
mapper = {{ kind = "transformer", prefix_length = 3, clip_length = 2, heads = 8, layers = 2 }}
"""


def publish_capdec(model: PublishedModel, folder: Path, hub: str, revision: str) -> str:
    """Write a transformer's model.pt into a folder, and return the table of a profile that names it on the hub."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(published_state(model), folder / "model.pt")
    return TABLE.format(hub=hub, revision=revision, sha256=file_digest(folder / "model.pt"))


def write_gpt2_of(folder: Path, **shape: Any) -> None:
    """Write a GPT-2 of another shape than `tiny_models.write_gpt2` does, with random weights."""
    folder.mkdir(parents=True)
    end = write_tokenizer(folder) - 1
    sizes = {"n_positions": 48, "n_embd": 32, "n_layer": 2, "n_head": 4} | shape
    GPT2LMHeadModel(
        GPT2Config(vocab_size=end + 1, bos_token_id=end, eos_token_id=end, **sizes)
    ).save_pretrained(folder)
