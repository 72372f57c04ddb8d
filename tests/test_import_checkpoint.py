"""Published checkpoints: the same logits as the published modules, and nothing else than what they are."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from published_layout import published_model, published_state, same_logits, saved, tuned, write_gpt2_of
from safetensors.torch import load_file
from tiny_models import DIM, write_gpt2, write_llama

from capdec_core import paths
from capdec_core.captioner import Captioner
from capdec_core.errors import CapdecError
from capdec_core.imported.build import import_captioner
from capdec_core.imported.layout import PUBLISHED_HEADS
from capdec_core.imported.read import read_tensors
from capdec_core.imported.settings import StatedShape

HEADS = StatedShape(heads=PUBLISHED_HEADS)
SHAPES = {
    "mlp": StatedShape("mlp", prefix_length=3),
    "transformer": StatedShape("transformer", prefix_length=3, clip_length=2, heads=8, layers=2),
}
FOUND = {"mlp": StatedShape(), "transformer": HEADS}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_gpt2(folder / "gpt2")
    write_gpt2(folder / "other" / "gpt2", seed=1)
    write_llama(folder / "tiny" / "llama")
    return folder


@pytest.fixture(autouse=True)
def _models(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MODELS", shelf)


@pytest.fixture
def gpt2(shelf: Path) -> Path:
    return shelf / "gpt2"


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
@pytest.mark.parametrize(("old", "stated"), [(True, SHAPES), (False, FOUND)])
def test_logits_are_the_published_modules_own(kind, old, stated, gpt2, tmp_path):
    model = tuned(published_model(gpt2, DIM, kind))
    captioner = import_captioner(saved(published_state(model, old=old), tmp_path), stated[kind])
    assert captioner.config.language_model.tuned
    assert not captioner.training
    same_logits(captioner, model)


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
@pytest.mark.parametrize("mapper_only", [True, False])
def test_a_gpt2_that_was_not_tuned_is_borrowed(kind, mapper_only, gpt2, tmp_path):
    """Training the prefix alone saves the whole model too: GPT-2's weights in it are those of the hub."""
    model = published_model(gpt2, DIM, kind)
    path = saved(published_state(model, mapper_only=mapper_only), tmp_path)
    captioner = import_captioner(path, FOUND[kind])
    assert captioner.config.borrows
    same_logits(captioner, model)
    captioner.save(tmp_path / "captioner.safetensors")
    assert all(name.startswith("mapper.") for name in load_file(tmp_path / "captioner.safetensors"))


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_it_comes_back_from_this_projects_own_file(kind, gpt2, tmp_path):
    model = tuned(published_model(gpt2, DIM, kind))
    captioner = import_captioner(saved(published_state(model), tmp_path), FOUND[kind])
    captioner.save(tmp_path / "captioner.safetensors")
    same_logits(Captioner.load(tmp_path / "captioner.safetensors", captioner.config), model)


def test_an_mlp_of_another_hidden_width_is_read_from_its_shapes(gpt2, tmp_path):
    model = published_model(gpt2, DIM, "mlp")
    model.clip_project.model[0], model.clip_project.model[2] = (
        torch.nn.Linear(DIM, 20),
        torch.nn.Linear(20, 96),
    )
    captioner = import_captioner(saved(published_state(model), tmp_path), StatedShape())
    assert captioner.config.mapper.hidden == 20
    same_logits(captioner, model)


def test_half_precision_is_read_as_it_is(gpt2, tmp_path):
    model = published_model(gpt2, DIM, "mlp").half()
    captioner = import_captioner(saved(published_state(model, old=False), tmp_path), StatedShape())
    assert captioner.mapper.output.weight.dtype == torch.float32
    torch.testing.assert_close(captioner.mapper.output.weight.half(), model.clip_project.model[2].weight)


def test_heads_must_be_stated_and_the_published_number_is_named(gpt2, tmp_path):
    path = saved(published_state(published_model(gpt2, DIM, "transformer")), tmp_path)
    with pytest.raises(CapdecError, match=r"no tensor's shape tells its number of heads.*--heads 8"):
        import_captioner(path, StatedShape())


