"""Cells of a published captioner: fetched by name, checked, decoded to its full stop, recorded like any other."""

import tomllib
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from published_layout import PublishedModel, publish_capdec, published_model
from small_world import CountingEncoder, InlineExecutor, ToyCorpus, small_profile
from tiny_models import write_gpt2
from torch import Tensor

from capdec_core import material as module
from capdec_core import paths
from capdec_core import runner as running
from capdec_core.cell import Imported
from capdec_core.errors import CapdecError
from capdec_core.imported import published
from capdec_core.imported.settings import PublishedSettings, StatedShape
from capdec_core.imported.speak import only_token
from capdec_core.mapper import MapperConfig
from capdec_core.matching import parameter_count
from capdec_core.material import Material, Wanted, prepare
from capdec_core.noise import Gaussian
from capdec_core.profiles import (
    CorpusSettings,
    DecodingSettings,
    NamedLanguageModelSettings,
    Profile,
    load_profile,
    strict,
)
from capdec_core.store import CellStore
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.worker import run_cells

HUB, LONGEST = "owner/capdec_05", 12
REVISION = "0123456789abcdef0123456789abcdef01234567"
SHAPE = StatedShape("transformer", 3, 2, 8, 2)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_gpt2(folder / "gpt2")
    return folder


@pytest.fixture(scope="module")
def model(shelf: Path) -> PublishedModel:
    """A published captioner of the toy encoder's dimension that likes to end captions."""
    found = published_model(shelf / "gpt2", CountingEncoder.dim, "transformer", seed=0)
    with torch.no_grad():
        found.clip_project.linear.weight.mul_(30)
        full_stop = found.gpt.transformer.wte.weight[13]
        found.gpt.transformer.ln_f.bias.add_(8 * full_stop / full_stop.square().sum())
    return found


