"""Encoders answer one protocol, load what they are told and nothing else."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from capdec_core.encoders import load_encoder
from capdec_core.encoders.open_clip import OpenClipEncoder
from capdec_core.errors import CapdecError
from capdec_core.paths import MINIATURE

TEXTS = ["a cat on a sofa", "two dogs", "a man with a big red umbrella in the park ."]
WEIGHTS = "open_clip_model.safetensors"
TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "head_width": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@dataclass(frozen=True)
class TinyModel:
    """An architecture that open_clip knows by name, with a file of weights for it."""

    name: str
    weights: Path
    network: torch.nn.Module


@pytest.fixture(scope="module")
def miniature() -> OpenClipEncoder:
    encoder = load_encoder("miniature")
    assert isinstance(encoder, OpenClipEncoder)
    return encoder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "capdec-tiny.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder / "capdec-tiny.json")
    torch.manual_seed(3)
    network = open_clip.create_model("capdec-tiny").eval()
    save_file(network.state_dict(), folder / "weights.safetensors")
    return TinyModel("capdec-tiny", folder / "weights.safetensors", network)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the miniature that a test may spoil."""
    shutil.copytree(MINIATURE, tmp_path / "model")
    return tmp_path / "model"


def pictures(count: int, height: int = 64, width: int = 64) -> np.ndarray:
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return np.stack([np.array(Image.fromarray(each).resize((width, height))) for each in coarse])


def spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_protocol(miniature: OpenClipEncoder) -> None:
    images, texts = miniature.encode_images(pictures(2)), miniature.encode_texts(TEXTS)
    assert miniature.name == "miniature"
    assert images.shape == (2, miniature.dim)
    assert texts.shape == (3, miniature.dim)
    assert images.dtype == texts.dtype == np.float32


def test_embeddings_are_the_models_own_at_their_raw_norm(miniature: OpenClipEncoder) -> None:
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{MINIATURE}")
    tokens = open_clip.get_tokenizer(f"local-dir:{MINIATURE}")(TEXTS)
    images = pictures(3)
    with torch.no_grad():
        model.eval()
        of_texts = model.encode_text(tokens).numpy()
        of_images = model.encode_image(torch.stack([transform(Image.fromarray(i)) for i in images])).numpy()
    assert miniature.encode_texts(TEXTS) == pytest.approx(of_texts, rel=1e-4, abs=1e-5)
    assert miniature.encode_images(images) == pytest.approx(of_images, rel=1e-4, abs=1e-5)
    assert np.linalg.norm(of_texts, axis=1).std() > 0


def test_one_by_one_is_the_same_as_together(miniature: OpenClipEncoder) -> None:
    images = pictures(4)
    together, texts = miniature.encode_images(images), miniature.encode_texts(TEXTS)
    alone = np.concatenate([miniature.encode_images(image[None]) for image in images])
    assert alone == pytest.approx(together, rel=1e-4, abs=1e-5)
    assert np.concatenate([miniature.encode_texts([text]) for text in TEXTS]) == pytest.approx(
        texts, rel=1e-4, abs=1e-5
    )


def test_blocks_make_no_difference(miniature: OpenClipEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    images, texts = pictures(5), [*TEXTS, "a cup", "a bus"]
    expected = miniature.encode_images(images), miniature.encode_texts(texts)
    monkeypatch.setattr("capdec_core.encoders.open_clip.IMAGE_BATCH", {"cpu": 2})
    monkeypatch.setattr("capdec_core.encoders.open_clip.TEXT_BATCH", {"cpu": 2})
    assert miniature.encode_images(images) == pytest.approx(expected[0], rel=1e-4, abs=1e-5)
    assert miniature.encode_texts(texts) == pytest.approx(expected[1], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(("height", "width"), [(96, 96), (48, 80), (64, 100)])
def test_images_of_another_size_take_the_models_own_transform(
    miniature: OpenClipEncoder, height: int, width: int
) -> None:
    images = pictures(2, height, width)
    transform = open_clip.create_model_and_transforms(f"local-dir:{MINIATURE}")[2]
    prepared = torch.stack([transform(Image.fromarray(image)) for image in images])
    with torch.no_grad():
        expected = miniature.model.encode_image(prepared).numpy()
    assert miniature.encode_images(images) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_no_gradient_is_kept(miniature: OpenClipEncoder) -> None:
    assert not any(parameter.requires_grad for parameter in miniature.model.parameters())
    assert not miniature.model.training


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 3, 64, 64), np.uint8),
    ],
    ids=["float", "one image", "channels first"],
)
def test_what_is_no_batch_of_images_is_refused(miniature: OpenClipEncoder, images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="images must be uint8"):
        miniature.encode_images(images)


