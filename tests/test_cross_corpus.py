"""Training captions without photographs: what a profile says of them, the grid that is left, and its cells."""

from dataclasses import replace
from pathlib import Path

import pytest
from small_flickr import write_archive, write_flickr30k, write_karpathy
from small_study import make_study
from small_world import CAPTIONS, CountingEncoder, ToyCorpus, small_profile

from capdec_core import material as module
from capdec_core import paths
from capdec_core.bridges import Bridge, MemoryProjection, NearestCaption, ShapedNoise, Sight
from capdec_core.cell import CellConfig
from capdec_core.corpora import CORPORA, CROSS, Split, corpus_of_images, load_corpus, trains_on_text
from capdec_core.errors import CapdecError
from capdec_core.material import prepare
from capdec_core.noise import Gaussian
from capdec_core.profiles import CorpusSettings, NamedLanguageModelSettings, load_profile, read_profile
from capdec_core.reproduce import Book
from capdec_core.store import CellStore
from capdec_core.studies import book_of, bridges, conclusions, grid_of
from capdec_core.studies.conditions import Condition, all_cells
from capdec_core.worker import run_cells

ACROSS, DOMAIN = "flickr30k-to-flickr8k", "flickr8k"


def test_what_is_said_of_a_corpus_is_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "REAL_DATA", [tmp_path])
    write_archive(tmp_path)
    write_karpathy(tmp_path)
    write_flickr30k(tmp_path)
    for name in ("scenes", DOMAIN, "flickr30k", ACROSS):
        corpus = load_corpus(name, 0, {"train": 2, "test": 1})
        assert trains_on_text(name) == corpus.split("train").text_only
        own = load_corpus(corpus_of_images(name), 0, {"train": 1, "test": 1})
        assert own.split("test").ids == corpus.split("test").ids
    assert set(CROSS) < set(CORPORA)


# The profile.


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_across_corpora_only_the_corpus_is_another(device: str) -> None:
    """Whatever is trained is trained as in domain; a word is as rare where it has the same share of the captions."""
    across, domain = load_profile(ACROSS, device), load_profile(DOMAIN, device)
    assert across.language_model.rare == round(domain.language_model.rare * 110_035 / 30_000)  # type: ignore[union-attr]
    assert across.corpus.captioned == domain.corpus.captioned
    told = {"name", "title", "chapters", "corpus", "language_model", "noise_types", "bridges"}
    same = {field: value for field, value in vars(domain).items() if field not in told}
    assert {field: getattr(across, field) for field in same} == same
    assert replace(across.language_model, rare=5) == domain.language_model  # type: ignore[type-var]


def written(tmp_path: Path, text: str, name: str = "mine") -> Path:
    path = tmp_path / f"{name}.toml"
    path.write_text(text)
    return path


def test_a_profile_like_another_has_what_it_does_not_say(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'like = "smoke"\ntitle = "Mine"\n[training]\nsteps = 7\n[on_cpu]\ndecoding = { beams = 2 }\n',
    )
    smoke, mine = load_profile("smoke"), read_profile(path)
    assert mine == replace(smoke, name="mine", title="Mine", training=replace(smoke.training, steps=7))
    cpu = read_profile(path, "cpu")
    assert cpu == replace(mine, partial=True, decoding=replace(mine.decoding, beams=2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('like = "paper"', "no profile 'paper'; PROFILE is one of: .*scenes"),
        (f'like = "{ACROSS}"', r"mine\.toml: unknown key 'like'"),
        ('like = "smoke"\n[training]\nstep = 7', "training: unknown key 'step'"),
        ('like = "smoke"\n[training', "is not TOML"),
    ],
)
def test_what_is_wrong_in_a_profile_like_another_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CapdecError, match=message):
        read_profile(written(tmp_path, text))


def test_a_language_model_by_name_stands_in_place_of_one_that_is_trained() -> None:
    """The profile of a frozen language model is flickr8k's but for that, the prefix, and chapter 2's smaller grid."""
    frozen, own = load_profile("flickr8k-smollm2"), load_profile(DOMAIN)
    assert frozen.language_model == NamedLanguageModelSettings("smollm2-135m", tuned=False)
    told = {"name", "title", "chapters", "language_model", "mapper", "noise_types"}
    assert {k: v for k, v in vars(frozen).items() if k not in told} == {
        k: v for k, v in vars(own).items() if k not in told
    }
    assert make_study(**vars(frozen.noise_types)).claims  # the grid holds what Study A's claims are judged by
    assert list(book_of(load_profile(frozen.name, "cpu"))) == ["geometry"]


