"""`capdec import-checkpoint`: a file written and described, or one message."""

import sys
from pathlib import Path

import pytest
from published_layout import published_model, published_state, same_logits, saved, tuned
from tiny_models import DIM, write_gpt2

from capdec_core import cli, paths
from capdec_core.captioner import Captioner


@pytest.fixture
def gpt2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "MODELS", tmp_path / "models")
    return write_gpt2(tmp_path / "models" / "gpt2")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["capdec", "import-checkpoint", *arguments])
    cli.main()


def test_the_command_writes_a_captioner_and_says_what_it_is(gpt2, tmp_path, monkeypatch, capsys):
    model, output = (
        tuned(published_model(gpt2, DIM, "transformer")),
        tmp_path / "out" / "captioner.safetensors",
    )
    path = saved(published_state(model), tmp_path)
    with pytest.raises(SystemExit, match="0"):
        run(monkeypatch, str(path), str(output), "--heads", "8", "--layers", "2", "--prefix-length", "3")
    said = capsys.readouterr().out
    assert "transformer mapper of 16 dimensions, prefix length 3, clip length 2, 2 layers of 8 heads" in said
    assert "language model gpt2, with its own weights, tuned" in said
    same_logits(Captioner.load(output), model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--heads 8"),
        (("--heads", "8", "--kind", "mlp"), "kind mlp, not transformer"),
        (("--heads", "8", "--language-model", "nowhere/gpt2"), "'nowhere/gpt2' is not in"),
    ],
)
def test_the_command_fails_with_a_message(arguments, message, gpt2, tmp_path, monkeypatch, capsys):
    path = saved(published_state(published_model(gpt2, DIM, "transformer")), tmp_path)
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, str(path), str(tmp_path / "captioner.safetensors"), *arguments)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "captioner.safetensors").exists()


def test_the_command_says_where_it_cannot_write(gpt2, tmp_path, monkeypatch, capsys):
    path = saved(published_state(published_model(gpt2, DIM, "mlp")), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, str(path), str(tmp_path / "file" / "captioner.safetensors"))
    assert "cannot write" in capsys.readouterr().err
