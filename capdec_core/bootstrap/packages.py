"""What the package needs and this Python lacks, installed without touching what the machine's drivers depend on."""

import importlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distributions, packages_distributions, requires, version
from subprocess import PIPE, STDOUT

from packaging.requirements import Requirement

from capdec_core.errors import CapdecError

KEPT = ("numpy", "torch", "torchaudio", "torchvision")
"""Never replaced: they fit the machine's drivers and each other, and what else is there was built for them."""

TOLD = 15
"""Lines of pip's last words that a message has."""


def complete() -> None:
    """Install the package's requirements that are not met; of what is there, only what is too old is replaced.

    Raises:
        CapdecError: pip found no set of packages that leaves those of `KEPT` as they are, or failed; or packages were
            replaced that this process has loaded, so that it must be started anew.
    """
    missing = unmet()
    if not missing:
        return
    before = _versions()
    kept = [f"{name}=={before[name]}" for name in KEPT if name in before]
    print(f"Installing {', '.join(missing)}; these stay: {', '.join(kept) or 'none is here'}", flush=True)
    _install(missing, kept)
    importlib.invalidate_caches()
    replaced = {name for name, now in _versions().items() if before.get(name, now) != now}
    if loaded := _loaded(replaced):
        raise CapdecError(
            f"{', '.join(loaded)} had been loaded in older versions than were needed and now installed: restart the "
            "session (in Colab: Runtime, Restart session) and run the notebook again"
        )


def unmet() -> list[str]:
    """Return the package's own requirements, without its extras, that are not installed or not in a version allowed."""
    wanted = (Requirement(line) for line in requires("capdec_core") or ())
    return [str(r) for r in wanted if (r.marker is None or r.marker.evaluate({"extra": ""})) and not _met(r)]


def _met(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False


def _versions() -> dict[str, str]:
    return {
        found.name.lower(): found.version for found in distributions() if found.name
    }  # one left broken has none


def _install(missing: Iterable[str], kept: Iterable[str]) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="kept-", suffix=".txt") as constraints:
        constraints.write("\n".join(kept))
        constraints.flush()
        command = [sys.executable, "-m", "pip", "install", "--constraint", constraints.name, *missing]
        done = subprocess.run(command, stdout=PIPE, stderr=STDOUT, text=True, check=False)
    if done.returncode:
        words = "\n".join(done.stdout.strip().splitlines()[-TOLD:])
        raise CapdecError(
            f"pip could not install {', '.join(missing)} beside {', '.join(kept) or 'nothing'}:\n{words}\n"
            "Where a version of these stands in the way, take a newer machine image (in Colab: the latest runtime "
            "version), or a checkout, where `make env` sets up an environment of its own"
        )


def _loaded(names: Iterable[str]) -> list[str]:
    """Return those distributions of which this process has imported a module."""
    modules = packages_distributions()
    return sorted(
        name
        for name in names
        if any(top in sys.modules and name in map(str.lower, owners) for top, owners in modules.items())
    )
