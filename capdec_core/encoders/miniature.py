"""Train the miniature CLIP: open_clip's own model class and loss on the generated world, at the scale CLIP ends with.

The contrastive scale is fixed at 100, where CLIP's learned one is clipped (Radford et al. 2021, section 2.5).
What a constant offset per modality contributes to the modality gap is decided by the initialisation and kept by
training (Liang et al. 2022, "Mind the Gap"): `separate_cones` sets it.
"""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip import ClipLoss
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import save
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from capdec_core.encoders.config import MiniatureConfig
from capdec_core.encoders.open_clip import normalise
from capdec_core.files import write_atomic, write_json

PREPROCESS = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
PAD, START, END, UNKNOWN = "<pad>", "<start>", "<end>", "<unk>"


def make_tokenizer(captions: list[str], context_length: int) -> PreTrainedTokenizerFast:
    """Return a word-level tokenizer over the captions' words, lower-cased, with start and end tokens."""
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^\w\s]|\w+"), "removed", invert=True)
    tokenizer.train_from_iterator(
        captions, trainers.WordLevelTrainer(special_tokens=[PAD, START, END, UNKNOWN], show_progress=False)
    )
    ids = [(token, tokenizer.token_to_id(token)) for token in (START, END)]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{START} $A {END}", special_tokens=ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=context_length,
        clean_up_tokenization_spaces=False,
    )


def model_config(config: MiniatureConfig, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the `model_cfg` of open_clip's configuration file."""
    text = config.text | {
        "vocab_size": len(tokenizer),
        "hf_tokenizer_name": "local",
        "tokenizer_kwargs": {"clean": "lower"},
        "pool_type": "eos",
        "eos_id": tokenizer.eos_token_id,
        "pad_id": tokenizer.pad_token_id,
        "proj_bias": True,
    }
    return {"embed_dim": config.embed_dim, "vision_cfg": config.vision, "text_cfg": text}


def build(config: MiniatureConfig, tokenizer: PreTrainedTokenizerFast) -> CLIP:
    """Return open_clip's CLIP with seeded weights and the modalities' cones apart."""
    settings = model_config(config, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = CLIP(
            config.embed_dim,
            CLIPVisionCfg(**settings["vision_cfg"]),
            CLIPTextCfg(**settings["text_cfg"]),
            init_logit_scale=float(np.log(config.scale)),
        )
        separate_cones(model, config.cone)
    model.logit_scale.requires_grad_(False)
    return model


def separate_cones(model: CLIP, strength: float) -> None:
    """Give the two modalities' projections opposite constant offsets of one random direction.

    Args:
        model: a CLIP whose image tower is a ModifiedResNet and whose text projection has a bias.
        strength: norm of the offset relative to sqrt(d), the norm of an initial text embedding.
    """
    image, text = model.visual.attnpool.c_proj.bias, model.text_projection.bias
    torch.nn.init.normal_(image, std=strength)
    with torch.no_grad():
        text.copy_(-image)


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return AdamW's groups: no decay for gains, biases and positions, as open_clip trains."""
    decayed: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (plain if parameter.ndim < 2 or "positional" in name else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]


def train(
    config: MiniatureConfig,
    images: np.ndarray,
    captions: list[list[str]],
    report: Callable[[str], None] = print,
) -> tuple[CLIP, PreTrainedTokenizerFast]:
    """Train the miniature and return it with its tokenizer.

    Args:
        config: architecture and budget.
        images: uint8 (n, height, width, 3), the pre-training split.
        captions: the n images' captions; each epoch shows one of them, drawn at random.
        report: called with a line of progress an epoch.
    """
    tokenizer = make_tokenizer(
        [caption for group in captions for caption in group], config.text["context_length"]
    )
    model = build(config, tokenizer).to(memory_format=torch.channels_last)
    tokens = _token_table(tokenizer, captions, config.text["context_length"])
    steps = config.epochs * (len(images) // config.batch_size)
    optimiser = torch.optim.AdamW(
        parameter_groups(model, config.weight_decay), lr=config.learning_rate, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _rate(step, config.warmup_steps, steps)
    )
    generator = torch.Generator().manual_seed(config.seed)
    started = time.perf_counter()
    for epoch in range(config.epochs):
        loss = _epoch(model, optimiser, schedule, images, tokens, config.batch_size, generator)
        report(f"epoch {epoch + 1}/{config.epochs}: loss {loss:.3f}, {time.perf_counter() - started:.0f} s")
    return model.eval(), tokenizer


def _token_table(tokenizer: PreTrainedTokenizerFast, captions: list[list[str]], length: int) -> torch.Tensor:
    """Return the token ids (images, captions an image, context length)."""
    flat = [caption for group in captions for caption in group]
    ids = tokenizer(
        flat, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
    ).input_ids
    return ids.view(len(captions), -1, length)


def _rate(step: int, warmup: int, total: int) -> float:
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + np.cos(np.pi * (step - warmup) / max(1, total - warmup)))


def _epoch(
    model: CLIP,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    images: np.ndarray,
    tokens: torch.Tensor,
    batch_size: int,
    generator: torch.Generator,
) -> float:
    model.train()
    criterion, losses = ClipLoss(), []
    order = torch.randperm(len(images), generator=generator)
    for batch in order[: len(images) // batch_size * batch_size].split(batch_size):
        choice = torch.randint(tokens.shape[1], (batch_size,), generator=generator)
        pixels = normalise(torch.from_numpy(images[batch.numpy()]), PREPROCESS).contiguous(
            memory_format=torch.channels_last
        )
        image = model.encode_image(pixels, normalize=True)
        text = model.encode_text(tokens[batch, choice], normalize=True)
        loss = criterion(image, text, model.logit_scale.exp())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())


def save_miniature(
    model: CLIP, tokenizer: PreTrainedTokenizerFast, config: MiniatureConfig, folder: Path
) -> None:
    """Write the folder that `open_clip.create_model("local-dir:FOLDER")` reads: configuration, weights, tokenizer.

    Weights are stored in half precision; they are computed with in single precision.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: _half(value).contiguous() for key, value in model.state_dict().items()}
    write_atomic(folder / "open_clip_model.safetensors", save(tensors, {"format": "pt"}))
    write_json(
        folder / "open_clip_config.json",
        {"model_cfg": model_config(config, tokenizer), "preprocess_cfg": PREPROCESS},
    )
    tokenizer.save_pretrained(folder)
    write_json(folder / "training.json", asdict(config))


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor
