"""The captioner's loss against GPT-2's own, and files that say what they hold."""

import pickle
from dataclasses import replace

import pytest
import torch
from tiny import DIM, EOS, VOCABULARY, padded, random_captions, tiny_config, unit_rows

from capdec_core.captioner import Captioner, CaptionerConfig, load_language_model, save_language_model
from capdec_core.device import autocast
from capdec_core.errors import CapdecError
from capdec_core.gpt2 import TILE
from capdec_core.language_model import LanguageModelConfig, build_language_model, language_model_loss

CAPTIONS = [*random_captions(20), [0], [0, 0, 0]]


def reference_loss(captioner: Captioner, embeddings: torch.Tensor, captions: list[list[int]]) -> torch.Tensor:
    """The padded way: whole sequences, an attention mask, and labels of -100 where nothing is predicted."""
    prefix = captioner.prefix(embeddings)
    tokens, lengths = padded([[*caption, EOS] for caption in captions])
    real = torch.arange(tokens.shape[1]) < lengths[:, None]
    unseen = torch.full(prefix.shape[:2], -100)
    return captioner.language_model(
        inputs_embeds=torch.cat([prefix, captioner.language_model.transformer.wte(tokens)], dim=1),
        attention_mask=torch.cat([torch.ones_like(unseen), real.long()], dim=1),
        labels=torch.cat([unseen, tokens.masked_fill(~real, -100)], dim=1),
    ).loss


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
@pytest.mark.parametrize("filler", [0, 7, EOS])
def test_loss_is_gpt2s_own_whatever_the_padding(kind, filler):
    captioner = Captioner(tiny_config(kind), seed=3)
    embeddings = unit_rows(len(CAPTIONS))
    loss = captioner.loss(embeddings, *padded(CAPTIONS, filler))
    torch.testing.assert_close(loss, reference_loss(captioner, embeddings, CAPTIONS))


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
@pytest.mark.parametrize("tuned", [True, False])
def test_without_padding_loss_and_gradients_are_the_same(kind, tuned):
    captioner = Captioner(tiny_config(kind, tuned=tuned), seed=3)
    embeddings, (tokens, lengths) = unit_rows(len(CAPTIONS)), padded(CAPTIONS)
    weights = [weight for weight in captioner.parameters() if weight.requires_grad]
    total = int(lengths.sum())
    ours = captioner.loss(embeddings, tokens, lengths, total=total)
    theirs = captioner.loss(embeddings, tokens, lengths)
    torch.testing.assert_close(ours, theirs)
    pairs = zip(torch.autograd.grad(ours, weights), torch.autograd.grad(theirs, weights), strict=True)
    for without, with_padding in pairs:
        torch.testing.assert_close(without, with_padding, atol=1e-6, rtol=1e-4)
    each = captioner.loss(embeddings, tokens, lengths, total=total, per_sample=True)
    torch.testing.assert_close(each, captioner.loss(embeddings, tokens, lengths, per_sample=True))


def test_no_layer_computes_padding():
    captioner, seen = Captioner(tiny_config()), []
    for layer in (captioner.language_model.transformer.h[0].mlp, captioner.language_model.lm_head):
        layer.register_forward_hook(lambda _, args, __: seen.append(args[0].shape))
    captioner.loss(unit_rows(2), torch.tensor([[1, 2, 0, 0], [3, 4, 5, 6]]), torch.tensor([2, 4]), total=6)
    assert seen == [(2 * 3 + 6, 32), (6 + 2, 32)]


def test_padding_fills_the_last_tile_of_bfloat16_and_no_more():
    captioner, seen = Captioner(tiny_config()), []
    for layer in (captioner.language_model.transformer.h[0].mlp, captioner.language_model.lm_head):
        layer.register_forward_hook(lambda _, args, __: seen.append(len(args[0])))
    tokens, lengths = padded(random_captions(40))
    real = int(lengths.sum())
    with autocast(torch.device("cpu"), torch.bfloat16):
        captioner.loss(unit_rows(40), tokens, lengths, total=real)
    filled = -(40 * 3 + real) % TILE
    assert seen == [40 * 3 + real + filled, 40 + real + filled]
    assert 0 < filled < 40 * 12 - real


