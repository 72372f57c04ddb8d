"""The miniature CLIP: its training learns, repeats, and ends in a folder that plain open_clip reads."""

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from open_clip import ClipLoss
from open_clip.model import CLIP
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

from capdec_core import paths
from capdec_core.corpora import Split, load_corpus
from capdec_core.encoders import card, load_encoder
from capdec_core.encoders.config import MiniatureConfig
from capdec_core.encoders.miniature import PREPROCESS, build, make_tokenizer, save_miniature, train
from capdec_core.encoders.open_clip import normalise
from capdec_core.errors import CapdecError
from capdec_core.gap import as_table, of_profile
from capdec_core.profiles import load_profile

CONFIG = MiniatureConfig(
    embed_dim=32,
    vision={"layers": [1, 1, 1, 1], "width": 8, "image_size": 64, "head_width": 32},
    text={"context_length": 28, "width": 32, "heads": 2, "layers": 1},
    scale=100.0,
    cone=0.45,
    epochs=8,
    batch_size=32,
    learning_rate=2e-3,
    weight_decay=0.1,
    warmup_steps=2,
    seed=0,
)
SCENES = 512


@pytest.fixture(scope="module")
def scenes() -> Split:
    return load_corpus("scenes", 0, {"pretrain": SCENES}).split("pretrain")


@pytest.fixture(scope="module")
def images(scenes: Split) -> np.ndarray:
    return scenes.render(range(SCENES))


@pytest.fixture(scope="module")
def trained(scenes: Split, images: np.ndarray) -> tuple[CLIP, PreTrainedTokenizerFast]:
    return train(CONFIG, images, scenes.captions, lambda _: None)


