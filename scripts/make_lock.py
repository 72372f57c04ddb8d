"""Resolve pyproject.toml into requirements.lock (hashes, no index's name) and environment.yml (the same versions).

The lock is resolved for every Python that the project supports; environment.yml is the conda user's door to it,
with the versions of one Python.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
ENVIRONMENT = ROOT / "environment.yml"
OLDEST, CONDA = (
    "3.11",
    "3.11.9",
)  # the oldest Python that the lock serves; the one that environment.yml is for
ENTRY = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+?)(?:\s*;\s*(.*?))?\s*\\?$")


def resolve(*scope: str) -> str:
    """Return uv's resolution of the project with its extras `dev` and `cluster`, for Linux."""
    uv = str(Path(sys.executable).with_name("uv"))
    project = ["pyproject.toml", "--extra", "dev", "--extra", "cluster"]
    options = ["--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--quiet"]
    command = [uv, "pip", "compile", *project, *options, *scope]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def pins(text: str) -> dict[str, str]:
    """Return {package: version} of a resolution for one Python."""
    found = (ENTRY.match(line.strip()) for line in text.splitlines() if not line.startswith(" "))
    return {match[1]: match[2] for match in found if match}


def environment(versions: dict[str, str]) -> str:
    """Return environment.yml with the given pip versions."""
    head = ["name: capdec", "channels:", "  - conda-forge", "dependencies:", "  - python=3.11", "  - pip"]
    pinned = [f"      - {name}=={version}" for name, version in sorted(versions.items())]
    return "\n".join([*head, "  - pip:", *pinned, "      - -e .", ""])


def main() -> None:
    """Write both files. Versions in the lock stay where they still fit; to renew them all, delete it first."""
    resolve("--universal", "--generate-hashes", "--python-version", OLDEST, "--output-file", str(LOCK))
    one = resolve("--python-version", CONDA, "--python-platform", "linux", "--constraint", str(LOCK))
    ENVIRONMENT.write_text(environment(pins(one)))


if __name__ == "__main__":
    main()