def test_other_heads_load_and_compute_something_else_so_the_file_says_how_many(gpt2, tmp_path):
    model = published_model(gpt2, DIM, "transformer", heads=8)
    path = saved(published_state(model), tmp_path)
    wrong = import_captioner(path, StatedShape(heads=4))
    with pytest.raises(AssertionError):
        same_logits(wrong, model)
    wrong.save(tmp_path / "wrong.safetensors")
    with pytest.raises(CapdecError, match=r"mapper\.heads: file has 4, asked for 8"):
        Captioner.load(tmp_path / "wrong.safetensors", import_captioner(path, HEADS).config)


@pytest.mark.parametrize(
    ("kind", "stated", "message"),
    [
        ("transformer", StatedShape(heads=5), "heads must divide its width: 5 heads, width 32"),
        ("transformer", StatedShape(heads=8, prefix_length=10), "prefix_length 10, not 3"),
        ("transformer", StatedShape(heads=8, clip_length=3), "clip_length 3, not 2"),
        ("transformer", StatedShape(heads=8, layers=8), "layers 8, not 2"),
        ("transformer", StatedShape("mlp", heads=8), "kind mlp, not transformer"),
        ("mlp", StatedShape("transformer", heads=8), "kind transformer, not mlp; heads 8, not any"),
        ("mlp", StatedShape(prefix_length=10), "prefix_length 10, not 3"),
        ("mlp", StatedShape(layers=2), "layers 2, not any"),
    ],
)
def test_what_is_stated_must_be_what_the_shapes_say(kind, stated, message, gpt2, tmp_path):
    path = saved(published_state(published_model(gpt2, DIM, kind)), tmp_path)
    with pytest.raises(CapdecError, match=message):
        import_captioner(path, stated)


def test_a_prefix_that_leaves_no_room_is_refused(gpt2, tmp_path):
    state = published_state(published_model(gpt2, DIM, "transformer"))
    path = saved(state | {"clip_project.prefix_const": torch.ones(48, 32)}, tmp_path)
    with pytest.raises(CapdecError, match="a prefix of 48 leaves no room for a caption in 48 positions"):
        import_captioner(path, HEADS)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"n_embd": 40}, "belongs to another"),
        ({"n_layer": 3}, r"it lacks gpt\.transformer\.h\.2\."),
        ({"n_layer": 1}, r"unknown gpt\.transformer\.h\.1\."),
        ({"n_positions": 64}, r"wpe\.weight is torch\.float32 of shape \(48, 32\), not .* \(64, 32\)"),
    ],
)
@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_a_gpt2_of_another_shape_is_refused(kind, shape, message, gpt2, tmp_path, monkeypatch):
    path = saved(published_state(published_model(gpt2, DIM, kind)), tmp_path)
    write_gpt2_of(tmp_path / "models" / "gpt2", **shape)
    monkeypatch.setattr(paths, "MODELS", tmp_path / "models")
    with pytest.raises(CapdecError, match=message):
        import_captioner(path, FOUND[kind])


def test_a_gpt2_of_other_weights_is_kept_as_a_tuned_one(gpt2, tmp_path, shelf, monkeypatch):
    model = published_model(gpt2, DIM, "mlp")
    path = saved(published_state(model), tmp_path)
    monkeypatch.setattr(paths, "MODELS", shelf / "other")
    captioner = import_captioner(path, StatedShape())
    assert captioner.config.language_model.tuned
    same_logits(captioner, model)


def test_another_architecture_is_refused(gpt2, tmp_path):
    path = saved(published_state(published_model(gpt2, DIM, "mlp")), tmp_path)
    with pytest.raises(CapdecError, match="'tiny/llama' is a llama"):
        import_captioner(path, StatedShape(), "tiny/llama")


BLOCK = "clip_project.transformer.layers.1"
ONE = torch.ones(2, 2)


