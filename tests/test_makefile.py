"""The Makefile offers what the README says, and hands PROFILE and DEVICE to a command that checks them."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from capdec_core.cli import app
from capdec_core.profiles import profile_names

ROOT = Path(__file__).resolve().parent.parent
TARGETS = [
    *("help", "env", "reproduce", "plan", "smoke", "study", "report", "reference", "miniature", "towers"),
    *("test", "lint", "bench", "lock", "sync", "clean"),
]
INDEX = r"https?://[\w.-]*(?:pypi|pythonhosted|artifactory|nexus|mirror|conda\.)[\w.-]*"
MACHINE_PATH = r"(?<![\w.])/(?:work|root|home|Users|tmp|mnt|scratch)/[\w.]"


def make(*arguments: str) -> str:
    found = subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return found.stdout


def capdec_lines(*arguments: str) -> list[list[str]]:
    """The `capdec` commands that make would run: [subcommand, options]."""
    lines = [shlex.split(line) for line in make("-n", *arguments).splitlines() if "/capdec " in line]
    return [line[1:] for line in lines]


def test_help_is_the_default_and_lists_every_target_and_profile() -> None:
    text = make()
    assert text == make("help")
    first, *rest = text.splitlines()
    assert [line.split()[0] for line in rest] == TARGETS
    assert f"PROFILE={'|'.join(profile_names())}]" in first
    assert "DEVICE=cpu|cuda|cuda:N" in first


def test_every_target_is_phony() -> None:
    text = (ROOT / "Makefile").read_text()
    declared = re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)
    assert declared is not None
    assert sorted(declared[1].split()) == sorted(TARGETS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["reproduce"], "reproduce --profile auto --device auto"),
        (["plan"], "plan --profile auto --device auto"),
        (["reproduce", "PROFILE=smoke", "DEVICE=cuda:1"], "reproduce --profile smoke --device cuda:1"),
        (["smoke", "DEVICE=cuda"], "reproduce --profile smoke --device cuda"),
        (["smoke", "PROFILE=scenes"], "reproduce --profile smoke --device auto"),
        (["study", "NAME=noise_types"], "study noise_types --profile scenes --device auto"),
        (["study", "NAME=noise_types", "PROFILE=smoke"], "study noise_types --profile smoke --device auto"),
        (["report"], "report --profile scenes --device auto"),
        (["report", "PROFILE=smoke", "DEVICE=cpu"], "report --profile smoke --device cpu"),
        (["reference", "PROFILE=smoke"], "reference --profile smoke --device auto"),
        (["miniature"], "miniature --profile scenes"),
        (["miniature", "PROFILE=smoke"], "miniature --profile smoke"),
        (["towers"], "towers --device auto"),
        (["towers", "DEVICE=cuda:1"], "towers --device cuda:1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_profile_and_device_reach_the_command(arguments: list[str], expected: str) -> None:
    assert capdec_lines(*arguments) == [expected.split()]


@pytest.mark.parametrize(
    "target", ["reproduce", "plan", "smoke", "study", "report", "reference", "miniature", "towers"]
)
def test_the_command_knows_every_option_that_make_gives_it(target: str) -> None:
    ((name, *rest),) = capdec_lines(target, "NAME=noise_types")
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, list(rest))


def test_a_name_is_asked_for() -> None:
    assert capdec_lines("study") == [["study", "", "--profile", "scenes", "--device", "auto"]]


def test_benchmarks_are_of_a_device_that_was_named() -> None:
    for arguments, device in ([], "cpu"), (["DEVICE=cuda:1"], "cuda:1"):
        assert f"-m benchmarks --device {device}\n" in make("-n", "bench", *arguments)


def test_continuous_integration_runs_the_tests_as_the_readme_does() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().splitlines()[-1].strip() == "make test"
    assert "make test" in (ROOT / "README.md").read_text()


def test_make_test_lints_types_and_tests() -> None:
    planned = make("-n", "test")
    for command in ("ruff check", "ruff format --check", "/mypy", "/pytest"):
        assert command in planned


def test_clean_keeps_the_environment_and_what_is_committed() -> None:
    (line,) = [line for line in make("-n", "clean").splitlines() if line.startswith("rm")]
    removed = shlex.split(line)[2:]
    assert {"results/cells", "results/executed", "results/report", "data/cache"} <= set(removed)
    committed = tracked()
    assert [path for path in committed if any(path.startswith(f"{folder}/") for folder in removed)] == []


@pytest.mark.parametrize("pattern", [INDEX, MACHINE_PATH], ids=["package index", "path of a machine"])
def test_no_tracked_file_names_a(pattern: str) -> None:
    """Where packages come from and where the project lies are the user's to say."""
    found = [
        f"{path}: {hit[0]}"
        for path in tracked()
        if path != "tests/test_makefile.py"
        and (text := readable(ROOT / path)) is not None
        and (hit := re.search(pattern, text))
    ]
    assert found == []


def tracked() -> list[str]:
    """The committed files; a copy without its history cannot tell them."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.split("\0") if path]


def readable(path: Path) -> str | None:
    """The file's text; None where it has none or was deleted in the working tree."""
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return None
