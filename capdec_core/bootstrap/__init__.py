"""The first step of a chapter: what its package still needs, what this machine can do, which profile it is given.

Nothing that only the package's own requirements bring is imported before they are complete.
"""

import os
from dataclasses import dataclass

from capdec_core import paths
from capdec_core.bootstrap.packages import complete

GIVEN = "CAPDEC_PARAMETERS_GIVEN"
"""The variable that says to a kernel that its chapter is told its parameters: nothing is looked at or chosen."""


@dataclass(frozen=True)
class Here:
    """What a chapter's parameters are on this machine, where nobody sets them."""

    profile: str
    device: str
    seeds: int


def ready() -> Here:
    """Make the package usable where it came without a checkout, and say which profile and device this machine gets.

    A checkout's packages are its own affair (`make env`): there nothing is installed.

    Raises:
        CapdecError: what the package needs cannot be installed beside what is here.
    """
    if paths.INSTALLED.is_dir():
        complete()
    if GIVEN in os.environ:
        return Here("scenes", "cpu", seeds=1)
    from capdec_core.bootstrap.machine import chosen, told
    from capdec_core.profiles import load_profile

    choice = chosen()
    print(told(choice))
    return Here(choice.profile, choice.device, load_profile(choice.profile, choice.device).seeds)