@pytest.fixture(autouse=True)
def _toy_world(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MODELS", shelf)
    monkeypatch.setattr(module, "CACHE", tmp_path)
    monkeypatch.setattr(module, "BANKS", tmp_path / "embeddings")
    monkeypatch.setattr(module, "load_encoder", lambda *_: CountingEncoder())
    monkeypatch.setattr(module, "corpus_of", lambda _: ToyCorpus())


@pytest.fixture
def wanted(shelf: Path, model: PublishedModel) -> PublishedSettings:
    table = tomllib.loads(publish_capdec(model, shelf / HUB, HUB, REVISION))["pretrained_capdec"]
    return strict(PublishedSettings, table, "profile")


def profile_with(wanted: PublishedSettings, beams: int = 1) -> Profile:
    return small_profile(
        corpus=CorpusSettings("toy", 0, {}, {"test": 3}),
        language_model=NamedLanguageModelSettings("gpt2", True),
        decoding=DecodingSettings(beams, LONGEST),
        pretrained_capdec=wanted,
    )


def imported_cell(wanted: PublishedSettings, beams: int = 1) -> tuple[Imported, Material]:
    profile = profile_with(wanted, beams)
    material = prepare(profile, "cpu", Wanted())
    condition = Condition(
        "pretrained", "Pre-trained", Gaussian(wanted.variance), splits=("test",), checkpoint=wanted
    )
    (cell,) = cells_of(condition, profile, material)
    assert isinstance(cell, Imported)
    return cell, material


def greedy(model: PublishedModel, row: Tensor, stop: int) -> list[int]:
    """The published modules' own words, likeliest first, up to the full stop and with it."""
    tokens: list[int] = []
    while len(tokens) < LONGEST and tokens[-1:] != [stop]:
        logits = model.logits(row[None], torch.tensor([tokens], dtype=torch.int64))
        tokens.append(int(logits[0, -1].argmax()))
    return tokens


def test_captions_are_the_published_modules_own_up_to_their_full_stop(wanted, model, tmp_path):
    cell, material = imported_cell(wanted)
    store = CellStore(tmp_path / "cells")
    run_cells([cell], material, store, "cpu")
    tokenizer, (evaluation,) = material.load_tokenizer(), cell.evaluations
    stop = only_token(".", tokenizer)
    told = [greedy(model, row, stop) for row in material.evaluation_embeddings(evaluation)]
    assert store.captions(cell)["test/image"] == {
        f"test-{i}": [tokenizer.decode(tokens)] for i, tokens in enumerate(told)
    }
    ended = {tokens[-1] == stop for tokens in told}
    assert ended == {True, False}, "one caption that ends and one that runs on"


def test_a_record_says_what_it_is_and_what_noise_it_was_trained_with(wanted, model, tmp_path):
    cell, material = imported_cell(wanted, beams=3)
    store = CellStore(tmp_path / "cells")
    run_cells([cell], material, store, "cpu")
    record = store.record(cell)
    assert record["parameters"] == sum(weight.numel() for weight in model.parameters())
    assert record["trainable_parameters"] == record["parameters"]
    assert {name: record["mapper"][name] for name in asdict(SHAPE)} == asdict(SHAPE)
    rows = material.training_embeddings("text")
    expected = Gaussian(wanted.variance).describe(rows.shape[1])["expected_cosine"]
    assert record["mean_cosine"] == pytest.approx(expected, abs=0.15)
    assert record["decoding_seconds"] <= record["seconds"]
    assert all(len(captions) == 3 for captions in store.captions(cell)["test/image"].values())
    assert not (store.path(cell) / "captioner.safetensors").exists(), "it is had by name"
    stamp = (store.path(cell) / "record.json").stat().st_mtime_ns
    run_cells([cell], material, store, "cpu")
    assert (store.path(cell) / "record.json").stat().st_mtime_ns == stamp


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """How captions were decoded, in a runner's words, where they would be scored; no process is started."""
    found: list[str] = []
    threads = torch.get_num_threads()
    monkeypatch.setattr(running, "ProcessPoolExecutor", InlineExecutor)
    monkeypatch.setattr(
        running.Runner, "_score", lambda self, cells: found.extend(map(self._decoding, cells))
    )
    yield found
    torch.set_num_threads(threads)


def test_a_runner_computes_it_and_signs_where_its_captions_end(wanted, tmp_path, signed):
    cell, _ = imported_cell(wanted, beams=3)
    runner = running.Runner(profile_with(wanted, beams=3), CellStore(tmp_path / "cells"), "cpu", Wanted())
    runner.compute([cell])
    assert runner.store.has(cell)
    assert signed == ["Beam 3, at most 12 tokens, up to '.'"]


def test_a_runner_misses_it_before_anything_is_trained(wanted, tmp_path, signed):
    other = replace(wanted, sha256="0" * 64)
    cell, material = imported_cell(other)
    (trained,) = cells_of(Condition("none", "No noise", splits=("test",)), profile_with(other), material)
    runner = running.Runner(profile_with(other), CellStore(tmp_path / "cells"), "cpu", Wanted())
    with pytest.raises(CapdecError, match="is not the checkpoint"):
        runner.compute([trained, cell])
    assert not (tmp_path / "cells").exists()


def test_everything_that_decides_its_captions_names_the_cell(wanted):
    cell, _ = imported_cell(wanted)
    others = [
        replace(cell, checkpoint=asdict(replace(wanted, sha256="0" * 64))),
        replace(cell, checkpoint=asdict(replace(wanted, mapper=replace(SHAPE, heads=4)))),
        replace(cell, checkpoint=asdict(replace(wanted, stop="!"))),
        replace(cell, language_model="other/gpt2"),
        replace(cell, decoding={"beams": 5, "max_tokens": LONGEST}),
        replace(cell, encoder="other"),
        replace(cell, code="other"),
    ]
    assert len({cell.id, *(other.id for other in others)}) == len(others) + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sha256": "0" * 64},
            "model.pt is not the checkpoint owner/capdec_05 .* SHA-256 is [0-9a-f]{64}, not 0000",
        ),
        ({"stop": ". ."}, "captions cannot end at '. .': it is . tokens"),
        ({"mapper": replace(SHAPE, prefix_length=40)}, "prefix_length 40, not 3"),
        ({"mapper": replace(SHAPE, heads=None)}, "state it"),
    ],
)
def test_a_checkpoint_that_is_not_what_was_said_leaves_no_cell(changes, message, wanted, tmp_path):
    cell, material = imported_cell(replace(wanted, **changes))
    store = CellStore(tmp_path / "cells")
    with pytest.raises(CapdecError, match=message):
        run_cells([cell], material, store, "cpu")
    assert not store.has(cell)


