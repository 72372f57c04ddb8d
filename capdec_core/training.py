"""Training of one captioner, and of a language model alone: a loop that is only a loop."""

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

from capdec_core.batches import Batch, PackedCaptions, batches
from capdec_core.bridges import FittedBridge
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.device import autocast, training_dtype
from capdec_core.errors import CapdecError
from capdec_core.language_model import language_model_loss
from capdec_core.noise import NoNoise, Perturbation
from capdec_core.noise.base import measured_cosine, require_unit_rows
from capdec_core.resume import RunState, tensor_digest

Progress = Callable[[int, int], None]
StepLoss = Callable[[int, Batch, Tensor, Tensor], tuple[Tensor, Tensor | float]]
"""Maps a step's number, its batch, tokens and lengths to each run's loss and mean cosine, both () or (runs,)."""
Order = Callable[[int], Iterator[Batch]]
"""Maps a number of steps done to the batches of those that are left."""


@dataclass(frozen=True)
class TrainingRecord:
    """What a run did.

    `losses` holds each step's mean loss (nats a token). `mean_cosine` is the mean over all samples of the
    cosine between an embedding and its perturbed self, None without embeddings. `seconds` counts training
    only, the part before a resume included; runs that were trained side by side share theirs equally.
    `peak_memory` (bytes) is the device's on CUDA, the whole process's otherwise. `side_by_side` is how many
    runs were trained in one program, `processes` how many processes, a device each, shared this one. `precision` is
    what products were computed in: "float32" or "bfloat16".
    """

    losses: list[float]
    mean_cosine: float | None
    seconds: float
    steps: int
    peak_memory: int
    side_by_side: int = 1
    processes: int = 1
    precision: str = "float32"


class CaptionLoss(nn.Module):
    """A captioner whose call is its loss, for what wraps or replaces a module's call."""

    def __init__(self, captioner: Captioner) -> None:
        super().__init__()
        self.captioner = captioner

    def forward(
        self,
        embeddings: Tensor,
        tokens: Tensor,
        lengths: Tensor,
        total: int | None = None,
        per_sample: bool = False,
    ) -> Tensor:
        """Return `Captioner.loss`."""
        return self.captioner.loss(embeddings, tokens, lengths, total=total, per_sample=per_sample)


