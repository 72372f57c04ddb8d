"""The lock, the conda environments and pyproject.toml agree; the lock is hashed and names no index."""

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from small_scripts import load_script

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
DOORS = {"environment.yml": ("book", "dev", "cluster"), ".binder/environment.yml": ("book",)}
"""The conda environments, with the extras that they hold."""

PYPI = {
    "matplotlib-base": "matplotlib",
    "playwright-python": "playwright",
    "pytorch": "torch",
    "seaborn-base": "seaborn",
}
"""What conda-forge's packages are called on PyPI, where that is not the same."""


def entries() -> list[str]:
    return re.findall(r"^([A-Za-z0-9].*?)\s*\\$", LOCK, flags=re.MULTILINE)


def locked(python: str) -> dict[str, str]:
    target = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}
    target |= {"platform_system": "Linux", "platform_machine": "x86_64", "implementation_name": "cpython"}
    target |= {"platform_python_implementation": "CPython", "os_name": "posix"}
    requirements = [Requirement(entry) for entry in entries()]
    chosen = [r for r in requirements if r.marker is None or Marker(str(r.marker)).evaluate(target)]
    return {r.name: next(iter(r.specifier)).version for r in chosen}


def needed(extras: Iterable[str]) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = [requirement for name in extras for requirement in project["optional-dependencies"][name]]
    return [Requirement(requirement) for requirement in project["dependencies"] + extra]


@pytest.mark.parametrize("file", DOORS)
def test_conda_environment_has_the_locked_versions_of_all_that_the_project_names(file: str) -> None:
    """Each once: from conda-forge by release series, or by pip in exactly the locked version."""
    *conda, pip = yaml.safe_load((ROOT / file).read_text())["dependencies"]
    versions = locked("3.11")
    pinned = [line for line in pip["pip"] if not line.startswith("-")]
    found = [line.split("==")[0] for line in pinned]
    assert pinned == [f"{name}=={versions[name]}" for name in found]
    for spec in conda:
        name, _, series = spec.partition("=")
        if name not in ("python", "pip"):
            found.append(PYPI.get(name, name))
            assert f"{versions[found[-1]]}.".startswith(f"{series}."), spec
    assert sorted(found) == sorted(canonicalize_name(r.name) for r in needed(DOORS[file]))


def test_the_project_itself_is_installed_into_each() -> None:
    pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    assert pip[-1] == "-e ."
    script = ROOT / ".binder" / "postBuild"
    assert script.stat().st_mode & 0o111
    *command, options = script.read_text().splitlines()[-1].partition("install ")
    assert "".join(command) == "python -m pip install "
    assert {"--no-deps", "--editable", "."} <= set(options.split())


def test_conda_environments_are_what_make_lock_writes_of_this_lock(monkeypatch, tmp_path) -> None:
    make_lock = load_script("make_lock")
    versions = "".join(f"{name}=={version}\n" for name, version in locked("3.11").items())
    monkeypatch.setattr(make_lock, "resolve", lambda *_: versions)
    monkeypatch.setattr(make_lock, "ENVIRONMENT", tmp_path / "environment.yml")
    monkeypatch.setattr(make_lock, "BINDER", tmp_path / "binder.yml")
    make_lock.main()
    for file, written in zip(DOORS, ("environment.yml", "binder.yml"), strict=True):
        assert (tmp_path / written).read_text() == (ROOT / file).read_text()


def test_lock_is_hashed_and_names_no_index() -> None:
    assert len(entries()) > 100
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|@ file", LOCK)
    blocks = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_lock_covers_what_the_project_needs(python: str) -> None:
    versions = locked(python)
    for requirement in needed(("book", "dev", "cluster")):
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier, requirement


@pytest.mark.skipif(".venv" not in sys.prefix, reason="not running in the locked environment")
def test_this_environment_is_the_locked_one() -> None:
    wrong = {}
    for name, expected in locked(f"{sys.version_info.major}.{sys.version_info.minor}").items():
        if version(name) != expected:
            wrong[name] = (version(name), expected)
    assert wrong == {}
