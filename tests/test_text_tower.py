"""Sentences without their padding: the same embedding where the tower allows it, the whole context elsewhere."""

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from capdec_core.encoders import load_encoder
from capdec_core.encoders.open_clip import OpenClipEncoder
from capdec_core.encoders.text_tower import causal_text_tower
from capdec_core.paths import MINIATURE

VISION = {"image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "head_width": 8}
TEXT = {"context_length": 20, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
CUT = {
    "plain": {},
    "end by its id": {"text_cfg": {"pool_type": "eos", "eos_id": 49407, "proj_bias": True}},
    "apart": {"custom_text": True},
    "apart, end by its id": {"custom_text": True, "text_cfg": {"pool_type": "eos", "eos_id": 49407}},
    "no projection": {"custom_text": True, "embed_dim": 16, "text_cfg": {"proj_type": "none"}},
}
WHOLE = {
    "both directions": {"text_cfg": {"no_causal_mask": True}},
    "both directions, last token": {
        "custom_text": True,
        "text_cfg": {"no_causal_mask": True, "pool_type": "last", "proj_bias": True},
    },
    "causal, last token": {"custom_text": True, "text_cfg": {"pool_type": "last"}},
    "class token": {"custom_text": True, "text_cfg": {"embed_cls": True}},
}
TEXTS = [
    "a man in a blue shirt rides a long board down the steep road beside the sea today",
    "dog",
    "two dogs run",
    "",
    "a cat on a sofa",
    " ".join(["far more words than the context holds"] * 5),
]


@pytest.fixture
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> OpenClipEncoder:
    """An encoder of a tiny architecture that differs from CLIP's as the parameter says."""
    torch.manual_seed(1)
    settings = {"embed_dim": 8, "vision_cfg": VISION} | request.param
    settings["text_cfg"] = TEXT | request.param.get("text_cfg", {})
    (tmp_path / "capdec-text.json").write_text(json.dumps(settings))
    open_clip.add_model_config(tmp_path / "capdec-text.json")
    network = open_clip.create_model("capdec-text")
    for (
        parameter
    ) in network.parameters():  # weights of trained size: differences between positions must matter
        torch.nn.init.normal_(parameter, std=0.3)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    found = load_encoder("capdec-text", str(tmp_path / "weights.safetensors"))
    assert isinstance(found, OpenClipEncoder)
    return found


def padded(encoder: OpenClipEncoder, texts: list[str]) -> np.ndarray:
    """The model's own embeddings of the whole context."""
    with torch.inference_mode():
        return encoder.model.encode_text(encoder.tokenizer(texts)).numpy()


def computed(encoder: OpenClipEncoder, texts: list[str]) -> list[int]:
    """How many positions of each batch the transformer computes."""
    model = encoder.model
    seen: list[int] = []
    transformer = getattr(model, "transformer", None) or model.text.transformer
    handle = transformer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    encoder.encode_texts(texts)
    handle.remove()
    return seen


@pytest.mark.parametrize("encoder", CUT.values(), ids=CUT.keys(), indirect=True)
def test_without_padding_the_embedding_is_the_same(encoder: OpenClipEncoder) -> None:
    expected = padded(encoder, TEXTS)
    assert np.abs(expected).max() > 0.1
    assert encoder.encode_texts(TEXTS) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("encoder", CUT.values(), ids=CUT.keys(), indirect=True)
def test_no_batch_is_longer_than_its_longest_sentence(
    encoder: OpenClipEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("capdec_core.encoders.open_clip.TEXT_BATCH", {"cpu": 2})
    assert computed(encoder, TEXTS) == [3, 7, 20]
    assert encoder.encode_texts(TEXTS) == pytest.approx(padded(encoder, TEXTS), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("encoder", WHOLE.values(), ids=WHOLE.keys(), indirect=True)
def test_where_padding_is_seen_the_whole_context_is_computed(encoder: OpenClipEncoder) -> None:
    assert encoder.text_tower is None
    assert min(computed(encoder, TEXTS)) >= TEXT["context_length"]
    assert encoder.encode_texts(TEXTS) == pytest.approx(padded(encoder, TEXTS), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    "encoder", [WHOLE["both directions"], WHOLE["causal, last token"]], ids=["both", "last"], indirect=True
)
def test_there_padding_does_change_the_embedding(encoder: OpenClipEncoder) -> None:
    """The fallback is needed: with one token of padding less, such a tower says something else."""
    tokens, whole = encoder.tokenizer(["two dogs run"]), padded(encoder, ["two dogs run"])
    tokens[:, -1] = 320
    with torch.inference_mode():
        assert np.abs(encoder.model.encode_text(tokens).numpy() - whole).max() > 1e-3


def test_the_miniature_is_cut_and_the_same() -> None:
    encoder = load_encoder("miniature")
    assert isinstance(encoder, OpenClipEncoder)
    texts = ["a cat on a sofa", "two dogs", "three red cars stand in front of a small house in the rain ."]
    assert encoder.encode_texts(texts) == pytest.approx(padded(encoder, texts), rel=1e-6, abs=1e-6)
    assert max(computed(encoder, texts)) < 20


def test_a_model_of_another_make_keeps_its_own_way() -> None:
    class Another(open_clip.model.CLIP):
        """Might do anything with its text."""

    model = open_clip.create_model(f"local-dir:{MINIATURE}")
    assert causal_text_tower(model) is not None
    model.__class__ = Another
    assert causal_text_tower(model) is None
