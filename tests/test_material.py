"""What cells share: captions, tokens and embeddings belong together; the language model is made once."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_world import CAPTIONS, CountingEncoder, ToyCorpus, small_profile

from capdec_core import material as module
from capdec_core.budget import Budget
from capdec_core.cell import CellConfig, Evaluation
from capdec_core.embeddings import unit_rows
from capdec_core.errors import CapdecError
from capdec_core.material import Material, captioner_settings, language_model_path, prepare
from capdec_core.profiles import CorpusSettings, Profile
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.tokenizer import SPECIALS

FLAT = [caption for group in CAPTIONS["train"] for caption in group]


@pytest.fixture
def profile() -> Profile:
    return small_profile(corpus=CorpusSettings("toy", 0, {}, {"test": 3}))


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture(autouse=True)
def _toy_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: CountingEncoder) -> None:
    """Let the module see the toy corpus and encoder, and a cache of its own."""
    monkeypatch.setattr(module, "CACHE", tmp_path)
    monkeypatch.setattr(module, "BANKS", tmp_path / "embeddings")
    monkeypatch.setattr(module, "load_encoder", lambda *_: encoder)
    monkeypatch.setattr(module, "corpus_of", lambda _: ToyCorpus())


@pytest.fixture
def material(profile: Profile) -> Material:
    return prepare(profile, "cpu")


@pytest.fixture
def cell(profile: Profile, material: Material) -> CellConfig:
    return cells_of(Condition("none", "No noise", splits=("test",)), profile, material)[0]


def test_fingerprints_and_sizes(material: Material) -> None:
    assert (material.corpus, material.encoder, material.dim) == ("toy", "counting", 6)
    tokenizer = material.load_tokenizer()
    assert (material.tokenizer, material.vocab_size) == (tokenizer.fingerprint, tokenizer.vocab_size)


def test_caption_i_is_embedding_i(material: Material, encoder: CountingEncoder) -> None:
    packed, tokenizer = material.training_captions(), material.load_tokenizer()
    embeddings = material.training_embeddings("text").numpy()
    assert len(packed) == len(embeddings) == len(FLAT)
    tokens, lengths = packed.padded(torch.arange(len(FLAT)), int(packed.lengths.max()))
    for row, caption in enumerate(FLAT):
        assert tokenizer.decode(tokens[row, : lengths[row]].tolist()) == tokenizer.decode(
            tokenizer.encode([caption])[0]
        )
        assert embeddings[row] == pytest.approx(unit_rows(encoder.of_text(caption)[None])[0])


def test_every_caption_has_its_images_embedding(material: Material, encoder: CountingEncoder) -> None:
    rows = material.training_embeddings("image").numpy()
    brightness = [index + 1 for index, group in enumerate(CAPTIONS["train"]) for _ in group]
    assert rows == pytest.approx(unit_rows(np.stack([encoder.of_image(value) for value in brightness])))


def test_blank_rows_are_one_unit_vector(material: Material) -> None:
    rows = material.training_embeddings("blank")
    assert rows.shape == (len(FLAT), 6)
    assert torch.equal(rows, rows[:1].expand_as(rows))
    assert rows.norm(dim=1) == pytest.approx(torch.ones(len(FLAT)))
    evaluated = material.evaluation_embeddings(Evaluation("test", "blank", 2))
    assert torch.equal(evaluated, rows[:2])


def test_images_are_evaluated_from_their_own_rows(material: Material, encoder: CountingEncoder) -> None:
    rows = material.evaluation_embeddings(Evaluation("test", "image", 3)).numpy()
    assert rows == pytest.approx(unit_rows(np.stack([encoder.of_image(value) for value in (1, 2, 3)])))
    assert len(material.evaluation_embeddings(Evaluation("test", "image", 2))) == 2


def test_text_to_text_reads_each_images_first_caption(material: Material, encoder: CountingEncoder) -> None:
    rows = material.evaluation_embeddings(Evaluation("test", "text", 3)).numpy()
    first = [group[0] for group in CAPTIONS["test"]]
    assert rows == pytest.approx(unit_rows(np.stack([encoder.of_text(caption) for caption in first])))


def test_ids_are_the_splits_first(material: Material) -> None:
    assert material.evaluation_ids(Evaluation("test", "image", 2)) == ["test-0", "test-1"]


def test_a_second_call_encodes_and_writes_nothing(
    profile: Profile, material: Material, encoder: CountingEncoder, tmp_path: Path
) -> None:
    calls = len(encoder.text_calls), len(encoder.image_calls)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert prepare(profile, "cpu") == material
    assert (len(encoder.text_calls), len(encoder.image_calls)) == calls
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == times


def test_other_captioned_images_are_other_material(profile: Profile, material: Material) -> None:
    more = replace(profile, corpus=replace(profile.corpus, captioned={"test": 3, "train": 1}))
    assert prepare(more, "cpu").evaluation_ids(Evaluation("train", "image", 1)) == ["train-0"]


def test_other_code_is_other_material(
    profile: Profile, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "code_fingerprint", lambda: "other")
    assert prepare(profile, "cpu").folder != material.folder


@pytest.mark.parametrize("images", [0, 4])
def test_a_split_has_only_so_many_images(profile: Profile, images: int) -> None:
    wrong = replace(profile, corpus=replace(profile.corpus, captioned={"test": images}))
    with pytest.raises(CapdecError, match=rf"split 'test' has 3 images; {images} of them"):
        prepare(wrong, "cpu")


def test_an_unknown_split_is_named(profile: Profile) -> None:
    wrong = replace(profile, corpus=replace(profile.corpus, captioned={"dev": 1}))
    with pytest.raises(CapdecError, match="no split 'dev'"):
        prepare(wrong, "cpu")


def test_settings_fit_the_embeddings_and_the_vocabulary(profile: Profile, material: Material) -> None:
    mapper, language_model = captioner_settings(profile, material)
    assert (mapper["embedding_dim"], mapper["width"]) == (6, profile.language_model.width)
    assert language_model["vocab_size"] == material.vocab_size
    assert language_model["unknown_id"] is None


def test_rare_words_are_left_out_and_never_predicted(profile: Profile, material: Material) -> None:
    fewer = replace(profile, language_model=replace(profile.language_model, rare=2))
    found = prepare(fewer, "cpu")
    assert found.vocab_size < material.vocab_size
    _, language_model = captioner_settings(fewer, found)
    tokens = found.training_captions().flat.tolist()
    assert language_model["unknown_id"] == found.vocab_size - SPECIALS
    assert found.load_tokenizer().encode(["zebra"]) == [[language_model["unknown_id"]]]
    assert language_model["unknown_id"] in tokens


def test_the_language_model_is_trained_once(
    cell: CellConfig, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    real = module.pretrain_language_model

    def counting(model, captions, budget, *rest):
        runs.append(budget)
        return real(model, captions, budget, *rest)

    monkeypatch.setattr(module, "pretrain_language_model", counting)
    first = module.pretrained_language_model(cell, material, "cpu").state_dict()
    again = module.pretrained_language_model(replace(cell, seed=5), material, "cpu").state_dict()
    assert runs == [Budget(**cell.pretraining)]
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_the_language_model_is_the_same_whoever_makes_it(
    cell: CellConfig, material: Material, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    module.pretrained_language_model(cell, material, "cpu")
    first = language_model_path(cell).read_bytes()
    language_model_path(cell).unlink()
    torch.manual_seed(2)
    module.pretrained_language_model(cell, material, "cpu")
    assert language_model_path(cell).read_bytes() == first


def test_the_language_model_has_learnt_something(cell: CellConfig, material: Material) -> None:
    from capdec_core.language_model import LanguageModelConfig, build_language_model, language_model_loss

    trained = module.pretrained_language_model(
        replace(cell, pretraining=asdict(Budget(60, 6, 1e-2))), material, "cpu"
    )
    fresh = build_language_model(LanguageModelConfig(**cell.language_model))
    packed = material.training_captions()
    batch = packed.padded(torch.arange(len(packed)), int(packed.lengths.max()))
    losses = [language_model_loss(model.eval(), *batch).item() for model in (trained, fresh)]
    assert losses[0] < 0.6 * losses[1]


def test_what_decides_the_language_model_names_its_file(cell: CellConfig) -> None:
    width = cell.language_model | {"width": 64}
    others = [
        replace(cell, language_model=width),
        replace(cell, pretraining=cell.pretraining | {"steps": 7}),
        replace(cell, corpus="other"),
        replace(cell, tokenizer="other"),
        replace(cell, code="other"),
    ]
    assert len({language_model_path(each) for each in [cell, *others]}) == 6
    frozen = replace(cell, language_model=cell.language_model | {"tuned": False}, seed=9, train_on="image")
    assert language_model_path(frozen) == language_model_path(cell)
