"""The captioner: a mapper and the prefix language model it speaks through."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GPT2LMHeadModel, PreTrainedModel

from capdec_core.checkpoints import differences, load_tensors, save_tensors
from capdec_core.errors import CapdecError
from capdec_core.language_model import (
    LanguageModelConfig,
    PretrainedConfig,
    build_language_model,
    continuation_loss,
    language_model_config,
)
from capdec_core.mapper import MapperConfig, build_mapper
from capdec_core.pretrained import empty_model, load_model

_HEAD = "lm_head.weight"  # where tied to the token embeddings, it is not stored twice
_MODEL = "language_model."


@dataclass(frozen=True)
class CaptionerConfig:
    """A mapper and a language model of the same width; ValueError if the widths differ or no caption fits."""

    mapper: MapperConfig
    language_model: LanguageModelConfig

    def __post_init__(self) -> None:
        if self.mapper.width != self.language_model.width:
            raise ValueError(
                f"mapper width {self.mapper.width}, language model width {self.language_model.width}"
            )
        if self.mapper.prefix_length >= self.language_model.positions:
            raise ValueError(
                f"a prefix of {self.mapper.prefix_length} leaves no room for a caption in "
                f"{self.language_model.positions} positions"
            )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "CaptionerConfig":
        """Invert `dataclasses.asdict`; raises KeyError, TypeError or ValueError for anything else."""
        return cls(MapperConfig(**data["mapper"]), language_model_config(data["language_model"]))

    @property
    def max_tokens(self) -> int:
        """The most caption tokens, end of text included, that the language model has positions for."""
        return self.language_model.positions - self.mapper.prefix_length + 1

    @property
    def borrows(self) -> bool:
        """Whether the language model is another's, as it was: its weights are found by name, not stored."""
        return isinstance(self.language_model, PretrainedConfig) and not self.language_model.tuned


class Captioner(nn.Module):
    """Turns joint embeddings into a prefix, and scores captions after it.

    Embeddings are taken as they are: rows are made unit once, by who makes them, for text and images alike.
    """

    def __init__(
        self, config: CaptionerConfig, *, seed: int = 0, language_model: GPT2LMHeadModel | None = None
    ) -> None:
        """Draw initial weights from `seed`; `language_model`, if given, lends its weights (they are copied).

        A language model with a name comes with its own weights. The global generator is left as it was. The
        mapper's weights depend on the seed alone, not on whether a language model was given. Raises CapdecError
        if the given model has another shape, or the one with a name is not there or is not the one that
        `config` describes.
        """
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.mapper = build_mapper(config.mapper)
            self.language_model: PreTrainedModel = _language_model(config.language_model)
        if language_model is not None:
            self._copy_language_model(language_model)

    def _copy_language_model(self, source: GPT2LMHeadModel) -> None:
        try:
            self.language_model.load_state_dict(source.state_dict())
        except RuntimeError as error:
            raise CapdecError(f"the given language model has another shape: {error}") from None

    def train(self, mode: bool = True) -> "Captioner":
        """Set training mode; a frozen language model stays in evaluation mode, without dropout."""
        super().train(mode)
        if not self.config.language_model.tuned:
            self.language_model.eval()
        return self

    def prefix(self, embeddings: Tensor) -> Tensor:
        """Map embeddings (batch, d) to the prefix (batch, k, width)."""
        return self.mapper(embeddings)

    def loss(
        self,
        embeddings: Tensor,
        tokens: Tensor,
        lengths: Tensor,
        *,
        total: int | None = None,
        per_sample: bool = False,
    ) -> Tensor:
        """Return the mean negative log-likelihood (nats) of captions and their end of text.

        `embeddings` (batch, d), `tokens` (batch, t) padded at the right with any id, `lengths` (batch,), whose
        sum is `total`: where it is known on the host, padding is not computed. The mean is over all tokens of
        the batch, or over each caption's own, (batch,), with `per_sample`.
        """
        return continuation_loss(
            self.language_model,
            self.prefix(embeddings),
            tokens,
            lengths,
            total=total,
            per_sample=per_sample,
        )

    def save(self, path: Path) -> None:
        """Write weights and configuration as safetensors, atomically.

        A pre-trained language model that stayed frozen is not written: the configuration has its name and the
        hash of its weights.
        """
        tensors = _untied(self, self.language_model)
        if self.config.borrows:
            tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(_MODEL)}
        save_tensors(path, "captioner", asdict(self.config), tensors)

    @classmethod
    def load(cls, path: Path, expected: CaptionerConfig | None = None) -> "Captioner":
        """Rebuild a captioner from its file, on the CPU in evaluation mode.

        Raises CapdecError if the file is missing, damaged or foreign, or if its configuration is not
        `expected`: heads, for one, change no tensor's shape, so only the configuration can tell. A language
        model with a name must be there, with the same weights as when the captioner was made.
        """
        found, tensors = load_tensors(path, "captioner")
        if expected is not None:
            _refuse_other_config(path, found, asdict(expected))
        config = _parsed(path, found)
        with torch.device("meta"):
            captioner = cls(config)
        if isinstance(config.language_model, PretrainedConfig):
            captioner.language_model = load_model(config.language_model)
        _fill(captioner, captioner.language_model, tensors, path, _MODEL if config.borrows else None)
        return captioner.eval()


