"""What this machine can do, and at which scale a chapter that is opened by hand therefore runs."""

import psutil
import torch

from capdec_core.device import cores
from capdec_core.planning.choice import AUTO, EMBEDDED, Choice, choose
from capdec_core.planning.plan import make_plan
from capdec_core.planning.tell import duration, size
from capdec_core.profiles import load_profile, profile_names

SESSION = 12 * 3600
"""Seconds. A session of Colab lasts no longer (its FAQ), and nobody has seen an estimate before the chapter runs."""


def chosen() -> Choice:
    """Return the scale that the machine can carry; the embedded one where what that lacks would outlast a session."""
    found = choose(AUTO, AUTO)
    if found.profile == EMBEDDED:
        return found
    wall = make_plan(load_profile(found.profile, found.device), found.device).wall
    if wall <= SESSION:
        return found
    return Choice(EMBEDDED, found.device, f"{found.profile} would take about {duration(wall)} here")


def told(choice: Choice) -> str:
    """Return what the machine has, what a chapter gets on it and why, and how to choose otherwise."""
    gpus = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    names = ", ".join(f"{gpu.name} ({size(gpu.total_memory)})" for gpu in gpus) or "no GPU"
    profile = load_profile(choice.profile, choice.device)
    return (
        f"This machine: {cores()} cores, {size(psutil.virtual_memory().total)} of memory, {names}.\n"
        f"Profile {profile.name} ({profile.title}) on {choice.device}: {choice.why}.\n"
        f"To choose otherwise, set profile in the next cell to one of {', '.join(profile_names())}, "
        "and device to cpu or cuda."
    )
