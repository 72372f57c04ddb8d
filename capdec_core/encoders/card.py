"""Make the shipped miniature: train it, write it, measure it, and put the measures into its model card."""

import os
import platform
import re
import time
from pathlib import Path

import torch
from torch import nn

from capdec_core.encoders.miniature import save_miniature, train
from capdec_core.errors import CapdecError
from capdec_core.files import write_atomic
from capdec_core.gap import as_table, of_profile
from capdec_core.material import corpus_of
from capdec_core.paths import MINIATURE
from capdec_core.profiles import load_profile

MEASURED = re.compile(r"(<!-- measured: begin -->\n).*?(<!-- measured: end -->)", flags=re.DOTALL)


def make_miniature(profile_name: str) -> str:
    """Train the profile's miniature on its pre-training split and return what `capdec gap` says of it.

    Raises:
        CapdecError: the profile has no `[miniature]` table, or the card has no place for the measures.
    """
    profile = load_profile(profile_name)
    if profile.miniature is None:
        raise CapdecError(f"profile {profile_name} has no [miniature] table: its encoder is not made here")
    card = MINIATURE / "README.md"
    require_place(card)
    split = corpus_of(profile).split("pretrain")
    started = time.perf_counter()
    print(f"rendering {len(split.ids)} scenes", flush=True)
    images = split.render(range(len(split.ids)))
    model, tokenizer = train(profile.miniature, images, split.captions)
    save_miniature(model, tokenizer, profile.miniature, MINIATURE)
    seconds = time.perf_counter() - started
    measured = as_table(of_profile(profile_name, "cpu"))
    write_measures(card, measured, model, seconds, "cpu")
    return measured


def require_place(card: Path) -> None:
    """Raise CapdecError unless a model card has a place for measures."""
    if not card.is_file() or not MEASURED.search(card.read_text()):
        raise CapdecError(f"{card} lacks the lines <!-- measured: begin --> and <!-- measured: end -->")


def write_measures(card: Path, measured: str, model: nn.Module, seconds: float, device: str) -> None:
    """Put into a card what was measured of a model, its size, how long its training took, and on what machine."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}), torch {torch.__version__}"
    if device != "cpu":
        machine = f"one {torch.cuda.get_device_name(device)}, {machine}"
    parameters = sum(parameter.numel() for parameter in model.parameters())
    facts = (
        f"```\n{measured}\n```\n\n"
        f"{parameters:,} parameters, trained in {seconds / 60:.1f} minutes on {machine}.\n"
    )
    write_atomic(card, MEASURED.sub(lambda found: f"{found[1]}{facts}{found[2]}", card.read_text()))
