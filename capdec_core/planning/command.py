"""What a run says before it starts, and `capdec plan`."""

from capdec_core.planning.choice import choose
from capdec_core.planning.plan import Plan, make_plan
from capdec_core.planning.tell import as_text
from capdec_core.profiles import load_profile


def announced(profile: str, device: str) -> Plan:
    """Choose what the user left open, print the plan and return it.

    Raises CapdecError for a wrong name, or for a download that is larger than the disk.
    """
    choice = choose(profile, device)
    plan = make_plan(load_profile(choice.profile, choice.device), choice.device)
    print(as_text(plan, choice.why), flush=True)
    plan.refuse_downloads()
    return plan