def train(
    captioner: Captioner,
    embeddings: Tensor,
    captions: PackedCaptions,
    noise: Perturbation | FittedBridge,
    budget: Budget,
    seed: int,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> TrainingRecord:
    """Train `captioner`, in place and on `device`, to tell each caption from its perturbed embedding.

    `embeddings` (n, d) has one row a caption: its text's, or its image's repeated (ClipCap). Rows are unit; for
    `NoNoise`, which adds nothing to them, they may have any norm. `noise` is asked at every step for
    `noise.perturb(x, generator=..., loss=...)` with the batch's rows, a generator of `seed`, and a closure that
    gives each sample's own loss (batch,) at any x; it returns rows of the same shape.
    `progress` is called with (steps done, steps). On one CPU the same arguments give the same bytes, and so
    does a run that was cut off and resumed from `checkpoint`. Afterwards the captioner is in evaluation mode.

    Raises CapdecError if counts or lengths do not fit, or the checkpoint is another run's.
    """
    require_fit(captioner, embeddings, captions)
    resident = embeddings.to(device)
    require_norm(resident, noise)

    def step_loss(_: int, batch: Batch, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = resident[batch.rows]

        def each(at: Tensor) -> Tensor:
            return captioner.loss(at, tokens, lengths, total=batch.total, per_sample=True)

        perturbed = noise.perturb(x, generator=state.generators[0], loss=each)
        loss = captioner.loss(perturbed, tokens, lengths, total=batch.total)
        return loss, measured_cosine(x, perturbed).mean()

    state = start(captioner, captions, budget, [seed], device, identity_of(captioner, noise, embeddings))
    order = order_of(captions, budget, seed, device)
    return fit(state, step_loss, captions, budget, order, checkpoint, progress)[0]


def identity_of(
    captioner: Captioner, noise: Perturbation | FittedBridge, embeddings: Tensor
) -> dict[str, Any]:
    """Return what determines one captioner's training beside what `start` adds, for its checkpoint."""
    return {
        "config": asdict(captioner.config),
        "noise": noise.to_dict(),
        "embeddings": tensor_digest(embeddings),
    }


def require_norm(embeddings: Tensor, noise: Perturbation | FittedBridge) -> None:
    """Raise ValueError for rows that are not unit, unless nothing is added to them."""
    if not isinstance(noise, NoNoise):
        require_unit_rows(embeddings)


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
    state = start(model, captions, budget, [seed], device, {"config": model.config.to_diff_dict()})

    def step_loss(step: int, batch: Batch, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, float]:
        offset = start_position(seed, step, model.config.n_positions - batch.width - 1)
        return language_model_loss(model, tokens, lengths, total=batch.total, offset=offset), torch.nan

    order = order_of(captions, budget, seed, device)
    record = fit(state, step_loss, captions, budget, order, checkpoint, progress)[0]
    for weight, was in zip(model.parameters(), tuned, strict=True):
        weight.requires_grad_(was)
    return record


def start_position(seed: int, step: int, last: int) -> int:
    """Return where the captions of a step start, uniform over 0 to `last` inclusive.

    It depends on its arguments alone, so a resumed run needs no state for it.
    """
    return int(np.random.default_rng((seed, step)).integers(last + 1))


def start(
    module: nn.Module,
    captions: PackedCaptions,
    budget: Budget,
    seeds: list[int],
    device: torch.device | str,
    identity: dict[str, Any],
) -> RunState:
    """Return the state of a run, or of several side by side (one seed each), before its first step."""
    module.to(device).train()
    trained = [weight for weight in module.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(
        trained,
        lr=budget.learning_rate,
        betas=(budget.beta1, budget.beta2),
        eps=1e-6,
        weight_decay=budget.weight_decay,
        fused=True,
    )
    identity |= {
        "budget": asdict(budget),
        "seeds": seeds,
        "precision": _name(_dtype_of(module, torch.device(device))),
        "captions": tensor_digest(captions.flat, captions.lengths),
    }
    generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
    history = torch.zeros(budget.steps, 2, len(seeds), device=device)
    return RunState(module, optimizer, generators, history, identity)


def order_of(captions: PackedCaptions, budget: Budget, seed: int, device: torch.device | str) -> Order:
    """Return the order in which a run of this seed sees the captions."""
    lengths = captions.lengths.cpu()
    return lambda done: batches(lengths, budget.batch_size, seed, done, device)


def fit(
    state: RunState,
    step_loss: StepLoss,
    captions: PackedCaptions,
    budget: Budget,
    order: Order,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> list[TrainingRecord]:
    """Run the steps that are left, and return each run's record; the module is left in evaluation mode.

    Nothing in the loop waits for the device but a checkpoint. Models compute in bfloat16 with float32 weights where
    the hardware has it and that pays (`training_dtype`).
    """
    packed = captions.to(state.device)
    dtype = _dtype_of(state.module, state.device)
    with torch.random.fork_rng(devices=[state.device] if state.device.type == "cuda" else []):
        torch.manual_seed(state.identity["seeds"][0])
        done = state.restore(checkpoint) if checkpoint is not None else 0
        began = time.perf_counter() - state.seconds
        for step, batch in zip(range(done, budget.steps), order(done), strict=False):
            with autocast(state.device, dtype):
                losses, cosines = step_loss(step, batch, *packed.padded(batch.rows, batch.width))
            _descend(state.optimizer, losses.sum(), budget.rate(step))
            state.history[step, 0], state.history[step, 1] = losses.detach(), cosines
            if progress is not None:
                progress(step + 1, budget.steps)
            if checkpoint is not None and _is_due(budget, step + 1):
                state.save(checkpoint, step + 1, time.perf_counter() - began)
    state.module.eval()
    return _records(state, began, dtype)


def _dtype_of(module: nn.Module, device: torch.device) -> torch.dtype:
    """Return what a module computes in when it is trained on a device."""
    return training_dtype(device, sum(weight.numel() for weight in module.parameters()))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _is_due(budget: Budget, done: int) -> bool:
    return budget.checkpoint_every > 0 and done % budget.checkpoint_every == 0


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _records(state: RunState, began: float, dtype: torch.dtype) -> list[TrainingRecord]:
    history = state.history.cpu()  # waits for the device
    seconds, runs = time.perf_counter() - began, history.shape[2]
    return [
        TrainingRecord(
            losses=losses.tolist(),
            mean_cosine=None if cosines.isnan().any() else cosines.mean().item(),
            seconds=seconds / runs,
            steps=len(losses),
            peak_memory=peak_memory(state.device),
            side_by_side=runs,
            precision=_name(dtype),
        )
        for losses, cosines in history.permute(2, 1, 0)
    ]


def peak_memory(device: torch.device | str) -> int:
    """Return the most memory (bytes) used so far: the device's on CUDA, the whole process's otherwise."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resident_peak()


def resident_peak() -> int:
    """Return the most memory (bytes) that this process had resident.

    Linux tells it in /proc; what getrusage tells there begins with the memory of the process that started this one,
    and counts in KiB, unlike on other systems.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def require_fit(captioner: Captioner, embeddings: Tensor, captions: PackedCaptions) -> None:
    """Raise CapdecError unless there is one embedding a caption and room for the longest caption."""
    if len(embeddings) != len(captions):
        raise CapdecError(
            f"{len(embeddings)} embeddings for {len(captions)} captions: one row a caption is needed"
        )
    _require_room(captions, captioner.config.max_tokens)


def _require_room(captions: PackedCaptions, max_tokens: int) -> None:
    longest = int(captions.lengths.max()) + 1
    if longest > max_tokens:
        raise CapdecError(
            f"the longest caption has {longest} tokens with end of text, but the language model has room for "
            f"{max_tokens} after the prefix: shorten it or raise the language model's positions"
        )
