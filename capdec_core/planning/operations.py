"""How many floating-point operations a captioner's training and decoding need, by formula, and a GPU's most.

Counted is useful work alone: matrix products and attention at real positions whose outcome is read, logits where a
token is predicted, two operations a multiplication with its addition. Padding, recomputation, element-wise work and
the optimiser do not count, so the share of a GPU's peak is its model-flop utilisation (Chowdhery et al. 2022, "PaLM",
appendix B).
"""

import re
from collections.abc import Iterable

from capdec_core.captioner import CaptionerConfig
from capdec_core.language_model import LanguageModelConfig
from capdec_core.mapper import MapperConfig

PEAK_BF16: dict[str, float] = {
    "GB200": 2500e12,
    "B200": 2250e12,
    "H200": 989e12,
    "GH200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "A40": 149.7e12,
    "A30": 165e12,
    "A10G": 70e12,
    "A10": 125e12,
    "L40S": 362e12,
    "L40": 181e12,
    "L4": 121e12,
    "RTX 4090": 165.2e12,
    "RTX 3090": 71e12,
}
"""Dense bfloat16 tensor-core operations a second (accumulated in 32 bits), by words of the GPU's name.

Source: NVIDIA's data sheets and architecture papers of each; where only the figure with sparsity is printed, half
of it.
"""


def peak_flops(gpu: str) -> float | None:
    """Return the peak of the GPU of this name (as CUDA tells it), or None if the table does not know it."""
    known = [name for name in PEAK_BF16 if re.search(rf"\b{name}\b", gpu)]
    return PEAK_BF16[max(known, key=len)] if known else None


def training_flops(config: CaptionerConfig, lengths: Iterable[int]) -> int:
    """Return the operations of forward and backward pass over captions of these lengths (without end of text).

    The backward pass costs the forward pass twice, once for activations and once for weights, with two
    exceptions: the weights of a frozen language model need none, and neither does what the mapper reads.
    """
    backward = 2 if config.language_model.tuned else 1
    mapper = 3 * mapper_flops(config.mapper) - _input_flops(config.mapper)
    language = attention = 0
    for length in lengths:
        products, mixing = language_model_flops(
            config.language_model, config.mapper.prefix_length + length, length + 1
        )
        language += mapper + (1 + backward) * products
        attention += 3 * mixing
    return language + attention


def decoding_flops(config: CaptionerConfig, width: int, tokens: int) -> int:
    """Return the operations of `tokens` steps of decoding one image, in which `width` captions of it grow at once.

    The prefix is read once; each step reads one place a caption, behind a cache that is half grown on the mean.
    """
    prefix, model = config.mapper.prefix_length, config.language_model
    reading = sum(language_model_flops(model, prefix, 1))
    place = language_model_flops(model, 1, 1)[0] + 4 * model.layers * model.width * (prefix + tokens // 2)
    return mapper_flops(config.mapper) + reading + width * tokens * place


def language_model_flops(config: LanguageModelConfig, positions: int, predicted: int) -> tuple[int, int]:
    """Return GPT-2's operations, forward, for one text: products with weights, and attention's two products.

    `positions` are read and logits are made at the last `predicted` of them, which are all that the last block
    must finish. Attention is counted as if it were not causal, the usual convention.
    """
    width = config.width
    block, last = (_block_flops(width, 4 * width, positions, asked) for asked in (positions, predicted))
    mixing = 4 * positions * width * ((config.layers - 1) * positions + predicted)
    return (config.layers - 1) * block + last + 2 * predicted * width * config.vocab_size, mixing


def mapper_flops(config: MapperConfig) -> int:
    """Return a mapper's operations, forward, for one embedding; its last block finishes the prefix alone."""
    if config.kind != "transformer":
        return _input_flops(config) + _mlp_output_flops(config)
    width, length, asked = config.block_width, config.clip_length + config.prefix_length, config.prefix_length
    hidden = int(width * config.mlp_ratio)
    blocks = (config.layers - 1) * _block_flops(width, hidden, length, length)
    blocks += _block_flops(width, hidden, length, asked)
    mixing = 4 * length * width * ((config.layers - 1) * length + asked)
    leaving = 0 if width == config.width else 2 * asked * width * config.width
    return _input_flops(config) + blocks + mixing + leaving


def _block_flops(width: int, hidden: int, length: int, asked: int) -> int:
    """Operations of a block's weights: keys and values at `length` places, all else at those asked for."""
    return 4 * length * width * width + asked * (4 * width * width + 4 * width * hidden)


def _input_flops(config: MapperConfig) -> int:
    """Operations of the layer that reads the embedding."""
    if config.kind == "transformer":
        return 2 * config.embedding_dim * config.clip_length * config.block_width
    out = config.width * config.prefix_length
    return 2 * config.embedding_dim * (out if config.kind == "linear" else config.hidden or out // 2)


def _mlp_output_flops(config: MapperConfig) -> int:
    out = config.width * config.prefix_length
    return 0 if config.kind == "linear" else 2 * (config.hidden or out // 2) * out
