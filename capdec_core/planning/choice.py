"""Which scale a machine can carry, and what it computes on, where the user names neither."""

from dataclasses import dataclass

from capdec_core import paths
from capdec_core.planning import fetching, space
from capdec_core.planning.auto import AUTO, device_of
from capdec_core.planning.grid import grid
from capdec_core.planning.room import shortage
from capdec_core.profiles import load_profile

PAPER, EMBEDDED = "coco", "scenes"
"""The scale of the papers, and the one that needs neither a GPU nor a network."""


@dataclass(frozen=True)
class Choice:
    """A profile and a device, and why this profile in a clause; empty where the user named it."""

    profile: str
    device: str
    why: str = ""


def choose(profile: str, device: str) -> Choice:
    """Return what a run takes; `AUTO` leaves the profile, the device or both to the machine."""
    device = device_of(device)
    if profile != AUTO:
        return Choice(profile, device)
    if device == "cpu":
        return Choice(EMBEDDED, device, "it needs no GPU, and none is used here")
    return _by_reach(device)


def _by_reach(device: str) -> Choice:
    """Choose on a machine with a GPU: by its memory, and by what has to be fetched for paper scale."""
    whole = load_profile(PAPER, device)
    cells = grid(whole)
    if short := shortage(cells.trained, device):
        return Choice(EMBEDDED, device, f"{PAPER} is too large: {short}")
    missing = fetching.missing(whole, bool(cells.wanted.images))
    if not missing:
        return Choice(PAPER, device, "here are a GPU, the data and the weights")
    room = space.free(paths.REAL_DATA[0])
    if missing.size > room:
        why = f"of {PAPER} {missing.size / 1e9:.1f} GB are missing, and {room / 1e9:.1f} GB of the disk are free"
        return Choice(EMBEDDED, device, why)
    if not missing.reachable:
        why = f"data or weights of {PAPER} are missing, and not all of their servers answer"
        return Choice(EMBEDDED, device, why)
    return Choice(PAPER, device, "here is a GPU, and data and weights can be fetched")
