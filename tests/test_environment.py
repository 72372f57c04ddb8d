"""The lock, environment.yml and pyproject.toml agree; the lock is hashed and names no index."""

import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text()


def entries() -> list[str]:
    return re.findall(r"^([A-Za-z0-9].*?)\s*\\$", LOCK, flags=re.MULTILINE)


def locked(python: str) -> dict[str, str]:
    target = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}
    target |= {"platform_system": "Linux", "platform_machine": "x86_64", "implementation_name": "cpython"}
    target |= {"platform_python_implementation": "CPython", "os_name": "posix"}
    requirements = [Requirement(entry) for entry in entries()]
    chosen = [r for r in requirements if r.marker is None or Marker(str(r.marker)).evaluate(target)]
    return {r.name: next(iter(r.specifier)).version for r in chosen}


def conda() -> dict[str, str]:
    (pip,) = (
        item["pip"]
        for item in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
        if "pip" in item and isinstance(item, dict)
    )
    return dict(line.split("==") for line in pip if "==" in line)


def test_environment_has_the_locked_versions() -> None:
    assert conda() == locked("3.11")


def test_lock_is_hashed_and_names_no_index() -> None:
    assert len(entries()) > 100
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|@ file", LOCK)
    blocks = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_lock_covers_what_the_project_needs(python: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [Requirement(r) for r in project["dependencies"] + project["optional-dependencies"]["dev"]]
    versions = {re.sub(r"[-_.]+", "-", name).lower(): v for name, v in locked(python).items()}
    for requirement in needed:
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert versions[name] in requirement.specifier, requirement


@pytest.mark.skipif(".venv" not in sys.prefix, reason="not running in the locked environment")
def test_this_environment_is_the_locked_one() -> None:
    wrong = {}
    for name, expected in locked(f"{sys.version_info.major}.{sys.version_info.minor}").items():
        if version(name) != expected:
            wrong[name] = (version(name), expected)
    assert wrong == {}