def test_shapes_that_claim_more_than_the_file_holds_take_no_memory(gpt2, tmp_path):
    """A number repeated without being stored: 2 TB of weights in a small file."""
    state = published_state(published_model(gpt2, DIM, "transformer"))
    path = saved(state | {"clip_project.linear.weight": torch.ones(1).expand(2**40, DIM)}, tmp_path)
    with pytest.raises(CapdecError, match=r"linear\.bias is torch\.float32 of shape \(64,\), not"):
        import_captioner(path, HEADS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_project.extra.weight": ONE}, r"unknown clip_project\.extra\.weight"),
        ({"gpt.transformer.h.0.attn.rotary": ONE}, r"unknown gpt\.transformer\.h\.0\.attn\.rotary"),
        ({"optimizer": ONE}, "unknown optimizer"),
        ({f"{BLOCK}.attn.to_queries.bias": ONE}, r"unknown .*layers\.1\.attn\.to_queries\.bias"),
        ({f"{BLOCK}.attn.project.bias": None}, r"it lacks .*layers\.1\.attn\.project\.bias"),
        ({f"{BLOCK}.mlp.fc1.weight": None}, r"it lacks .*layers\.1\.mlp\.fc1\.weight"),
        ({"clip_project.transformer.layers.0.mlp.fc1.weight": None}, r"lacks .*layers\.0\.mlp\.fc1\.weight"),
        ({"gpt.transformer.ln_f.bias": None}, r"it lacks gpt\.transformer\.ln_f\.bias"),
        ({"gpt.lm_head.weight": None}, r"it lacks gpt\.lm_head\.weight"),
        ({"clip_project.linear.weight": None}, r"lacks clip_project\.linear\.weight"),
        ({"clip_project.prefix_const": None}, "no mapper of ClipCap or CapDec"),
        ({"clip_project.prefix_const": torch.ones(3)}, r"prefix_const has shape \(3,\), not two sizes"),
        ({"clip_project.linear.weight": torch.ones(70, DIM)}, "no whole number of vectors"),
        ({"clip_project.linear.bias": torch.ones(7)}, r"linear\.bias is torch\.float32 of shape \(7,\)"),
        ({"clip_project.linear.bias": torch.ones(64, dtype=torch.int64)}, r"linear\.bias is torch\.int64"),
    ],
)
def test_every_other_name_or_shape_is_refused_by_name(changes, message, gpt2, tmp_path):
    state = published_state(published_model(gpt2, DIM, "transformer")) | changes
    path = saved({name: tensor for name, tensor in state.items() if tensor is not None}, tmp_path)
    with pytest.raises(CapdecError, match=message):
        import_captioner(path, HEADS)


def test_an_output_layer_of_its_own_is_refused(gpt2, tmp_path):
    state = published_state(published_model(gpt2, DIM, "mlp"))
    state["gpt.lm_head.weight"] = state["gpt.lm_head.weight"] + 1
    with pytest.raises(CapdecError, match="output layer is its token embeddings"):
        import_captioner(saved(state, tmp_path), StatedShape())


class Code:
    """Unpickled, it would run a command."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("inside", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(inside, gpt2, tmp_path):
    run, state = tmp_path / "run", published_state(published_model(gpt2, DIM, "mlp"))
    path = saved(state | {"clip_project.extra": Code(run)} if inside else Code(run), tmp_path)
    with pytest.raises(CapdecError, match=r"refused: .* asks for (posix|nt)\.system, which only pickle"):
        import_captioner(path, StatedShape())
    assert not run.exists()


def test_a_whole_module_is_refused(gpt2, tmp_path):
    with pytest.raises(CapdecError, match=r"asks for published_layout\.PublishedModel.*state_dict\(\) alone"):
        import_captioner(saved(published_model(gpt2, DIM, "mlp"), tmp_path), StatedShape())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([ONE], "holds a list, not a state dict"),
        (ONE, "holds a Tensor, not a state dict"),
        ({}, "it is empty"),
        ({1: ONE}, "holds a dict, not a state dict"),
        ({"state_dict": {"clip_project.prefix_const": ONE}}, "'state_dict' is a dict"),
        ({"clip_project.prefix_const": ONE, "epoch": 3}, "'epoch' is a int"),
        ({"weight": ONE}, r"no mapper of ClipCap or CapDec: .*\['weight'\]"),
    ],
)
def test_a_file_of_something_else_is_refused(content, message, tmp_path):
    with pytest.raises(CapdecError, match=message):
        import_captioner(saved(content, tmp_path), HEADS)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CapdecError, match=r"cannot read .*model\.pt: No such file"):
        import_captioner(tmp_path / "model.pt", HEADS)


@pytest.fixture(scope="module")
def whole(shelf: Path) -> bytes:
    path = saved(published_state(published_model(shelf / "gpt2", DIM, "mlp")), shelf)
    return path.read_bytes()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_truncated_or_damaged_file_is_refused_with_a_message(whole, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "model.pt"
    if data.draw(st.booleans()):
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    else:
        path.write_bytes(data.draw(st.binary(max_size=200)))
    with pytest.raises(CapdecError, match=r"model\.pt"):
        read_tensors(path)
