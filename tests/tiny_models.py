"""Pre-trained language models in miniature, in folders as the hub has them: config, weights, tokenizer."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, LlamaConfig, LlamaForCausalLM

from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.language_model import LanguageModelConfig, build_language_model
from capdec_core.mapper import MapperConfig
from capdec_core.pretrained import pretrained_config

DIM, END = 16, "<|endoftext|>"
WORDS = ["A dog on the beach.", "Two dogs, one cat and a man's hat.", "the Cat sits on a mat"] * 3


def write_tokenizer(folder: Path, sentences: list[str] = WORDS) -> int:
    """Write GPT-2's kind of tokenizer (byte-level BPE, `vocab.json` and `merges.txt` in `tokenizer.json`)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.add_special_tokens([END])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "bos_token": END}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer.get_vocab_size()


def write_gpt2(folder: Path, seed: int = 0, sentences: list[str] = WORDS, positions: int = 48) -> Path:
    """Write a GPT-2 as the hub's: names without `transformer.`, and the masks that newer versions dropped."""
    folder.mkdir(parents=True)
    vocabulary = write_tokenizer(folder, sentences)
    torch.manual_seed(seed)
    model = build_language_model(LanguageModelConfig(vocabulary, 32, 2, 4, positions, tuned=True))
    weights = {name.removeprefix("transformer."): 6 * w for name, w in model.state_dict().items()}
    del weights["lm_head.weight"]
    for layer in range(2):
        weights[f"h.{layer}.attn.bias"] = torch.ones(1, 1, positions, positions).tril()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = GPT2Config(
        vocab_size=vocabulary, n_positions=positions, n_embd=32, n_layer=2, n_head=4,
        architectures=["GPT2LMHeadModel"], bos_token_id=vocabulary - 1, eos_token_id=vocabulary - 1,
    )  # fmt: skip
    config.save_pretrained(folder)
    return folder


def write_llama(folder: Path, **changes: Any) -> Path:
    """Write a Llama of SmolLM2's kind: fewer heads of keys than of queries, tied embeddings, end of text not last."""
    folder.mkdir(parents=True)
    vocabulary = write_tokenizer(folder)
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 48,
        "eos_token_id": vocabulary - 1, "bos_token_id": None, "unk_token_id": 64, "tie_word_embeddings": True,
        "initializer_range": 0.2,
    }  # fmt: skip
    LlamaForCausalLM(LlamaConfig(**(shape | changes))).save_pretrained(folder)
    return folder


def captioner_of(name: str, *, tuned: bool = False, kind: str = "mlp", seed: int = 1) -> Captioner:
    """Return a captioner with a random mapper before the model of this name."""
    model = pretrained_config(name, tuned)
    mapper = MapperConfig(kind, DIM, model.width, prefix_length=3, clip_length=2, heads=4, layers=2)
    return Captioner(CaptionerConfig(mapper, model), seed=seed)
