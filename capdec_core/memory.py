"""How much memory a training takes, before it is started: what is allocated, by closed form.

Counted in float32 numbers. Weights that are trained are there four times at the optimiser's step (themselves, their
gradients, AdamW's two moments), frozen ones once. Beside them stands what the forward pass keeps for the backward
pass, counted layer by layer below, and the logits, which are there three times when their gradient is made.
"""

import functools

import torch

from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.language_model import LanguageModelConfig, PretrainedConfig
from capdec_core.mapper import MapperConfig

FLOAT = 4
"""Bytes of a number."""


def training_memory(config: CaptionerConfig, batch_size: int, caption_tokens: int, runs: int = 1) -> int:
    """Return the peak memory (bytes) that a training's tensors take on a device, within about a fifth.

    `caption_tokens` is the longest caption's number of tokens; `runs` are trained side by side. Dropout's masks
    and the working memory of single kernels are not counted.
    """
    trained, frozen = parameter_counts(config)
    kept = batch_size * saved_by_sample(config, caption_tokens)
    logits = 3 * batch_size * (caption_tokens + 1) * config.language_model.vocab_size
    beside = max(kept + logits, trained)  # activations are gone when the last gradients come
    return FLOAT * (runs * (3 * trained + beside) + frozen)


@functools.cache
def parameter_counts(config: CaptionerConfig) -> tuple[int, int]:
    """Return how many parameters are trained and how many are frozen; no memory is taken for them."""
    with torch.device("meta"):
        parameters = list(Captioner(config).parameters())
    trained = sum(weight.numel() for weight in parameters if weight.requires_grad)
    return trained, sum(weight.numel() for weight in parameters) - trained


def saved_by_sample(config: CaptionerConfig, caption_tokens: int) -> int:
    """Return the numbers that one sample's forward pass keeps for the backward pass, logits apart.

    What is frozen is counted as if it were tuned.
    """
    model, prefix = config.language_model, config.mapper.prefix_length
    if isinstance(model, PretrainedConfig) and model.architecture != "gpt2":
        saved = _saved_by_gated_blocks(model, prefix, caption_tokens)
    else:
        saved = _saved_by_gpt2(model, prefix, caption_tokens)
    return saved + _saved_by_mapper(config.mapper)


def _saved_by_gpt2(model: LanguageModelConfig, prefix: int, caption_tokens: int) -> int:
    """A GPT-2 block keeps 17 numbers a place and unit of width.

    Its input and second sum, both norms' outputs, queries, keys and values, attention's output before and after
    its heads are joined, and twice the four-fold hidden layer. The last block keeps keys, values and a norm's
    output for the prefix's places, no more.
    """
    whole = 17 * model.width * (prefix + caption_tokens)
    last = 4 * model.width * (prefix - 1) + 17 * model.width * (caption_tokens + 1)
    end = 2 * model.width * (caption_tokens + 1)
    return (model.layers - 1) * whole + last + end


def _saved_by_gated_blocks(model: PretrainedConfig, prefix: int, caption_tokens: int) -> int:
    """A Llama block keeps 10 numbers a place and unit of width, and 4 a unit of its hidden layer.

    Both norms' inputs, scaled inputs and outputs, queries, keys and values as the heads read them, attention's
    output; of the hidden layer gate and value before and after the gate. Fewer heads of keys and values than of
    queries keep less, up to 2 of the 10. Other architectures are counted by the same rule.
    """
    places = prefix + caption_tokens
    blocks = model.layers * places * (10 * model.width + 4 * model.inner)
    return blocks + 2 * model.width * places + model.width * (caption_tokens + 1)


def _saved_by_mapper(mapper: MapperConfig) -> int:
    out = mapper.width * mapper.prefix_length
    if mapper.kind == "linear":
        return mapper.embedding_dim
    if mapper.kind == "mlp":
        return mapper.embedding_dim + (mapper.hidden or out // 2)
    block = (9 + mapper.mlp_ratio) * mapper.block_width
    return int(mapper.layers * block * (mapper.clip_length + mapper.prefix_length)) + mapper.embedding_dim