def loss_of(model: CLIP, tokenizer: PreTrainedTokenizerFast, images: np.ndarray, split: Split) -> float:
    """The contrastive loss of 128 pairs; normalised by the batch, as in training."""
    tokens = tokenizer(
        [group[0] for group in split.captions[:128]],
        padding="max_length",
        max_length=28,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    model.train()
    with torch.no_grad():
        x = model.encode_image(normalise(torch.from_numpy(images[:128]), PREPROCESS), normalize=True)
        y = model.encode_text(tokens, normalize=True)
        return ClipLoss()(x, y, model.logit_scale.exp()).item()


def test_training_learns_which_caption_is_whose(
    trained: tuple[CLIP, PreTrainedTokenizerFast], scenes: Split, images: np.ndarray, tmp_path: Path
) -> None:
    """A loss well below that of guessing among 128, where a model of shuffled pairs ends."""
    model, tokenizer = trained
    save_miniature(model, tokenizer, CONFIG, tmp_path)  # measured on a copy: measuring moves the batch norms
    copy = open_clip.create_model(f"local-dir:{tmp_path}", require_pretrained=True)
    assert loss_of(copy, tokenizer, images, scenes) < 0.9 * math.log(128)
    assert loss_of(build(CONFIG, tokenizer), tokenizer, images, scenes) > 2 * math.log(128)


def test_the_first_epoch_lowers_the_loss(scenes: Split, images: np.ndarray) -> None:
    lines: list[str] = []
    train(replace(CONFIG, epochs=2), images, scenes.captions, lines.append)
    first, second = (float(re.findall(r"loss ([\d.]+)", line)[0]) for line in lines)
    assert second < 0.7 * first


def test_the_scale_stays_where_it_was_fixed(trained: tuple[CLIP, PreTrainedTokenizerFast]) -> None:
    assert trained[0].logit_scale.exp().item() == pytest.approx(100)
    assert not trained[0].logit_scale.requires_grad


def test_the_same_seed_gives_the_same_weights(scenes: Split, images: np.ndarray) -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        torch.rand(1)  # the global generator has no say
        config = replace(CONFIG, seed=seed, epochs=1)
        return train(config, images[:64], scenes.captions[:64], lambda _: None)[0].state_dict()

    first, again, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_building_leaves_the_global_generator_alone(scenes: Split) -> None:
    tokenizer = make_tokenizer(scenes.captions[0], 28)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    build(CONFIG, tokenizer)
    assert torch.equal(torch.rand(1), expected)


def test_the_cones_start_apart(scenes: Split) -> None:
    """Opposite offsets of one direction, of norm `cone` times sqrt(d) in expectation."""
    model = build(replace(CONFIG, embed_dim=512), make_tokenizer(scenes.captions[0], 28))
    image, text = model.visual.attnpool.c_proj.bias, model.text_projection.bias
    assert torch.equal(image, -text)
    assert image.norm().item() == pytest.approx(0.45 * 512**0.5, rel=0.15)


def test_progress_is_a_line_an_epoch(scenes: Split, images: np.ndarray) -> None:
    lines: list[str] = []
    train(replace(CONFIG, epochs=2), images[:32], scenes.captions[:32], lines.append)
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all(re.search(r"loss \d+\.\d{3}, \d+ s$", line) for line in lines)


def test_words_are_tokens_between_start_and_end() -> None:
    tokenizer = make_tokenizer(["A cat's mat.", "the CAT"], 12)
    words = tokenizer.convert_ids_to_tokens(tokenizer("a CAT, the zebra").input_ids)
    assert words == ["<start>", "a", "cat", "<unk>", "the", "<unk>", "<end>"]


def test_plain_open_clip_reads_the_folder(
    trained: tuple[CLIP, PreTrainedTokenizerFast], images: np.ndarray, scenes: Split, tmp_path: Path
) -> None:
    """Stored in half precision: what was trained and what is loaded agree to about 2^-11 a weight."""
    model, tokenizer = trained
    model.eval()
    save_miniature(model, tokenizer, CONFIG, tmp_path)
    loaded = open_clip.create_model(f"local-dir:{tmp_path}", require_pretrained=True)
    loaded.eval()
    texts = [group[0] for group in scenes.captions[:8]]
    theirs = open_clip.get_tokenizer(f"local-dir:{tmp_path}")(texts)
    ours = tokenizer(texts, padding="max_length", max_length=28, return_tensors="pt").input_ids
    assert torch.equal(theirs, ours)
    pixels = normalise(torch.from_numpy(images[:8]), PREPROCESS)
    with torch.no_grad():
        for name, batch in [("encode_text", ours), ("encode_image", pixels)]:
            x, y = getattr(model, name)(batch), getattr(loaded, name)(batch)
            assert x.dtype == y.dtype == torch.float32
            assert torch.cosine_similarity(x, y).min() > 1 - 1e-4
            assert y.norm(dim=1).numpy() == pytest.approx(x.norm(dim=1).numpy(), rel=1e-2)


def test_the_saved_folder_is_an_encoder_and_tells_its_training(
    trained: tuple[CLIP, PreTrainedTokenizerFast], images: np.ndarray, tmp_path: Path
) -> None:
    save_miniature(*trained, CONFIG, tmp_path)
    encoder = load_encoder(f"local-dir:{tmp_path}")
    assert encoder.encode_images(images[:2]).shape == (2, 32)
    assert MiniatureConfig(**json.loads((tmp_path / "training.json").read_text())) == CONFIG


def test_saving_twice_gives_the_same_files(
    trained: tuple[CLIP, PreTrainedTokenizerFast], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        save_miniature(*trained, CONFIG, tmp_path / name)
    files = [
        sorted((path.name, path.read_bytes()) for path in (tmp_path / n).iterdir()) for n in ("one", "two")
    ]
    assert files[0] == files[1]


def test_the_shipped_weights_are_small_safetensors_in_half_precision() -> None:
    weights = paths.MINIATURE / "open_clip_model.safetensors"
    assert weights.stat().st_size <= 8_000_000
    floats = [tensor for tensor in load_file(weights).values() if tensor.is_floating_point()]
    assert {tensor.dtype for tensor in floats} == {torch.float16}
    assert all(torch.isfinite(tensor).all() for tensor in floats)
    assert {path.suffix for path in paths.MINIATURE.iterdir()} <= {".safetensors", ".json", ".md", ""}


def test_the_shipped_miniature_is_the_one_of_the_profile() -> None:
    shipped = json.loads((paths.MINIATURE / "training.json").read_text())
    assert MiniatureConfig(**shipped) == load_profile("scenes").miniature


def test_the_card_says_what_the_command_measures() -> None:
    written = card.MEASURED.search((paths.MINIATURE / "README.md").read_text())
    assert written is not None
    measured = as_table(of_profile("scenes", "cpu"))
    table = written[0].split("```")[1].strip().splitlines()
    for line, expected in zip(table, measured.splitlines(), strict=True):
        assert re.sub(r"\d", "0", line) == re.sub(r"\d", "0", expected)
        printed, found = ([float(n) for n in re.findall(r"\d+\.?\d*", each)] for each in (line, expected))
        step = (
            0.11 if "%" in line else 0.011 if "norms" in line else 0.0011
        )  # the last digit, rounded elsewhere
        assert printed == pytest.approx(found, abs=step)


def test_a_profile_without_a_miniature_is_refused() -> None:
    with pytest.raises(CapdecError, match=r"smoke has no \[miniature\] table"):
        card.make_miniature("smoke")


def test_a_card_without_its_place_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card, "MINIATURE", tmp_path)
    monkeypatch.setattr(card, "train", None)
    with pytest.raises(CapdecError, match="lacks the lines <!-- measured: begin -->"):
        card.make_miniature("scenes")


def test_making_writes_folder_and_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole command on 64 scenes; the measures are stood in for, as they need the 1,000 test scenes."""
    folder = tmp_path / "miniature"
    folder.mkdir()
    shutil.copy(paths.MINIATURE / "README.md", folder)
    scenes = load_profile("scenes")
    small = replace(scenes, miniature=CONFIG, corpus=replace(scenes.corpus, sizes={"pretrain": 64}))
    monkeypatch.setattr(card, "MINIATURE", folder)
    monkeypatch.setattr(card, "load_profile", lambda _: small)
    monkeypatch.setattr(card, "of_profile", lambda *_: None)
    monkeypatch.setattr(card, "as_table", lambda _: "matched cosine      0.123")
    assert card.make_miniature("scenes") == "matched cosine      0.123"
    text = (folder / "README.md").read_text()
    assert "```\nmatched cosine      0.123\n```" in text
    assert re.search(r"[\d,]+ parameters, trained in 0\.\d minutes on \d+ cores", text)
    assert text.count("measured: begin") == text.count("measured: end") == 1
    assert load_encoder(f"local-dir:{folder}").dim == 32