def test_embeddings_of_another_dimension_are_refused(wanted, tmp_path, monkeypatch):
    monkeypatch.setattr(CountingEncoder, "dim", 7)
    cell, material = imported_cell(wanted)
    with pytest.raises(CapdecError, match=r"reads embeddings of 6 dimensions; .* have 7"):
        run_cells([cell], material, CellStore(tmp_path / "cells"), "cpu")


def test_one_that_is_nowhere_is_missed_with_both_variables(wanted, tmp_path, monkeypatch):
    def unreachable(hub: str, file: str, *, revision: str) -> str:
        assert (hub, file, revision) == (HUB, "model.pt", REVISION)
        raise OSError("no network")

    monkeypatch.setattr(published, "hf_hub_download", unreachable)
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    with pytest.raises(CapdecError, match=f"CAPDEC_MODELS .* revision {REVISION} .HF_ENDPOINT .* no network"):
        published.find_checkpoint(wanted)


def test_the_hubs_file_is_checked_too(wanted, shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "hf_hub_download", lambda *_, **__: str(shelf / HUB / "model.pt"))
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    assert published.find_checkpoint(wanted) == shelf / HUB / "model.pt"
    with pytest.raises(CapdecError, match="Delete it to have it fetched anew"):
        published.find_checkpoint(replace(wanted, sha256="f" * 64))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"revision": "main"}, "revision 'main' is not 40 hex digits"),
        ({"revision": REVISION[:7]}, "is not 40 hex digits"),
        ({"sha256": "md5"}, "sha256 'md5' is not 64 hex digits"),
        ({"hub": "../owner/x"}, "no hub of a published checkpoint"),
        ({"file": "/etc/passwd"}, "no file of a published checkpoint"),
    ],
)
def test_a_checkpoint_is_pinned_in_full(changes, message, wanted):
    with pytest.raises(CapdecError, match=message):
        replace(wanted, **changes)


def test_a_language_model_without_a_name_is_refused(wanted):
    profile = replace(profile_with(wanted), language_model=small_profile().language_model)
    condition = Condition("pretrained", "Pre-trained", checkpoint=wanted)
    with pytest.raises(CapdecError, match=f"checkpoint {HUB} speaks through a GPT-2 by name"):
        cells_of(condition, profile, prepare(profile_with(wanted), "cpu", Wanted()))


PUBLISHED_BYTES = 740_525_731
"""Size of johko/capdec_05's model.pt, as the hub states it beside the file's SHA-256."""
GPT2_SMALL, POSITIONS, LAYERS = 124_439_808, 1024, 12
"""GPT-2 small: its weights, and what its old causal masks follow from (a byte a place, and a number a layer)."""


def test_the_published_file_has_the_size_of_what_the_profile_says_is_in_it():
    profile = load_profile("coco")
    stated = profile.pretrained_capdec.mapper
    assert asdict(stated) == {name: asdict(profile.mapper)[name] for name in asdict(stated)}, (
        "CapDec's own mapper"
    )
    mapper = parameter_count(MapperConfig(**asdict(stated), embedding_dim=640, width=768))
    tensors = 4 * (GPT2_SMALL + mapper) + LAYERS * (POSITIONS**2 + 4)
    count = 149 + 2 * LAYERS + 3 + 11 * stated.layers  # GPT-2's, its masks', the mapper's
    assert 0 < PUBLISHED_BYTES - tensors < 500 * count, "the archive's own record of each tensor"
