"""Training of one captioner, and of a language model alone: a loop that is only a loop."""

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

from capdec_core.batches import PackedCaptions, batches
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.errors import CapdecError
from capdec_core.language_model import language_model_loss
from capdec_core.noise import Perturbation
from capdec_core.resume import RunState, tensor_digest

Progress = Callable[[int, int], None]
StepLoss = Callable[[int, Tensor, Tensor, Tensor], tuple[Tensor, Tensor | float]]


@dataclass(frozen=True)
class TrainingRecord:
    """What a run did.

    `losses` holds each step's mean loss (nats a token). `mean_cosine` is the mean over all samples of the
    cosine between an embedding and its perturbed self, None without embeddings. `seconds` counts training
    only, the part before a resume included. `peak_memory` (bytes) is the device's on CUDA, the whole
    process's otherwise.
    """

    losses: list[float]
    mean_cosine: float | None
    seconds: float
    steps: int
    peak_memory: int


def train(
    captioner: Captioner,
    embeddings: Tensor,
    captions: PackedCaptions,
    noise: Perturbation,
    budget: Budget,
    seed: int,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> TrainingRecord:
    """Train `captioner`, in place and on `device`, to tell each caption from its perturbed embedding.

    `embeddings` (n, d) has one unit row a caption: its text's, or its image's repeated (ClipCap). `noise` is
    called at every step as `noise(x, generator=..., loss=...)` with the batch's rows, a generator of
    `seed`, and a closure that gives each sample's own loss (batch,) at any x; it returns unit rows.
    `progress` is called with (steps done, steps). On a CPU the same arguments give the same bytes, and so
    does a run that was cut off and resumed from `checkpoint`. Afterwards the captioner is in evaluation mode.

    Raises CapdecError if counts or lengths do not fit, or the checkpoint is another run's.
    """
    if len(embeddings) != len(captions):
        raise CapdecError(
            f"{len(embeddings)} embeddings for {len(captions)} captions: one row a caption is needed"
        )
    _require_room(captions, captioner.config.max_tokens)
    resident = embeddings.to(device)

    def step_loss(_: int, rows: Tensor, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = resident[rows]
        perturbed = noise(
            x, generator=run.generator, loss=lambda at: captioner.loss(at, tokens, lengths, True)
        )
        return captioner.loss(perturbed, tokens, lengths), (x * perturbed).sum(dim=1).mean()

    identity = {
        "config": asdict(captioner.config),
        "noise": noise.to_dict(),
        "embeddings": tensor_digest(embeddings),
    }
    run = _start(captioner, captions, budget, seed, device, identity)
    return _fit(run, step_loss, captions, budget, seed, checkpoint, progress)


def pretrain_language_model(
    model: GPT2LMHeadModel,
    captions: PackedCaptions,
    budget: Budget,
    seed: int,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> TrainingRecord:
    """Train a language model, in place and on `device`, on captions alone, each after end of text.

    Each step's captions start at a position drawn anew (`start_position`): behind a prefix captions stand
    further on than alone, and a model that will be frozen must know those positions, as GPT-2 does from
    longer texts. All weights are trained, then left as trainable or frozen as they were. The other arguments,
    what is raised and what is repeatable are as in `train`.
    """
    _require_room(captions, model.config.n_positions)
    tuned = [weight.requires_grad for weight in model.parameters()]
    model.requires_grad_(True)
    run = _start(model, captions, budget, seed, device, {"config": model.config.to_diff_dict()})

    def step_loss(step: int, _: Tensor, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, float]:
        offset = start_position(seed, step, model.config.n_positions - tokens.shape[1] - 1)
        return language_model_loss(model, tokens, lengths, offset=offset), torch.nan

    record = _fit(run, step_loss, captions, budget, seed, checkpoint, progress)
    for weight, was in zip(model.parameters(), tuned, strict=True):
        weight.requires_grad_(was)
    return record


def start_position(seed: int, step: int, last: int) -> int:
    """Return where the captions of a step start, uniform over 0 to `last` inclusive.

    It depends on its arguments alone, so a resumed run needs no state for it.
    """
    return int(np.random.default_rng((seed, step)).integers(last + 1))


def _start(
    module: nn.Module,
    captions: PackedCaptions,
    budget: Budget,
    seed: int,
    device: torch.device | str,
    identity: dict[str, Any],
) -> RunState:
    module.to(device).train()
    trained = [weight for weight in module.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, lr=budget.learning_rate, eps=1e-6, weight_decay=budget.weight_decay, fused=True
    )
    identity |= {
        "budget": asdict(budget),
        "seed": seed,
        "captions": tensor_digest(captions.flat, captions.lengths),
    }
    generator = torch.Generator(device).manual_seed(seed)
    return RunState(module, optimizer, generator, torch.zeros(budget.steps, 2, device=device), identity)


def _fit(
    run: RunState,
    step_loss: StepLoss,
    captions: PackedCaptions,
    budget: Budget,
    seed: int,
    checkpoint: Path | None,
    progress: Progress | None,
) -> TrainingRecord:
    """Run the steps that are left; nothing in the loop waits for the device but a checkpoint."""
    device = run.generator.device
    packed = captions.to(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        done = run.restore(checkpoint) if checkpoint is not None else 0
        began = time.perf_counter() - run.seconds
        order = batches(captions.lengths.cpu(), budget.batch_size, seed, done, device)
        for step, batch in zip(range(done, budget.steps), order, strict=False):
            loss, cosine = step_loss(step, batch.rows, *packed.padded(batch.rows, batch.width))
            _descend(run.optimizer, loss, budget.rate(step))
            run.history[step, 0], run.history[step, 1] = loss.detach(), cosine
            if progress is not None:
                progress(step + 1, budget.steps)
            if (
                checkpoint is not None
                and budget.checkpoint_every
                and (step + 1) % budget.checkpoint_every == 0
            ):
                run.save(checkpoint, step + 1, time.perf_counter() - began)
    run.module.eval()
    return _record(run, began)


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _record(run: RunState, began: float) -> TrainingRecord:
    history = run.history.cpu()  # waits for the device
    cosine = history[:, 1].mean().item()
    return TrainingRecord(
        losses=history[:, 0].tolist(),
        mean_cosine=None if cosine != cosine else cosine,
        seconds=time.perf_counter() - began,
        steps=len(history),
        peak_memory=peak_memory(run.generator.device),
    )


def peak_memory(device: torch.device | str) -> int:
    """Return the most memory (bytes) used so far: the device's on CUDA, the whole process's otherwise."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _require_room(captions: PackedCaptions, max_tokens: int) -> None:
    longest = int(captions.lengths.max()) + 1
    if longest > max_tokens:
        raise CapdecError(
            f"the longest caption has {longest} tokens with end of text, but the language model has room for "
            f"{max_tokens} after the prefix: shorten it or raise the language model's positions"
        )
