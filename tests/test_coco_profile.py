"""Profile coco: the published presets cell for cell, and which of its chapters read photographs to train with."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import GPT2Config

from capdec_core import paths, reproduce
from capdec_core.encoders import embedding_dim
from capdec_core.errors import CapdecError
from capdec_core.mapper import MapperConfig, build_mapper
from capdec_core.material import Material, Wanted
from capdec_core.presets import DECODING, LANGUAGE_MODEL, PRESETS, TRAINING_CAPTIONS
from capdec_core.profiles import EncoderSettings, Profile, load_profile, read_profile
from capdec_core.studies import GATHERING, book_of, grid_of
from capdec_core.studies.conditions import all_cells, cells_of, wanted_by

NEEDING = {"prefix_length", "decoding", "bridges", *GATHERING}
"""Chapters that train on images or fit something on pairs of them, and those that gather the cells of all; the others
read no photograph to train with."""
MILLIONS = {
    "CapDec": 57.5, "ClipCap, MLP": 31.5, "ClipCap, transformer": 41.7,
    "Study B, k = 1": 0.49, "Study B, k = 10": 31.5, "Study B, k = 20": 121.9,
}  # fmt: skip
"""Parameters of the published mappers, in millions; CapDec's at d = 640."""


@pytest.fixture(autouse=True)
def _gpt2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of models whose "gpt2" has GPT-2's configuration and a weights file that nobody reads."""
    (tmp_path / "gpt2").mkdir()
    GPT2Config(n_inner=None).save_pretrained(tmp_path / "gpt2")
    save_file({"none": torch.zeros(1)}, tmp_path / "gpt2" / "model.safetensors")
    monkeypatch.setattr(paths, "MODELS", tmp_path)


@pytest.fixture
def profile() -> Profile:
    return load_profile("coco")


@pytest.fixture
def material(profile: Profile) -> Material:
    def embedded(encoder: EncoderSettings) -> Material:
        dim = embedding_dim(encoder.model, encoder.pretrained)
        return Material("coco", str(encoder), "tokenizer", dim, 50257, {}, Path(), encoder)

    own, other = embedded(profile.encoder), profile.prefix_length.encoder
    assert other is not None
    reduced = {dim: replace(own, encoder=f"{dim}", dim=dim) for dim in profile.calibration.dims}
    return replace(own, reduced=reduced, others={other: embedded(other)})


def test_every_preset_is_cells_of_the_profile(profile: Profile, material: Material) -> None:
    chapters = ("noise_types", "prefix_length")
    conditions = [each for name in chapters for each in grid_of(name, profile, profile.seeds)]
    cells = {
        (str(asdict(cell) | {"evaluations": (), "seed": 0}))
        for cell in all_cells(conditions, profile, material)
    }
    for name, preset in PRESETS.items():
        budget = preset.budget(checkpoint_every=profile.training.checkpoint_every)
        (cell,) = cells_of(preset.condition(name, budget), profile, material)
        assert str(asdict(cell) | {"evaluations": (), "seed": 0}) in cells, name
    assert profile.decoding == DECODING
    assert profile.language_model.name == LANGUAGE_MODEL


def test_budgets_are_ten_epochs() -> None:
    steps = {name: preset.budget().steps for name, preset in PRESETS.items()}
    assert set(steps.values()) == {10 * 16_669, 10 * 14_168}
    for preset in PRESETS.values():
        seen = preset.budget().steps * preset.batch_size
        assert 0 <= 10 * TRAINING_CAPTIONS - seen < 10 * preset.batch_size


@pytest.mark.parametrize("name", MILLIONS)
def test_mappers_have_the_published_sizes(name: str) -> None:
    preset = PRESETS[name]
    dim = embedding_dim(preset.encoder.model, preset.encoder.pretrained)
    with torch.device("meta"):
        mapper = build_mapper(MapperConfig(**asdict(preset.mapper), embedding_dim=dim, width=768))
    count = sum(weight.numel() for weight in mapper.parameters()) / 1e6
    assert count == pytest.approx(MILLIONS[name], rel=0.01)


def test_chapters_say_what_they_read_of_photographs_to_train_with(profile: Profile) -> None:
    other = profile.prefix_length.encoder
    wanted = {name: wanted_by(grid_of(name, profile, profile.seeds)) for name in book_of(profile)}
    assert {name for name, found in wanted.items() if found.images} == NEEDING
    assert all(wanted[name] == Wanted() for name in wanted if name not in NEEDING)
    assert wanted["prefix_length"] == Wanted(frozenset({other}))
    assert wanted["decoding"] == Wanted(frozenset({None}))
    assert wanted["bridges"] == Wanted(frozenset({None}), frozenset(profile.calibration.dims))
    assert wanted["conclusions"].images == {None, other}


@pytest.mark.parametrize(
    ("chapters", "wanted"),
    [
        (["noise_types", "heads_layers"], ["coco/captions", "coco/val", "coco/test"]),
        (["noise_types", "prefix_length"], ["coco/captions", "coco/val", "coco/test", "coco/train"]),
    ],
)
def test_what_the_chapters_read_is_fetched_and_no_more(
    profile: Profile, chapters: list[str], wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def stopped(*_: object) -> None:
        raise CapdecError("nothing is computed here")

    monkeypatch.setattr(reproduce, "ensure", asked.append)
    monkeypatch.setattr(reproduce, "Runner", stopped)
    with pytest.raises(CapdecError, match="nothing is computed here"):
        reproduce.Book(profile, "cpu").compute(chapters)
    assert asked == [wanted]


def test_the_longest_prefix_leaves_room_for_a_caption(profile: Profile) -> None:
    longest = max([profile.mapper.prefix_length, *profile.prefix_length.lengths])
    assert profile.language_model.positions - longest + 1 >= profile.decoding.max_tokens + 1


def test_a_profile_of_ones_own_goes_before_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "OWN_PROFILES", tmp_path)
    (tmp_path / "mine.toml").write_text('like = "coco"\nseeds = 1\n[corpus]\nsizes = { train = 100 }\n')
    mine = load_profile("mine")
    assert (mine.name, mine.seeds, mine.corpus.sizes["train"]) == ("mine", 1, 100)
    assert replace(mine, name="coco", seeds=3, corpus=load_profile("coco").corpus) == load_profile("coco")
    (tmp_path / "smoke.toml").write_text(
        (paths.PROFILES / "smoke.toml").read_text().replace("seeds = 2", "seeds = 5", 1)
    )
    assert load_profile("smoke").seeds == 5
    assert read_profile(paths.PROFILES / "smoke.toml").seeds == 2
