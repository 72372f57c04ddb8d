"""CLIP's weights by pin, photographs of any size through the model's own transform, and what is embedded of COCO."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from coco_world import RESNET, SIZES, VIT, world, write_clip, write_data
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image
from small_world import small_profile
from tiny import random_captions, tiny_config, unit_rows

from capdec_core import embeddings, material, paths
from capdec_core.batches import PackedCaptions
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.cell import Evaluation
from capdec_core.corpora import Corpus, load_corpus
from capdec_core.encoders import load_encoder, weights
from capdec_core.encoders import open_clip as module
from capdec_core.errors import CapdecError
from capdec_core.material import Wanted, prepare
from capdec_core.noise import Gaussian, NoNoise
from capdec_core.profiles import CorpusSettings, EncoderSettings, Profile
from capdec_core.training import train

RN50X4, VIT_B_32 = "timm/resnet50x4_clip.openai", "timm/vit_base_patch32_clip_224.openai"
REVISION = "0" * 40
WHOLE = {"train": SIZES["train"] + SIZES["restval"], "val": SIZES["val"], "test": SIZES["test"]}
OWN = EncoderSettings(f"hf-hub:{RN50X4}@{REVISION}")
OTHER = EncoderSettings(f"hf-hub:{VIT_B_32}@{REVISION}", raw=True)
TABLE, PHOTOGRAPHS = world()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models in which both encoders lie in miniature."""
    folder = tmp_path_factory.mktemp("models")
    write_clip(folder / RN50X4, RESNET, 640)
    write_clip(folder / VIT_B_32, VIT, 512, seed=1)
    return folder


