"""Cells of a language model by name: from the profile's two lines to captions, with nothing pre-trained here."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_world import CAPTIONS, CountingEncoder, ToyCorpus, small_profile
from tiny_models import captioner_of, write_gpt2, write_llama

from capdec_core import material as module
from capdec_core import paths, programs
from capdec_core.captioner import CaptionerConfig
from capdec_core.cell import CellConfig
from capdec_core.errors import CapdecError
from capdec_core.material import Material, prepare, pretrained_language_model
from capdec_core.paths import PROFILES
from capdec_core.profiles import CorpusSettings, NamedLanguageModelSettings, Profile, read_profile
from capdec_core.side_by_side import _require_one_shape
from capdec_core.store import CAPTIONER, CellStore
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.worker import run_cells

NAMES = ["gpt2", "tiny/llama"]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_gpt2(folder / "gpt2")
    write_llama(folder / "tiny" / "llama")
    return folder


@pytest.fixture(autouse=True)
def _toy_world(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the modules see the toy corpus and encoder, the tiny models, and a cache of their own."""
    monkeypatch.setattr(paths, "MODELS", shelf)
    monkeypatch.setattr(module, "CACHE", tmp_path)
    monkeypatch.setattr(module, "BANKS", tmp_path / "embeddings")
    monkeypatch.setattr(module, "load_encoder", lambda *_: CountingEncoder())
    monkeypatch.setattr(module, "corpus_of", lambda _: ToyCorpus())


def named_profile(name: str, *, tuned: bool = False) -> Profile:
    model = NamedLanguageModelSettings(name, tuned)
    return small_profile(corpus=CorpusSettings("toy", 0, {}, {"test": 3}), language_model=model)


def one_cell(name: str, tuned: bool, condition: dict[str, Any] | None = None) -> tuple[CellConfig, Material]:
    profile = named_profile(name, tuned=tuned)
    material = prepare(profile, "cpu")
    chosen = Condition("none", "No noise", splits=("test",), **(condition or {}))
    return cells_of(chosen, profile, material)[0], material


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tuned", [True, False])
def test_a_cell_is_trained_and_speaks(name, tuned, tmp_path):
    cell, material = one_cell(name, tuned)
    store = CellStore(tmp_path / "cells")
    run_cells([cell], material, store, "cpu")
    (captions,) = store.captions(cell).values()
    assert set(captions) == {"test-0", "test-1", "test-2"}
    record, stored = store.record(cell), load_file(store.path(cell) / CAPTIONER)
    whole = captioner_of(name).language_model
    assert record["parameters"] > sum(weight.numel() for weight in whole.parameters())
    assert (record["trainable_parameters"] == record["parameters"]) == tuned
    assert any(key.startswith("language_model.") for key in stored) == tuned
    assert not list(tmp_path.glob("language_models/*"))


def test_captions_are_tokens_of_the_models_own_vocabulary():
    cell, material = one_cell("gpt2", False)
    tokenizer, packed = material.load_tokenizer(), material.training_captions()
    flat = [caption for group in CAPTIONS["train"] for caption in group]
    assert [tokenizer.decode(packed.caption(row).tolist()) for row in range(len(flat))] == flat
    assert (material.vocab_size, cell.language_model["end_id"]) == (tokenizer.vocab_size, tokenizer.eos_id)
    assert CaptionerConfig.from_dict(vars(cell)).mapper.width == 32


def test_a_condition_decides_whether_it_is_tuned():
    cells = [one_cell("gpt2", False, {"tuned": tuned})[0] for tuned in (True, False)]
    assert [cell.language_model["tuned"] for cell in cells] == [True, False]


def test_other_weights_make_another_cell(tmp_path, monkeypatch):
    first, material = one_cell("gpt2", False)
    write_gpt2(tmp_path / "other" / "gpt2", seed=1)
    monkeypatch.setattr(paths, "MODELS", tmp_path / "other")
    second, same = one_cell("gpt2", False)
    assert first.id != second.id
    assert (same.tokenizer, same.folder) == (material.tokenizer, material.folder)


def test_a_model_that_is_gone_is_missed_before_any_cell_runs(tmp_path, monkeypatch):
    cell, material = one_cell("tiny/llama", False)
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    with pytest.raises(CapdecError, match="'tiny/llama' is not in"):
        pretrained_language_model(cell, material, "cpu")


def test_named_models_share_no_program(monkeypatch):
    cell, _ = one_cell("tiny/llama", False)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2**40, 2**40))
    other = replace(cell, seed=1)
    assert programs.programs([cell, other], "cuda", 12) == [[cell], [other]]
    with pytest.raises(ValueError, match="pre-trained language model cannot be trained side by side"):
        _require_one_shape([captioner_of("tiny/llama")] * 2)


def written(tmp_path: Path, lines: str) -> Path:
    """The smoke profile with these lines in place of its language model's."""
    before, rest = (PROFILES / "smoke.toml").read_text().split("[language_model]\n")
    path = tmp_path / "named.toml"
    path.write_text(f"{before}[language_model]\n{lines}\n[{rest.split('[', 1)[1]}")
    return path


def test_two_lines_of_a_profile_name_a_model(tmp_path):
    profile = read_profile(written(tmp_path, 'name = "gpt2"\ntuned = false'))
    assert asdict(profile.language_model) == {"name": "gpt2", "tuned": False}
    assert (profile.language_model.width, profile.language_model.layers) == (32, 2)


def test_a_profile_loads_without_its_model_and_says_so_when_the_shape_is_asked_for(tmp_path):
    profile = read_profile(written(tmp_path, 'name = "not/here"\ntuned = false'))
    with pytest.raises(CapdecError, match="'not/here' is not in"):
        _ = profile.language_model.width


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            'name = "gpt2"\ntuned = false\nwidth = 32',
            r"language_model: unknown key 'width'; known: name, tuned",
        ),
        ('name = "gpt2"', "language_model: missing key 'tuned'"),
        ("tuned = false", "language_model: missing key 'dropout'"),
        ("name = 3\ntuned = false", "language_model: name: 3 is not a str"),
    ],
)
def test_a_name_and_a_shape_exclude_each_other(lines, message, tmp_path):
    with pytest.raises(CapdecError, match=message):
        read_profile(written(tmp_path, lines))
