"""One training shared by several processes, a device each: every batch is split, and accelerate averages the gradients.

A step is what it is in one process, up to rounding, however many share it. Every process draws the noise of the whole
batch and keeps that of its own rows, and its loss counts as much as the tokens that it predicts. Dropout alone
is drawn by each process for itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from capdec_core.batches import Batch, PackedCaptions
from capdec_core.bridges import FittedBridge
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.errors import CapdecError
from capdec_core.noise import Perturbation
from capdec_core.noise.base import require_unit_rows
from capdec_core.resume import RunState
from capdec_core.training import (
    CaptionLoss,
    Progress,
    TrainingRecord,
    fit,
    identity_of,
    order_of,
    require_fit,
    start,
)

if TYPE_CHECKING:
    from accelerate import Accelerator


def train_together(
    accelerator: "Accelerator",
    captioner: Captioner,
    embeddings: Tensor,
    captions: PackedCaptions,
    noise: Perturbation | FittedBridge,
    budget: Budget,
    seed: int,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> TrainingRecord:
    """Train `captioner` as `training.train` does, with all processes of `accelerator`, each of which calls this.

    The other arguments are the same in every process; the batch size is the whole batch's. Only the main process
    writes the checkpoint, which any number of processes can take up, a single one too. Every process gets the record,
    with its own time and memory.

    Raises CapdecError as `train` does, and where a batch has fewer captions than there are processes.
    """
    require_fit(captioner, embeddings, captions)
    _require_rows(accelerator.num_processes, min(budget.batch_size, len(captions)))
    resident = embeddings.to(accelerator.device)
    require_unit_rows(resident)
    processes, index = accelerator.num_processes, accelerator.process_index
    own = slice(index, None, processes)
    unknown = getattr(captioner.language_model.config, "unk_token_id", None)
    predicted = predicted_tokens(captions, unknown).to(accelerator.device)
    identity = identity_of(captioner, noise, embeddings)
    alone = start(captioner, captions, budget, [seed], accelerator.device, identity)
    state = SharedState(**vars(alone), accelerator=accelerator)
    shared_loss = accelerator.prepare(CaptionLoss(captioner))

    def step_loss(step: int, batch: Batch, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        assert isinstance(batch, OwnRows)
        torch.manual_seed(_dropout_seed(seed, step, index))
        x = resident[batch.whole]

        def each(at: Tensor) -> Tensor:
            losses = captioner.loss(at[own], tokens, lengths, total=batch.total, per_sample=True)
            return torch.slice_scatter(at.new_zeros(len(at)), losses, start=index, step=processes)

        perturbed = noise.perturb(x, generator=state.generators[0], loss=each)[own]
        share = processes * predicted[batch.rows].sum() / predicted[batch.whole].sum()
        cosines = processes * (x[own] * perturbed).sum() / len(x)
        return share * shared_loss(perturbed, tokens, lengths, batch.total), cosines

    def order(done: int) -> Iterator[Batch]:
        whole = order_of(captions, budget, seed, "cpu")(done)
        return own_rows(whole, captions.lengths.cpu(), own, accelerator.device)

    (record,) = fit(state, step_loss, captions, budget, order, checkpoint, progress)
    losses, cosines = state.agreed_history().squeeze(2).cpu().unbind(1)
    return replace(record, losses=losses.tolist(), mean_cosine=cosines.mean().item(), processes=processes)


@dataclass(frozen=True)
class OwnRows(Batch):
    """A process's rows of a batch, their width and total, and the rows of the `whole` batch (int64)."""

    whole: Tensor


def own_rows(
    batches: Iterator[Batch], lengths: Tensor, own: slice, device: torch.device
) -> Iterator[OwnRows]:
    """Yield the `own` part of batches whose rows, like all captions' `lengths`, are on the host."""
    for batch in batches:
        read = lengths[batch.rows[own]]
        whole = batch.rows.to(device, non_blocking=True)
        yield OwnRows(whole[own], int(read.max()), int(read.sum()), whole)


@dataclass
class SharedState(RunState):
    """The state of a run that several processes share.

    Each holds the same but for the history: a process's loss is its part of the batch's times the number of
    processes, so that the mean over the processes is the batch's.
    """

    accelerator: "Accelerator" = field(kw_only=True)

    def agreed_history(self) -> Tensor:
        """Return the batches' losses and cosines (steps, 2, 1); all processes must ask at once."""
        return self.accelerator.reduce(self.history, "mean")

    def save(self, path: Path, step: int, seconds: float) -> None:
        """Write the state as `RunState.save` does, from the main process; all must call it at once."""
        self.history = self.agreed_history()
        if self.accelerator.is_main_process:
            super().save(path, step, seconds)


def predicted_tokens(captions: PackedCaptions, unknown_id: int | None) -> Tensor:
    """Return how many tokens of each caption (n,; int64) are predicted: all but unknown words, and end of text."""
    if unknown_id is None:
        return captions.lengths + 1
    unknown = F.pad((captions.flat == unknown_id).cumsum(0), (1, 0))
    ends = captions.starts + captions.lengths
    return captions.lengths + 1 - (unknown[ends] - unknown[captions.starts])


def _dropout_seed(seed: int, step: int, index: int) -> int:
    """Return a seed of a process's step that depends on these alone, so a resumed run needs no state for it."""
    return int(np.random.SeedSequence((seed, step, index)).generate_state(1)[0])


def _require_rows(processes: int, rows: int) -> None:
    if rows < processes:
        raise CapdecError(
            f"a batch of {rows} captions cannot be shared by {processes} processes: name fewer devices"
        )
