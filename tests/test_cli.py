"""The command line: help for every command, errors in one line, and nothing heavy before it is needed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from capdec_core import cli
from capdec_core.errors import CapdecError
from capdec_core.profiles import profile_names
from capdec_core.studies import NOTEBOOKS

COMMANDS = sorted(name for name, found in get_command(cli.app).commands.items() if not found.hidden)  # type: ignore[attr-defined]
PROFILES = ", ".join(profile_names())
REFERENCES = {"1": ["a cat on a mat"], "2": ["a dog"]}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line as the console script does and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["capdec", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    code = stopped.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def references(tmp_path: Path) -> Path:
    path = tmp_path / "R.json"
    path.write_text(json.dumps(REFERENCES))
    return path


def test_the_commands() -> None:
    assert COMMANDS == [
        "caption",
        "cell",
        "cells",
        "checkpoint",
        "data",
        "gap",
        "import-checkpoint",
        "miniature",
        "plan",
        "reference",
        "report",
        "reproduce",
        "score",
        "study",
        "towers",
        "workflow",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str) -> None:
    result = CliRunner().invoke(cli.app, [command, "--help"])
    assert result.exit_code == 0
    usage = next(line for line in result.output.splitlines() if "Usage:" in line)
    assert f" {command} " in usage


def test_help_lists_every_command_with_what_it_does() -> None:
    result = CliRunner().invoke(cli.app, ["--help"])
    for command in COMMANDS:
        assert any(line.strip(" │|").startswith(command) for line in result.output.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reproduce", "--profile", "paper"], f"no profile 'paper'; PROFILE is one of: {PROFILES}"),
        (["reproduce", "--device", "tpu"], "no device 'tpu'; DEVICE is one of: cpu, cuda, cuda:0, cuda:1, …"),
        (["report", "--profile", "../smoke"], f"no profile '../smoke'; PROFILE is one of: {PROFILES}"),
        (["report", "--device", "gpu"], "no device 'gpu'; DEVICE is one of"),
        (["study", "prefixes"], "no study 'prefixes'; NAME is one of: geometry"),
        (["study", ""], "no study ''; NAME is one of: geometry"),
        (["study", "noise_types", "--profile", "x"], "no profile 'x'"),
        (["study", "noise_types", "--device", "x"], "no device 'x'"),
        (["miniature", "--profile", "smoke"], "profile smoke has no [miniature] table"),
        (["towers", "--device", "tpu"], "no device 'tpu'"),
        (
            ["caption", "a.png", "--checkpoint", "nowhere"],
            "no captioner in nowhere: it has no captioner.json",
        ),
        (["checkpoint", "0123", "out", "--profile", "x"], "no profile 'x'"),
        (["cells", "pack", "cells.zip", "--device", "tpu"], "no device 'tpu'"),
        (["reference", "--device", "tpu"], "no device 'tpu'"),
        (["gap", "--profile", "x"], "no profile 'x'"),
        (["gap", "--device", "cuda:"], "no device 'cuda:'"),
        (["gap", "missing.npy"], "no such file: missing.npy"),
        (["score", "--references", "missing.json", "--candidates", "missing.json"], "missing.json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_is_one_line_on_stderr_and_exit_code_2(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("capdec: ")
    assert message in line


def test_candidates_that_do_not_match_are_refused_and_nothing_is_written(
    tmp_path: Path, references: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    candidates, output = tmp_path / "C.json", tmp_path / "scores.json"
    candidates.write_text(json.dumps({"1": "a cat", "3": "a bird"}))
    files = ["--references", str(references), "--candidates", str(candidates)]
    assert run(monkeypatch, "score", *files, "--output", str(output)) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert re.search(r"\b3\b", captured.err)
    assert not output.exists()


def test_an_error_of_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("capdec_core.gap.anatomy_of_profile", broken)
    monkeypatch.setattr(sys, "argv", ["capdec", "gap"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_commands_pass_on_what_they_were_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[str, ...]] = []

    def record(*arguments: str) -> Path:
        told.append(arguments)
        return tmp_path / "index.html"

    for name in ("reproduce", "study", "report"):
        monkeypatch.setattr(f"capdec_core.reproduce.{name}", record)
    options = ["--profile", "smoke", "--device", "cuda:1"]
    for command in (["reproduce"], ["study", "noise_types"], ["report"]):
        assert run(monkeypatch, *command, *options) == 0
    assert told == [("smoke", "cuda:1"), ("noise_types", "smoke", "cuda:1"), ("smoke", "cuda:1")]
    printed = capsys.readouterr().out.splitlines()
    page = (tmp_path / "index.html").as_uri()
    assert printed == [f"Report: {page}", f"Executed notebook: {tmp_path / 'index.html'}", f"Report: {page}"]


def test_the_book_leaves_scale_and_device_to_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[tuple[str, ...]] = []

    def record(*arguments: str) -> Path:
        told.append(arguments)
        return tmp_path

    monkeypatch.setattr("capdec_core.reproduce.reproduce", record)
    for gpu in (False, True):
        monkeypatch.setattr("torch.cuda.is_available", lambda gpu=gpu: gpu)
        run(monkeypatch, "reproduce")
    assert told == [("auto", "cpu"), ("auto", "cuda")]


def test_any_other_command_has_the_embedded_scale_and_a_device_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[tuple[str, ...]] = []

    def record(*arguments: str) -> Path:
        told.append(arguments)
        return tmp_path

    monkeypatch.setattr("capdec_core.reproduce.report", record)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    run(monkeypatch, "report")
    run(monkeypatch, "report", "--device", "auto")
    assert told == [("scenes", "cpu"), ("scenes", "cuda")]


def test_a_failed_run_ends_in_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: str) -> Path:
        raise CapdecError("2 of 3 cells failed:\n  a\n  b")

    monkeypatch.setattr("capdec_core.reproduce.reproduce", fail)
    assert run(monkeypatch, "reproduce") == 2
    assert capsys.readouterr().err == "capdec: 2 of 3 cells failed:\n  a\n  b\n"


def test_the_console_command_and_its_imports() -> None:
    """The installed command answers, and asking it for help loads neither torch nor the metrics."""
    script = Path(sys.executable).with_name("capdec")
    refused = subprocess.run(
        [script, "study", "x"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert refused.returncode == 2
    assert refused.stderr == f"capdec: no study 'x'; NAME is one of: {', '.join(NOTEBOOKS)}\n"
    program = (
        "import sys, capdec_core.cli;"
        "print([name for name in ('torch', 'numpy', 'transformers', 'pandas') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
