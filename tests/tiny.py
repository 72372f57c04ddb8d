"""A captioner small enough to train in seconds, and captions for it."""

import torch
from torch import Tensor

from capdec_core.batches import PackedCaptions
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.language_model import LanguageModelConfig
from capdec_core.mapper import MapperConfig
from capdec_core.noise import NoNoise
from capdec_core.training import Budget, train

VOCABULARY, DIM, EOS = 40, 16, 39


def tiny_config(
    kind: str = "mlp", *, tuned: bool = True, dropout: float = 0.0, heads: int = 4
) -> CaptionerConfig:
    mapper = MapperConfig(kind, DIM, 32, prefix_length=3, clip_length=2, heads=heads, layers=2)
    return CaptionerConfig(mapper, LanguageModelConfig(VOCABULARY, 32, 2, 4, 24, tuned, dropout))


def random_captions(count: int, seed: int = 0) -> list[list[int]]:
    """Captions of 1 to 12 tokens; ids 0 to 36, so that unknown, padding and end of text do not occur."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 13, (count,), generator=generator).tolist()
    return [torch.randint(0, VOCABULARY - 3, (length,), generator=generator).tolist() for length in lengths]


def unit_rows(count: int, seed: int = 0) -> Tensor:
    rows = torch.randn(count, DIM, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=1)


def padded(captions: list[list[int]], filler: int = 0) -> tuple[Tensor, Tensor]:
    """All captions in one right-padded batch, and their lengths."""
    packed = PackedCaptions.pack(captions)
    tokens = torch.full((len(captions), int(packed.lengths.max())), filler)
    for row, caption in enumerate(captions):
        tokens[row, : len(caption)] = torch.tensor(caption)
    return tokens, packed.lengths


def trained_captioner(steps: int = 250) -> tuple[Captioner, Tensor, list[list[int]]]:
    """A captioner that has nearly learnt 40 captions by heart, their embeddings and the captions."""
    captions, embeddings = random_captions(40), unit_rows(40)
    captioner = Captioner(tiny_config("transformer"), seed=1)
    budget = Budget(steps, 20, 5e-3, warmup_steps=20)
    train(captioner, embeddings, PackedCaptions.pack(captions), NoNoise(), budget, seed=1)
    return captioner, embeddings, captions


def kept_for_backward(captioner: Captioner) -> float:
    """Float32 numbers that autograd saves for a caption of 12 tokens, each piece of memory once.

    Parameters and logits are left out. It is a mean over 64 captions.
    """
    own = {weight.untyped_storage().data_ptr() for weight in captioner.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and tensor.is_floating_point():
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    tokens, lengths = padded([[1] * 12] * 64)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = captioner.loss(unit_rows(64), tokens, lengths, total=int(lengths.sum()))
    assert loss.requires_grad
    return sum(kept.values()) / 4 / 64 - 13 * captioner.config.language_model.vocab_size
