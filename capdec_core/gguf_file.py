"""A GGUF file's model as a folder like the hub's: read by transformers once, de-quantised to float32, and kept."""

import importlib.util
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from capdec_core.errors import CapdecError
from capdec_core.quiet import UNREADABLE, quiet

READERS = ("gguf", "accelerate")
"""Packages that transformers needs for GGUF."""


def as_folder(file: Path, folder: Path) -> Path:
    """Return `folder`, after writing the model and the tokenizer of a GGUF file into it unless it is there.

    It appears whole or not at all. It takes 4 bytes a weight: half a gigabyte for SmolLM2-135M.

    Raises CapdecError if the packages that read GGUF are missing, or the file is damaged.
    """
    if folder.is_dir():
        return folder
    if missing := [name for name in READERS if importlib.util.find_spec(name) is None]:
        raise CapdecError(
            f"to read {file.name}, install {' and '.join(missing)}: pip install {' '.join(missing)}"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / "model"
        _write(file, made)
        try:
            made.rename(folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise
    return folder


def _write(file: Path, folder: Path) -> None:
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            model = AutoModelForCausalLM.from_pretrained(
                file.parent, gguf_file=file.name, dtype=torch.float32
            )
            tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
            _plain(model).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except UNREADABLE as error:
        raise CapdecError(f"the language model in {file} cannot be read: {error}") from None


def _plain(model: PreTrainedModel) -> PreTrainedModel:
    """Return the same model without the memory that it was quantised, which transformers refuses to write."""
    config = {key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
    plain = type(model)(type(model.config).from_dict(config))
    plain.load_state_dict(model.state_dict())
    return plain