@pytest.fixture(autouse=True)
def place(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of real data with COCO in miniature, and caches of its own."""
    monkeypatch.setattr(paths, "MODELS", shelf)
    monkeypatch.setattr(paths, "REAL_DATA", [tmp_path / "data"])
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(material, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(material, "BANKS", tmp_path / "cache" / "embeddings")
    material._corpus.cache_clear()
    yield write_data(tmp_path / "data", TABLE, PHOTOGRAPHS)
    material._corpus.cache_clear()


def profile() -> Profile:
    sizes = CorpusSettings("coco", 0, WHOLE, {"val": 4, "test": 6})
    small = small_profile(name="small_coco", corpus=sizes, encoder=OWN)
    return replace(small, prefix_length=replace(small.prefix_length, encoder=OTHER))


def pin_own_weights(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin = weights.Pin(RN50X4, REVISION, weights.weights_digest(shelf / RN50X4))
    monkeypatch.setitem(weights.PINS, ("RN50x4", "openai"), pin)


@pytest.mark.parametrize("settings", [OWN, OTHER], ids=["resnet", "vit"])
def test_photographs_of_any_size_are_embedded_as_open_clip_itself_does(settings: EncoderSettings) -> None:
    encoder = load_encoder(settings.model)
    split = load_corpus("coco", 0, WHOLE).split("test")
    pictures = split.render(range(6))
    own, _, transform = open_clip.create_model_and_transforms(f"local-dir:{paths.MODELS / hub_of(settings)}")
    batch = torch.stack([transform(Image.fromarray(picture)) for picture in pictures])
    with torch.no_grad():
        expected = own.eval().encode_image(batch).numpy()
    fitted = encoder.fitted(pictures)
    assert fitted.shape == (6, 64, 64, 3)
    assert encoder.encode_images(fitted) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def hub_of(settings: EncoderSettings) -> str:
    return settings.model.removeprefix("hf-hub:").partition("@")[0]


def test_a_model_and_tag_are_read_by_their_pin(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CapdecError, match=r"not hold the weights of timm/resnet50x4.* not fcd5a494550d0951"):
        load_encoder("RN50x4", "openai")
    pin_own_weights(shelf, monkeypatch)
    encoder = load_encoder("RN50x4", "openai")
    assert (encoder.name, encoder.dim) == ("RN50x4 (openai)", 640)
    assert encoder.fingerprint == load_encoder(OWN.model).fingerprint
    assert encoder.fingerprint != load_encoder(OTHER.model).fingerprint


def test_what_is_no_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    (tmp_path / RN50X4).mkdir(parents=True)
    with pytest.raises(CapdecError, match=r"is no open_clip model: it has no open_clip_config.json"):
        load_encoder(OWN.model)


class Hub:
    """Stands in for `snapshot_download`: a folder that has been fetched once is in the cache."""

    def __init__(self, folder: Path, cached: bool = False, there: bool = True) -> None:
        self.folder, self.cached, self.there = folder, cached, there
        self.fetched: list[tuple[str, str]] = []

    def __call__(self, hub: str, revision: str, allow_patterns: Sequence[str], **options: Any) -> str:
        assert list(allow_patterns) == [weights.CONFIG, weights.WEIGHTS]
        if not self.cached and (options.get("local_files_only") or not self.there):
            raise LocalEntryNotFoundError("offline")
        if not self.cached:
            self.fetched.append((hub, revision))
        self.cached = True
        return str(self.folder)


def test_weights_come_from_the_hub_once_at_their_revision(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin_own_weights(shelf, monkeypatch)
    hub = Hub(shelf / RN50X4)
    monkeypatch.setattr(weights, "snapshot_download", hub)
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    for _ in range(2):
        assert load_encoder("RN50x4", "openai").dim == 640
    assert hub.fetched == [(RN50X4, REVISION)]


def test_weights_that_are_not_to_be_had_are_said_with_where_they_were_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "snapshot_download", Hub(tmp_path, there=False))
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    with pytest.raises(
        CapdecError, match=rf"neither in {tmp_path}.*CAPDEC_MODELS.*HF_ENDPOINT names a mirror"
    ):
        load_encoder("ViT-B-32", "openai")


def test_a_tag_has_the_gelu_that_its_weights_were_trained_with(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def created(*_: Any, force_quick_gelu: bool, **__: Any) -> None:
        asked.append(force_quick_gelu)
        raise RuntimeError("no weights here")

    monkeypatch.setattr(module.open_clip, "create_model_and_transforms", created)
    for tag in ("openai", "laion2b_s34b_b88k"):
        with pytest.raises(CapdecError, match="no weights here"):
            load_encoder("ViT-B-16", tag)
    assert asked == [True, False]


def test_a_bank_holds_few_photographs_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    corpus: Corpus = load_corpus("coco", 0, WHOLE)
    encoder, asked = load_encoder(OTHER.model), []
    split = corpus.split("train")

    def watched(_: str) -> Any:
        return replace(split, render=lambda span: asked.append(len(span)) or split.render(span))

    monkeypatch.setattr(corpus, "split", watched)
    monkeypatch.setattr(embeddings, "PHOTOGRAPHS_AT_ONCE", 7)
    rows = embeddings.bank(tmp_path, corpus, encoder, "train", "image")
    assert sum(asked) == WHOLE["train"]
    assert max(asked) == 7
    expected = encoder.encode_images(encoder.fitted(split.render(range(WHOLE["train"]))))
    assert rows == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_only_what_is_wanted_is_embedded(place: Path) -> None:
    shutil.rmtree(place / "train2014")
    known = prepare(profile(), "cpu", Wanted())
    assert sorted(known.banks) == ["test/image", "test/text", "train/text", "val/image", "val/text"]
    assert (known.reduced, known.others) == ({}, {})
    assert prepare(profile(), "cpu") == known
    for wanted in (Wanted(frozenset({None})), Wanted(frozenset({OTHER}))):
        with pytest.raises(CapdecError, match=r"coco has only captions to train on here.*coco/train"):
            prepare(profile(), "cpu", wanted)
    with pytest.raises(CapdecError, match="has embedded nothing here"):
        known.by(OTHER)


def test_another_encoder_is_read_raw_where_it_says_so() -> None:
    known = prepare(profile(), "cpu", Wanted(frozenset({OTHER})))
    other = known.by(OTHER)
    assert (known.dim, other.dim) == (640, 512)
    assert known.of(other.encoder) is other
    assert known.by(None) is known.by(OWN) is known
    evaluation = Evaluation("test", "image", 6)
    raw = np.load(other.banks["test/image"])[:6]
    assert np.array_equal(other.evaluation_embeddings(evaluation).numpy(), raw)
    assert np.abs(np.linalg.norm(raw, axis=1) - 1).min() > 0.01
    assert known.evaluation_embeddings(evaluation).norm(dim=1) == pytest.approx(torch.ones(6))
    captions = len(known.training_captions())
    assert other.training_embeddings("image").shape == (captions, 512)
    with pytest.raises(CapdecError, match="no embeddings of training images here"):
        known.training_embeddings("image")
    unit = replace(OTHER, raw=False)
    assert prepare(profile(), "cpu", Wanted(frozenset({unit}))).by(unit).encoder != other.encoder


def test_rows_of_any_norm_train_where_nothing_is_added_to_them() -> None:
    captions = PackedCaptions.pack(random_captions(20))
    rows = 10 * unit_rows(20)
    record = train(Captioner(tiny_config()), rows, captions, NoNoise(), Budget(2, 4, 1e-3), seed=0)
    assert record.mean_cosine == pytest.approx(1.0)
    with pytest.raises(ValueError, match="rows must have norm 1"):
        train(Captioner(tiny_config()), rows, captions, Gaussian(0.016), Budget(2, 4, 1e-3), seed=0)