# The grid.


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_takes_training_images_is_left_out_and_nothing_else(device: str) -> None:
    profile = load_profile(ACROSS, device)
    whole, left = bridges.conditions(profile, 3), grid_of("bridges", profile, 3)
    gone = [c for c in whole if c not in left]
    assert left == [c for c in whole if c in left]
    assert all(c.across.sight is Sight.NEVER and c.train_on == "text" and c.dim is None for c in left)
    assert all(c.across.sight is not Sight.NEVER or c.train_on == "image" or c.dim is not None for c in gone)
    assert {c.family for c in left} >= {"none", "gaussian", "projection", "nearest caption", "full, clusters"}
    assert {c.family for c in gone} >= {"trained on images", "collapse", "linear adapter", "full, pairs"}
    assert set(left) <= set(conclusions.conditions(profile, 3))
    domain = load_profile(DOMAIN, device)
    assert grid_of("bridges", domain, 3) == bridges.conditions(domain, 3)


@pytest.mark.parametrize("name", ["geometry", "prefix_length", "decoding"])
def test_a_study_that_takes_training_images_is_refused_before_anything_is_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr("capdec_core.reproduce.Runner", lambda *arguments: made.append(arguments))
    message = (
        f"study '{name}' is not in the book of {ACROSS}, .* without photographs; it has: bridges, conclusions"
    )
    with pytest.raises(CapdecError, match=message):
        Book(load_profile(ACROSS, "cpu"), "cpu").compute([name])
    assert made == []


# Cells.


class ToldCorpus(ToyCorpus):
    """The toy corpus with captions alone to train on."""

    def split(self, name: str) -> Split:
        """Return the split."""
        found = super().split(name)
        return replace(found, text_only=True, render=refuse) if name == "train" else found


def refuse(_: object) -> None:
    raise AssertionError("a photograph of the training split was asked for")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CellStore:
    """An empty store beside a toy world that trains on captions alone."""
    monkeypatch.setattr(module, "CACHE", tmp_path)
    monkeypatch.setattr(module, "BANKS", tmp_path / "embeddings")
    monkeypatch.setattr(module, "load_encoder", lambda *_: CountingEncoder())
    monkeypatch.setattr(module, "corpus_of", lambda _: ToldCorpus())
    return CellStore(tmp_path / "cells")


def of_bridge(bridge: Bridge) -> Condition:
    return Condition("one", bridge.label, splits=("test",), bridge=bridge)


def test_every_kind_of_text_only_cell_captions_images(store: CellStore) -> None:
    """Noise, noise of a learned shape, projection and retrieval, with no image seen before the first is captioned."""
    profile = small_profile(corpus=CorpusSettings("toy", 0, {}, {"test": 3}))
    material = prepare(profile, "cpu")
    assert not material.reduced
    assert set(material.banks) == {"train/text", "test/image", "test/text"}
    ways = [
        Bridge(noise=Gaussian(0.01)),
        Bridge(noise=ShapedNoise("full", "clusters", 0.7)),
        Bridge((MemoryProjection(),), Gaussian(0.01)),
        Bridge((NearestCaption(),)),
    ]
    cells = all_cells([of_bridge(way) for way in ways], profile, material)
    assert len(cells) == len(ways)
    for cell in sorted(cells, key=lambda cell: not isinstance(cell, CellConfig)):
        run_cells([cell], material, store, "cpu")
        assert set(store.captions(cell)["test/image"]) == {"test-0", "test-1", "test-2"}
    told = {caption for group in CAPTIONS["train"] for caption in group}
    (looked_up,) = store.captions(cells[-1]).values()
    assert {captions[0] for captions in looked_up.values()} <= told


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            Condition("images", "On images", train_on="image", splits=("test",)),
            "no embeddings of training images",
        ),
        (of_bridge(Bridge(noise=ShapedNoise("full", "pairs", 0.7))), "the training material is text only"),
    ],
)
def test_a_cell_that_takes_training_images_says_that_there_are_none(
    condition: Condition, message: str, store: CellStore
) -> None:
    profile = small_profile(corpus=CorpusSettings("toy", 0, {}, {"test": 3}))
    material = prepare(profile, "cpu")
    assert condition.needs_images
    with pytest.raises(CapdecError, match=message):
        run_cells(all_cells([condition], profile, material), material, store, "cpu")
