"""What a run says before it starts."""

from capdec_core.device import devices_of
from capdec_core.planning.auto import device_of
from capdec_core.planning.choice import choose
from capdec_core.planning.plan import Plan, make_plan
from capdec_core.planning.tell import as_text
from capdec_core.profiles import load_profile


def announced(profile: str, device: str) -> Plan:
    """Choose what the user left open, print the plan and return it.

    Raises CapdecError for a wrong name, or for a download that is larger than the disk.
    """
    plan, why = planned(profile, device)
    print(as_text(plan, why), flush=True)
    plan.refuse_downloads()
    return plan


def planned(profile: str, device: str) -> tuple[Plan, str]:
    """Return the plan of what the user named or left open, and why the profile was chosen, where it was."""
    devices_of(device_of(device))
    choice = choose(profile, device)
    return make_plan(load_profile(choice.profile, choice.device), choice.device), choice.why
