"""The sizes that are measured, and both sides' models with equal weights."""

from dataclasses import dataclass, replace
from typing import Any

from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.reference import MLP, ClipCaptionModel, ClipCaptionPrefix, TransformerMapper
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.language_model import LanguageModelConfig
from capdec_core.mapper import MapperConfig

GPT2_SMALL = LanguageModelConfig(50257, 768, 12, 12, 1024, tuned=True, dropout=0.1)
FROZEN = replace(GPT2_SMALL, tuned=False)


@dataclass(frozen=True)
class Preset:
    """A captioner of a paper, its batch size, and the ratio to the reference recipe asked of training on a CPU."""

    name: str
    config: CaptionerConfig
    batch_size: int
    bar: float


def paper_presets(quick: bool) -> list[Preset]:
    """Return the papers' captioners on GPT-2 small; with `quick`, shrunk to what runs in a moment."""
    found = [
        Preset(
            "CapDec: transformer mapper, prefix 40, tuned",
            CaptionerConfig(MapperConfig("transformer", 640, 768, 40, clip_length=40), GPT2_SMALL),
            40,
            1.9,
        ),
        Preset(
            "ClipCap: MLP, prefix 10, tuned",
            CaptionerConfig(MapperConfig("mlp", 512, 768, 10), GPT2_SMALL),
            40,
            2.2,
        ),
        Preset(
            "ClipCap: transformer mapper, prefix 10, frozen",
            CaptionerConfig(MapperConfig("transformer", 512, 768, 10), FROZEN),
            40,
            3.0,
        ),
    ]
    return [_shrunk(preset) for preset in found] if quick else found


def _shrunk(preset: Preset) -> Preset:
    mapper = replace(preset.config.mapper, width=32, layers=2, embedding_dim=16)
    language_model = replace(preset.config.language_model, width=32, layers=2, heads=4, vocab_size=9000)
    return replace(preset, config=CaptionerConfig(mapper, language_model), batch_size=4)


def reference_model(captioner: Captioner) -> ClipCaptionModel:
    """Return the reference's model with the captioner's weights (copied).

    GPT-2 is made as transformers makes it from a checkpoint of that shape: its own activation and attention.
    Raises ValueError for a mapper that the reference does not have.
    """
    config = captioner.config
    mapper = _reference_mapper(config.mapper)
    mapper.load_state_dict(
        {renamed(config.mapper, name): tensor for name, tensor in captioner.mapper.state_dict().items()}
    )
    shape = config.language_model
    gpt = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=shape.vocab_size,
            n_positions=shape.positions,
            n_embd=shape.width,
            n_layer=shape.layers,
            n_head=shape.heads,
            resid_pdrop=shape.dropout,
            embd_pdrop=shape.dropout,
            attn_pdrop=shape.dropout,
            bos_token_id=shape.eos_id,
            eos_token_id=shape.eos_id,
        )
    )
    gpt.load_state_dict(captioner.language_model.state_dict())
    kind = ClipCaptionModel if shape.tuned else ClipCaptionPrefix
    return kind(mapper, gpt, config.mapper.prefix_length)


def _reference_mapper(config: MapperConfig) -> nn.Module:
    if config.inner_width is not None:
        raise ValueError("the reference's transformer has the language model's width")
    if config.kind == "transformer":
        sizes: dict[str, Any] = {name: getattr(config, name) for name in ("heads", "mlp_ratio")}
        return TransformerMapper(
            config.embedding_dim,
            config.width,
            config.prefix_length,
            config.clip_length,
            config.layers,
            **sizes,
        )
    out = config.width * config.prefix_length
    between = [config.hidden or out // 2] if config.kind == "mlp" else []
    return MLP([config.embedding_dim, *between, out])


_NAMES = {
    "transformer": {
        "constants": "prefix_const",
        "blocks.": "layers.",
        "attention.": "attn.",
        "mlp.0.": "mlp.fc1.",
        "mlp.2.": "mlp.fc2.",
    },
    "mlp": {"hidden.": "model.0.", "output.": "model.2."},
    "linear": {"output.": "model.0."},
}


def renamed(config: MapperConfig, name: str) -> str:
    """Return the reference's name of a weight of this project's mapper."""
    for ours, theirs in _NAMES[config.kind].items():
        name = name.replace(ours, theirs)
    return name