def test_an_architecture_by_name_takes_its_weights_from_a_file(tiny: TinyModel) -> None:
    encoder = load_encoder(tiny.name, str(tiny.weights))
    with torch.no_grad():
        expected = tiny.network.encode_text(open_clip.get_tokenizer(tiny.name)(TEXTS)).numpy()
    assert encoder.dim == 8
    assert encoder.encode_texts(TEXTS) == pytest.approx(expected, abs=1e-6)
    assert encoder.encode_images(pictures(2)).shape == (2, 8)


def test_the_fingerprint_is_the_weights(tiny: TinyModel, tmp_path: Path) -> None:
    first = load_encoder(tiny.name, str(tiny.weights)).fingerprint
    assert load_encoder(tiny.name, str(tiny.weights)).fingerprint == first
    tensors = load_file(tiny.weights)
    swapped = tensors["text_projection"].flatten()
    swapped[[0, 1]] = swapped[[1, 0]]  # no sum would tell
    tensors["text_projection"] = swapped.view_as(tensors["text_projection"])
    save_file(tensors, tmp_path / tiny.weights.name)
    assert load_encoder(tiny.name, str(tmp_path / tiny.weights.name)).fingerprint != first


def test_a_folders_fingerprint_is_its_files_but_not_its_card(folder: Path) -> None:
    def found() -> str:
        return load_encoder(f"local-dir:{folder}").fingerprint

    first = found()
    (folder / "README.md").write_text("another card")
    (folder / "LICENSE").write_text("another licence")
    (folder / ".ipynb_checkpoints").mkdir()
    assert found() == first
    assert load_encoder("miniature").fingerprint == first
    tensors = load_file(folder / WEIGHTS)
    tensors["positional_embedding"] = tensors["positional_embedding"] + 1
    save_file(tensors, folder / WEIGHTS)
    assert found() != first


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(CapdecError, match="open_clip cannot load no-such-model"):
        load_encoder("no-such-model", "openai")


def test_an_unknown_tag_is_named(tiny: TinyModel) -> None:
    with pytest.raises(CapdecError, match=r"cannot load capdec-tiny \(no-such-tag\): .*no-such-tag"):
        load_encoder(tiny.name, "no-such-tag")


def test_random_weights_are_never_used(
    tiny: TinyModel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CapdecError, match="capdec-tiny: say which weights"):
        load_encoder(tiny.name)
    (folder / WEIGHTS).unlink()
    with pytest.raises(CapdecError, match=r"no weights in .*make miniature"):
        load_encoder(f"local-dir:{folder}")

    def no_weights(*_: object, **__: object) -> str:
        raise OSError("not on the hub")

    monkeypatch.setattr("open_clip.factory._get_hf_config", lambda *_, **__: {"model_cfg": TINY})
    monkeypatch.setattr("open_clip.factory.download_pretrained_from_hf", no_weights)
    with pytest.raises(CapdecError, match=r"hf-hub:some/model: .*could not be loaded"):
        load_encoder("hf-hub:some/model")


def test_the_global_generator_is_left_alone(tiny: TinyModel) -> None:
    """Loading a model draws weights before it reads them; what others draw must not depend on it."""
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    load_encoder(tiny.name, str(tiny.weights))
    assert torch.equal(torch.rand(1), expected)


def test_damaged_weights_are_named(folder: Path, tiny: TinyModel, tmp_path: Path) -> None:
    spoil(folder / WEIGHTS)
    with pytest.raises(CapdecError, match=f"cannot load local-dir:{folder}"):
        load_encoder(f"local-dir:{folder}")
    for name in ("weights.pt", "weights.safetensors"):
        (tmp_path / name).write_bytes(b"no weights at all")
        with pytest.raises(CapdecError, match=rf"cannot load capdec-tiny \(.*{name}\)"):
            load_encoder(tiny.name, str(tmp_path / name))


def test_pickled_code_is_not_run(tiny: TinyModel, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"state_dict": Trap()}, tmp_path / "weights.pt")
    with pytest.raises(CapdecError, match="cannot load capdec-tiny"):
        load_encoder(tiny.name, str(tmp_path / "weights.pt"))
    assert not (tmp_path / "sprung").exists()


def test_weights_of_another_model_are_named(tiny: TinyModel) -> None:
    with pytest.raises(CapdecError, match="cannot load capdec-tiny"):
        load_encoder(tiny.name, str(MINIATURE / WEIGHTS))


@pytest.mark.parametrize("name", ["open_clip_config.json", "tokenizer.json"])
def test_a_damaged_folder_is_named(folder: Path, name: str) -> None:
    spoil(folder / name)
    with pytest.raises(CapdecError, match=f"local-dir:{folder}"):
        load_encoder(f"local-dir:{folder}")
