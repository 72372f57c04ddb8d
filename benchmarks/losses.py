"""The loss curve: this project's training and the reference recipe's, from equal weights, over seeds, at two sizes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy import stats

from benchmarks.data import TrainingData
from benchmarks.presets import reference_model
from benchmarks.reference import ClipCaptionModel, batch_loss
from benchmarks.reference import train as train_reference
from benchmarks.training import VARIANCE
from benchmarks.world import World, load_world
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.noise import Gaussian
from capdec_core.profiles import load_profile
from capdec_core.profiles.settings import LanguageModelSettings
from capdec_core.training import TrainingRecord, train

SMOOTHED = 50
HELD_OUT = 1000
LEVEL = 0.95


def run(device: str, quick: bool) -> dict[str, Any]:
    """Train both ways for every seed and tell whether the losses differ by more than the seeds do.

    Once at the default profile's size, and once at that of photographs, where ours computes in bfloat16 if it can.
    """
    world = load_world(quick, device)
    steps, seeds = (20, 2) if quick else (400, 5)
    compared = [_compared(sized, steps, seeds, device) for sized in (world, _at_photographs_size(world))]
    return {
        "tables": [part["table"] for part in compared],
        "curves": {part["name"]: part["curves"] for part in compared},
        "held_out": {part["name"]: part["held_out"] for part in compared},
        "notes": [note for part in compared for note in part["notes"]],
    }


def _at_photographs_size(world: World) -> World:
    """Return the same captions before a captioner of the size of the profile flickr8k, with its learning rate."""
    profile = load_profile("flickr8k")
    if not isinstance(profile.language_model, LanguageModelSettings):
        raise TypeError("the profile flickr8k names a language model; its size is asked for")
    language_model = replace(
        world.config.language_model, width=profile.language_model.width, layers=profile.language_model.layers
    )
    mapper = replace(world.config.mapper, width=language_model.width)
    budget = replace(world.budget, learning_rate=profile.training.learning_rate)
    return replace(world, profile=profile.name, config=CaptionerConfig(mapper, language_model), budget=budget)


def _compared(world: World, steps: int, seeds: int, device: str) -> dict[str, Any]:
    """Return the loss curves of both sides from equal weights, the losses of captions held out, and their table."""
    data, held_out = _halves(world, steps)
    eos_id = world.config.language_model.eos_id
    curves: dict[str, list[list[float]]] = {"ours": [], "reference": []}
    final: dict[str, list[float]] = {"ours": [], "reference": []}
    precision = ""
    for seed in range(seeds):
        captioner = Captioner(world.config, seed=seed)
        model = reference_model(captioner)
        curves["reference"].append(_reference_curve(model, world, data, seed, device))
        record = _our_training(captioner, world, data, seed, device)
        precision = record.precision
        curves["ours"].append(record.losses)
        final["reference"].append(held_out_loss(model, held_out, eos_id, device))
        final["ours"].append(held_out_loss(reference_model(captioner), held_out, eos_id, device))
    name = f"size of {world.profile}, ours in {precision}"
    rows = [
        loss_row(f"training, mean of the last {SMOOTHED} steps", *map(_smoothed, curves.values())),
        loss_row(f"{HELD_OUT} captions held out, without noise", *final.values()),
    ]
    return {
        "name": name,
        "table": _table(name, rows, steps, seeds),
        "curves": curves,
        "held_out": final,
        "notes": _notes(name, rows),
    }


def _halves(world: World, steps: int) -> tuple[TrainingData, TrainingData]:
    """Return captions for one epoch of this many steps, and others that nobody trains on."""
    order = torch.randperm(len(world.captions), generator=torch.Generator().manual_seed(0)).tolist()
    held_out = min(HELD_OUT, len(order) // 4)
    wanted = min(steps * world.budget.batch_size, len(order) - held_out)
    return world.data(order[held_out : held_out + wanted]), world.data(order[:held_out])


def _our_training(
    captioner: Captioner, world: World, data: TrainingData, seed: int, device: str
) -> TrainingRecord:
    budget = world.budget
    steps = len(data.captions) // budget.batch_size
    spent = Budget(steps, budget.batch_size, budget.learning_rate, budget.warmup_steps)
    return train(captioner, data.embeddings, data.packed, Gaussian(VARIANCE), spent, seed, device)


def _reference_curve(
    model: ClipCaptionModel, world: World, data: TrainingData, seed: int, device: str
) -> list[float]:
    budget = world.budget
    torch.manual_seed(seed)
    return train_reference(
        data.dataset(world.config.mapper.prefix_length, world.config.language_model.eos_id),
        model,
        epochs=1,
        batch_size=budget.batch_size,
        learning_rate=budget.learning_rate,
        warmup_steps=budget.warmup_steps,
        variance=VARIANCE,
        device=device,
    )


@torch.no_grad()
def held_out_loss(model: ClipCaptionModel, data: TrainingData, eos_id: int, device: str) -> float:
    """Return the mean loss (nats a token, over all tokens) of captions that were not trained on."""
    model.to(device).eval()
    dataset = data.dataset(model.prefix_length, eos_id)
    total = torch.zeros((), dtype=torch.float64, device=device)
    counted = 0
    for part in torch.arange(len(dataset)).split(100):
        columns = zip(*(dataset[row] for row in part.tolist()), strict=True)
        tokens, mask, prefix = (torch.stack(column).to(device) for column in columns)
        real = int(mask[:, model.prefix_length :].sum())
        total += batch_loss(model, tokens, mask, prefix).double() * real
        counted += real
    return (total / counted).item()


def _smoothed(curves: Sequence[Sequence[float]]) -> list[float]:
    return [float(np.mean(curve[-SMOOTHED:])) for curve in curves]


def loss_row(name: str, ours: Sequence[float], reference: Sequence[float]) -> list[Any]:
    """Return [name, mean and standard deviation of each side, mean difference, its 95% interval's ends].

    The interval is Student's for the paired differences (ours minus reference) of the seeds.
    """
    differences = np.subtract(ours, reference)
    half = stats.t.ppf((1 + LEVEL) / 2, len(differences) - 1) * differences.std(ddof=1)
    half /= np.sqrt(len(differences))
    mean = float(differences.mean())
    return [name, *_moments(ours), *_moments(reference), mean, mean - float(half), mean + float(half)]


def _moments(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1))


def _table(name: str, rows: list[list[Any]], steps: int, seeds: int) -> dict[str, Any]:
    columns = ["Loss (nats a token)", "Ours", "s.d.", "Reference", "s.d.", "Difference", "from", "to"]
    return {
        "title": f"Loss after {steps} steps, {seeds} seeds, from equal weights: {name}",
        "columns": columns,
        "rows": rows,
        "note": "Difference: ours minus reference, seed by seed, with Student's 95% interval; s.d. over seeds.",
    }


def _notes(at: str, rows: list[list[Any]]) -> list[str]:
    """Say of each loss whether its interval holds zero."""
    said = []
    for name, *_, difference, low, high in rows:
        side = "ours is lower" if difference < 0 else "the reference's is lower"
        verdict = "no difference beyond the seeds' noise" if low <= 0 <= high else f"{side} beyond the noise"
        said.append(f"Loss at the {at}, {name}: {verdict}.")
    return said
