"""What the processes of a shared training do in `test_distributed.py`: they start anew and find it by name."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from tiny import random_captions, tiny_config, unit_rows
from torch import Tensor

from capdec_core import resume
from capdec_core.batches import PackedCaptions
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.distributed import train_together
from capdec_core.noise import Gaussian, NormalisedGradient, Perturbation, Shuffled
from capdec_core.training import TrainingRecord, train

CAPTIONS, ROWS = PackedCaptions.pack(random_captions(50)), unit_rows(50)
BUDGET = Budget(
    steps=12, batch_size=7, learning_rate=1e-3, warmup_steps=3, weight_decay=0.1, checkpoint_every=4
)
UNKNOWN = 5


@dataclass(frozen=True)
class Case:
    """A training; its batches do not halve evenly."""

    noise: Perturbation
    tuned: bool = True
    dropout: float = 0.0
    unknown: int | None = None

    def captioner(self) -> Captioner:
        """Return the captioner before training."""
        config = tiny_config("transformer", tuned=self.tuned, dropout=self.dropout)
        model = replace(config.language_model, unknown_id=self.unknown)
        return Captioner(replace(config, language_model=model), seed=1)

    def alone(self, checkpoint: Path | None = None) -> tuple[Tensor, TrainingRecord]:
        """Train in this process; return the weights, end to end, and the record."""
        captioner = self.captioner()
        record = train(captioner, ROWS, CAPTIONS, self.noise, BUDGET, 3, checkpoint=checkpoint)
        return weights_of(captioner), record

    def together(self, accelerator: Accelerator, **options) -> tuple[Tensor, TrainingRecord]:
        """Train with the other processes."""
        captioner = self.captioner()
        record = train_together(accelerator, captioner, ROWS, CAPTIONS, self.noise, BUDGET, 3, **options)
        return weights_of(captioner), record


CASES = {
    "Gaussian noise, tuned": Case(Gaussian(0.1)),
    "Gaussian noise, frozen": Case(Gaussian(0.1), tuned=False),
    "gradient noise, tuned": Case(NormalisedGradient(0.5)),
    "gradient noise, frozen": Case(NormalisedGradient(0.5), tuned=False),
    "rows that change places, unknown words": Case(Shuffled(), unknown=UNKNOWN),
}
DROPPING = Case(Gaussian(0.1), dropout=0.1)


def weights_of(captioner: Captioner) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in captioner.parameters()])


class Cut(Exception):
    """Stands for the end of a machine's time."""


def cut(step: int, _: int) -> None:
    if step == 9:
        raise Cut


def train_all(folder: Path, accelerator: Accelerator) -> None:
    """Train every case; each process writes what it came to."""
    torch.set_num_threads(1)
    for name, case in CASES.items():
        _keep(folder / f"{name} {accelerator.process_index}", *case.together(accelerator))
    _note_who_saves(folder, accelerator)
    for name, case in (("dropping", DROPPING), ("plain", CASES["Gaussian noise, tuned"])):
        try:
            case.together(accelerator, checkpoint=folder / f"{name}.state", progress=cut)
        except Cut:
            accelerator.wait_for_everyone()
    _keep(folder / f"whole {accelerator.process_index}", *DROPPING.together(accelerator))
    resumed = DROPPING.together(accelerator, checkpoint=folder / "dropping.state")
    _keep(folder / f"resumed {accelerator.process_index}", *resumed)


def _note_who_saves(folder: Path, accelerator: Accelerator) -> None:
    real = resume.save_tensors

    def noting(path, *rest):
        (folder / f"{path.name} written by {accelerator.process_index}").touch()
        real(path, *rest)

    resume.save_tensors = noting


def _keep(path: Path, found: Tensor, record: TrainingRecord) -> None:
    facts = torch.tensor([record.mean_cosine, record.processes, record.steps], dtype=torch.float64)
    save_file({"weights": found, "losses": torch.tensor(record.losses), "facts": facts}, path)


def kept(path: Path) -> dict[str, Tensor]:
    """Return what a process wrote."""
    return load_file(path)