def _language_model(config: LanguageModelConfig) -> PreTrainedModel:
    """Return the language model with its first weights; on the meta device one without any."""
    if not isinstance(config, PretrainedConfig):
        return build_language_model(config)
    return empty_model(config) if torch.get_default_device().type == "meta" else load_model(config)


def save_language_model(model: GPT2LMHeadModel, config: LanguageModelConfig, path: Path) -> None:
    """Write a language model's weights and configuration as safetensors, atomically."""
    save_tensors(path, "language model", asdict(config), _untied(model, model))


def load_language_model(path: Path, expected: LanguageModelConfig) -> GPT2LMHeadModel:
    """Rebuild a language model of the `expected` configuration, on the CPU in evaluation mode.

    Raises CapdecError if the file is missing, damaged or foreign, or holds another configuration.
    """
    found, tensors = load_tensors(path, "language model")
    _refuse_other_config(path, found, asdict(expected))
    with torch.device("meta"):
        model = build_language_model(expected)
    _fill(model, model, tensors, path)
    return model.eval()


def _untied(module: nn.Module, language_model: PreTrainedModel) -> dict[str, Tensor]:
    """Return a module's weights, without the output layer where it is the token embeddings."""
    tied = _is_tied(language_model)
    return {
        name: tensor for name, tensor in module.state_dict().items() if not (tied and name.endswith(_HEAD))
    }


def _is_tied(language_model: PreTrainedModel) -> bool:
    return bool(language_model.config.tie_word_embeddings)


def _fill(
    module: nn.Module,
    language_model: PreTrainedModel,
    tensors: dict[str, Tensor],
    path: Path,
    borrowed: str | None = None,
) -> None:
    """Give a module its weights, and tie the output layer to the token embeddings where it belongs there.

    Those whose names begin with `borrowed` are there already.
    """
    try:
        missing, unknown = module.load_state_dict(tensors, strict=False, assign=True)
    except RuntimeError as error:
        raise CapdecError(f"the weights in {path} do not fit their configuration: {error}") from None
    tied = _is_tied(language_model)
    lost = [name for name in missing if not (tied and name.endswith(_HEAD))]
    lost = [name for name in lost if borrowed is None or not name.startswith(borrowed)]
    if lost or unknown:
        raise CapdecError(f"the weights in {path} do not fit their configuration: {[*lost, *unknown]}")
    if tied:
        language_model.get_output_embeddings().weight = language_model.get_input_embeddings().weight


def _refuse_other_config(path: Path, found: dict[str, Any], asked: dict[str, Any]) -> None:
    lines = differences(found, json.loads(json.dumps(asked)))
    if lines:
        raise CapdecError(f"{path} has another configuration: " + "; ".join(lines))


def _parsed(path: Path, found: dict[str, Any]) -> CaptionerConfig:
    try:
        return CaptionerConfig.from_dict(found)
    except (KeyError, TypeError, ValueError) as error:
        raise CapdecError(f"the configuration in {path} makes no captioner: {error}") from None
