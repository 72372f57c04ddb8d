"""Several captioners of one shape trained in one program: trained weights stacked, frozen ones shared.

A small model's step costs mostly the starting of its many small kernels. Here one kernel serves all runs: torch.func's
`vmap` computes the loss of every run at once, on weights stacked along a first dimension. Each run keeps its own
embeddings, captions, noise and seed, and nothing of one run reaches another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from capdec_core.batches import Batch, PackedCaptions, side_by_side
from capdec_core.bridges import FittedBridge
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.language_model import PretrainedConfig
from capdec_core.noise import Perturbation
from capdec_core.noise.base import measured_cosine
from capdec_core.training import (
    CaptionLoss,
    Progress,
    TrainingRecord,
    fit,
    order_of,
    require_fit,
    require_norm,
    start,
)


@dataclass(frozen=True)
class Run:
    """One of several trainings: the arguments of `training.train` that may differ between them."""

    captioner: Captioner
    embeddings: Tensor
    noise: Perturbation | FittedBridge
    seed: int


def train_side_by_side(
    runs: Sequence[Run],
    captions: PackedCaptions,
    budget: Budget,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> list[TrainingRecord]:
    """Train the captioners of all runs, in place and on `device`, as `training.train` trains each alone.

    They have one configuration, no dropout, and the same weights where they are frozen. Each run comes to what it
    comes to alone, up to rounding. Captions are padded to the longest of all runs, which costs little where
    small kernels are waited for.

    Raises CapdecError as `train` does; ValueError for captioners that cannot share a program.
    """
    stack = _Stack([run.captioner for run in runs])
    for run in runs:
        require_fit(run.captioner, run.embeddings, captions)
    resident = {id(run.embeddings): run.embeddings.to(device) for run in runs}
    for run in runs:
        require_norm(resident[id(run.embeddings)], run.noise)
    sources = [resident[id(run.embeddings)] for run in runs]

    def perturbed_rows(i: int, x: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        return runs[i].noise.perturb(
            x, generator=state.generators[i], loss=lambda at: stack.loss_of(i, at, tokens, lengths)
        )

    def step_loss(_: int, batch: Batch, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.stack([source[own] for source, own in zip(sources, batch.rows, strict=True)])
        perturbed = torch.stack([perturbed_rows(i, x[i], tokens[i], lengths[i]) for i in range(len(runs))])
        return stack.losses(perturbed, tokens, lengths), measured_cosine(x, perturbed).mean(dim=1)

    seeds = [run.seed for run in runs]
    identity = {"config": asdict(runs[0].captioner.config), "noise": [run.noise.to_dict() for run in runs]}
    state = start(stack, captions, budget, seeds, device, identity)
    orders = [order_of(captions, budget, seed, device) for seed in seeds]

    def order(done: int) -> Iterator[Batch]:
        return side_by_side([own(done) for own in orders])

    with sdpa_kernel(SDPBackend.MATH):  # the one that vmap can batch
        records = fit(state, step_loss, captions, budget, order, progress=progress)
    stack.hand_back()
    return records


class _Stack(nn.Module):
    """Captioners of one configuration as one module, whose trained parameters are theirs, stacked."""

    def __init__(self, captioners: Sequence[Captioner]) -> None:
        super().__init__()
        _require_one_shape(captioners)
        self._captioners = list(captioners)
        self._model = CaptionLoss(captioners[0])
        self._names = [name for name, weight in self._model.named_parameters() if weight.requires_grad]
        self.trained = nn.ParameterList(torch.stack(weights) for weights in self._weights())

    def _weights(self) -> list[tuple[Tensor, ...]]:
        """Return each trained parameter of all captioners."""
        each = [dict(CaptionLoss(captioner).named_parameters()) for captioner in self._captioners]
        return [tuple(own[name].detach() for own in each) for name in self._names]

    def losses(self, embeddings: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return each run's mean loss (runs,) on its own batch: embeddings (runs, batch, d) and so on."""

        def one(weights: tuple[Tensor, ...], *batch: Tensor) -> Tensor:
            return functional_call(self._model, dict(zip(self._names, weights, strict=True)), batch)

        return vmap(one)(tuple(self.trained), embeddings, tokens, lengths)

    def loss_of(self, run: int, embeddings: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the loss of each sample (batch,) of one run's batch, for noise that follows a gradient."""
        weights = {name: stacked[run] for name, stacked in zip(self._names, self.trained, strict=True)}
        return functional_call(self._model, weights, (embeddings, tokens, lengths), {"per_sample": True})

    def hand_back(self) -> None:
        """Copy the trained weights into the captioners, and leave these in evaluation mode."""
        for weights, stacked in zip(self._weights(), self.trained, strict=True):
            for weight, trained in zip(weights, stacked, strict=True):
                weight.copy_(trained.detach())
        for captioner in self._captioners:
            captioner.eval()


def _require_one_shape(captioners: Sequence[Captioner]) -> None:
    configs = {str(captioner.config) for captioner in captioners}
    if len(configs) != 1:
        raise ValueError(f"captioners of {len(configs)} configurations cannot be trained side by side")
    if isinstance(captioners[0].config.language_model, PretrainedConfig):
        raise ValueError("captioners of a pre-trained language model cannot be trained side by side")
    if captioners[0].config.language_model.dropout:
        raise ValueError("captioners with dropout cannot be trained side by side")