def test_bfloat16_computes_the_same_loss_and_gradients_up_to_its_rounding():
    captioner = Captioner(tiny_config("transformer"), seed=3)
    embeddings, (tokens, lengths) = unit_rows(len(CAPTIONS)), padded(CAPTIONS)
    weights, total = list(captioner.parameters()), int(lengths.sum())
    exact = captioner.loss(embeddings, tokens, lengths, total=total)
    with autocast(torch.device("cpu"), torch.bfloat16):
        rounded = captioner.loss(embeddings, tokens, lengths, total=total)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, atol=0.0, rtol=2**-8)
    for ours, theirs in zip(*(torch.autograd.grad(loss, weights) for loss in (rounded, exact)), strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() < 0.05 * theirs.norm() + 1e-6


def test_gradients_are_gpt2s_own():
    captioner = Captioner(tiny_config("transformer"))
    embeddings, weights = unit_rows(len(CAPTIONS)), list(captioner.parameters())
    ours = torch.autograd.grad(captioner.loss(embeddings, *padded(CAPTIONS)), weights)
    theirs = torch.autograd.grad(reference_loss(captioner, embeddings, CAPTIONS), weights)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_per_sample_loss_is_each_captions_own_mean():
    captioner = Captioner(tiny_config())
    embeddings = unit_rows(len(CAPTIONS))
    each = captioner.loss(embeddings, *padded(CAPTIONS), per_sample=True)
    alone = [
        captioner.loss(embeddings[i : i + 1], torch.tensor([c]), torch.tensor([len(c)]))
        for i, c in enumerate(CAPTIONS)
    ]
    torch.testing.assert_close(each, torch.stack(alone))
    counts = torch.tensor([len(caption) + 1.0 for caption in CAPTIONS])
    torch.testing.assert_close(
        (each * counts).sum() / counts.sum(), captioner.loss(embeddings, *padded(CAPTIONS))
    )


def log_probability(captioner: Captioner, tokens: list[int]) -> torch.Tensor:
    inputs = torch.cat(
        [captioner.prefix(unit_rows(1)), captioner.language_model.transformer.wte(torch.tensor([tokens]))], 1
    )
    return captioner.language_model(inputs_embeds=inputs).logits[0].log_softmax(-1)


@torch.no_grad()
def test_token_id_0_and_end_of_text_count():
    captioner = Captioner(tiny_config())
    rows = log_probability(captioner, [0])
    loss = captioner.loss(unit_rows(1), torch.tensor([[0]]), torch.tensor([1]))
    torch.testing.assert_close(loss, -(rows[2, 0] + rows[3, EOS]) / 2)


@torch.no_grad()
def test_an_unknown_word_is_read_and_never_predicted():
    config = tiny_config()
    shape = replace(config.language_model, unknown_id=7)
    captioner = Captioner(replace(config, language_model=shape))
    rows = log_probability(captioner, [3, 7, 5])
    losses = -torch.stack([rows[2, 3], rows[4, 5], rows[5, EOS]])  # none for 7, behind which 5 is predicted
    told = torch.tensor([[3, 7, 5]]), torch.tensor([3])
    torch.testing.assert_close(captioner.loss(unit_rows(1), *told), losses.mean())
    torch.testing.assert_close(captioner.loss(unit_rows(1), *told, per_sample=True), losses.mean()[None])


@torch.no_grad()
def test_language_model_loss_predicts_the_first_token_from_end_of_text():
    model = build_language_model(tiny_config().language_model)
    rows = model(torch.tensor([[EOS, 5, 0]])).logits[0].log_softmax(-1)
    loss = language_model_loss(model, torch.tensor([[5, 0, 9]]), torch.tensor([2]))
    torch.testing.assert_close(loss, -(rows[0, 5] + rows[1, 0] + rows[2, EOS]) / 3)


def test_logits_are_made_at_caption_positions_only():
    captioner, seen = Captioner(tiny_config()), []
    captioner.language_model.lm_head.register_forward_hook(lambda _, args, __: seen.append(args[0].shape))
    captioner.loss(unit_rows(2), torch.tensor([[1, 2], [3, 4]]), torch.tensor([2, 2]))
    assert seen == [(2 * 3, 32)]


def test_equal_seeds_give_equal_weights_and_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    first, second, other = (Captioner(tiny_config("transformer"), seed=seed) for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    pairs = [list(c.parameters()) for c in (first, second, other)]
    assert all(torch.equal(a, b) for a, b in zip(pairs[0], pairs[1], strict=True))
    assert not torch.equal(first.mapper.constants, other.mapper.constants)


def test_a_language_model_lends_its_weights():
    lender = build_language_model(tiny_config().language_model)
    captioner, plain = (
        Captioner(tiny_config(), seed=1, language_model=lender),
        Captioner(tiny_config(), seed=1),
    )
    assert torch.equal(captioner.language_model.transformer.wte.weight, lender.transformer.wte.weight)
    assert captioner.language_model.transformer.wte.weight is not lender.transformer.wte.weight
    assert torch.equal(captioner.mapper.hidden.weight, plain.mapper.hidden.weight)
    wider = build_language_model(replace(tiny_config().language_model, width=36))
    with pytest.raises(CapdecError, match="another shape"):
        Captioner(tiny_config(), language_model=wider)


def test_a_frozen_language_model_has_no_gradient_and_no_dropout():
    captioner = Captioner(tiny_config(tuned=False, dropout=0.5)).train()
    losses = [captioner.loss(unit_rows(20), *padded(CAPTIONS[:20])) for _ in range(2)]
    assert torch.equal(*losses)
    losses[0].backward()
    assert all(weight.grad is None for weight in captioner.language_model.parameters())
    assert all(weight.grad is not None for weight in captioner.mapper.parameters())


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_save_and_load(kind, tmp_path):
    captioner = Captioner(tiny_config(kind, tuned=False), seed=2)
    captioner.save(tmp_path / "a.safetensors")
    loaded = Captioner.load(tmp_path / "a.safetensors", expected=captioner.config)
    assert loaded.config == captioner.config
    assert {n: w.requires_grad for n, w in loaded.named_parameters()} == {
        n: w.requires_grad for n, w in captioner.named_parameters()
    }
    assert loaded.language_model.lm_head.weight is loaded.language_model.transformer.wte.weight
    arguments = unit_rows(len(CAPTIONS)), *padded(CAPTIONS)
    assert torch.equal(loaded.loss(*arguments), captioner.loss(*arguments))
    loaded.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_another_number_of_heads_is_refused_by_name(tmp_path):
    path = tmp_path / "captioner.safetensors"
    Captioner(tiny_config("transformer", heads=8)).save(path)
    with pytest.raises(CapdecError, match=r"mapper\.heads: file has 8, asked for 4$"):
        Captioner.load(path, expected=tiny_config("transformer", heads=4))


def test_all_differences_are_named(tmp_path):
    path = tmp_path / "captioner.safetensors"
    Captioner(tiny_config()).save(path)
    asked = tiny_config("transformer", tuned=False)
    with pytest.raises(
        CapdecError, match=r"tuned: file has True.*mapper.kind: file has mlp, asked for transformer"
    ):
        Captioner.load(path, expected=asked)


def damaged(good: bytes) -> dict[str, bytes]:
    swapped = good.replace(b'\\"heads\\": 4', b'\\"heads\\": 5')
    assert swapped != good
    wider = good.replace(b'\\"embedding_dim\\": 16', b'\\"embedding_dim\\": 17')
    huge = good.replace(b'\\"vocab_size\\": 40', b'\\"vocab_size\\": 99')
    return {
        "truncated": good[:-9],
        "empty": b"",
        "a pickle": pickle.dumps({"weights": 1}),
        "impossible": swapped,
        "other shape": wider,
        "other vocabulary": huge,
    }


@pytest.mark.parametrize(
    "harm", ["truncated", "empty", "a pickle", "impossible", "other shape", "other vocabulary"]
)
def test_damaged_and_foreign_files_are_refused(harm, tmp_path):
    path = tmp_path / "captioner.safetensors"
    Captioner(tiny_config("transformer")).save(path)
    path.write_bytes(damaged(path.read_bytes())[harm])
    with pytest.raises(CapdecError, match=r"captioner\.safetensors"):
        Captioner.load(path)


def test_a_missing_file_and_another_kind_are_refused(tmp_path):
    path, config = tmp_path / "model.safetensors", tiny_config().language_model
    with pytest.raises(CapdecError, match="No such file"):
        Captioner.load(path)
    save_language_model(build_language_model(config), config, path)
    with pytest.raises(CapdecError, match="holds a language model, not a captioner"):
        Captioner.load(path)


def test_a_language_model_travels_alone(tmp_path):
    path, config = tmp_path / "model.safetensors", tiny_config().language_model
    model = build_language_model(config)
    save_language_model(model, config, path)
    loaded = load_language_model(path, config)
    tokens, lengths = padded(CAPTIONS)
    assert torch.equal(
        language_model_loss(loaded, tokens, lengths), language_model_loss(model, tokens, lengths)
    )
    with pytest.raises(CapdecError, match="heads: file has 4, asked for 2"):
        load_language_model(path, replace(config, heads=2))


@pytest.mark.parametrize("fields", [{"width": 30}, {"positions": 0}, {"dropout": 1.0}])
def test_wrong_language_models_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        replace(tiny_config().language_model, **fields)


def test_parts_that_do_not_fit_are_refused():
    config = tiny_config()
    with pytest.raises(ValueError, match="mapper width 32, language model width 36"):
        CaptionerConfig(config.mapper, replace(config.language_model, width=36))
    with pytest.raises(ValueError, match="leaves no room"):
        CaptionerConfig(config.mapper, LanguageModelConfig(VOCABULARY, 32, 1, 4, 3, True))
    assert config.mapper.embedding_dim == DIM
