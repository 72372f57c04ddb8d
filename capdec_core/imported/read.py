"""A `.pt` file as named tensors: read as data, never run."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from capdec_core.errors import CapdecError

MASK = re.compile(r"gpt\.transformer\.h\.\d+\.attn\.(masked_)?bias")
"""Causal masks that transformers once stored beside GPT-2's weights, and no longer does."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a published checkpoint by their names, on the CPU, without GPT-2's old masks.

    Raises CapdecError for a file that is missing, damaged, or holds anything but a state dict, and for one that
    only pickle could read, since that can run code.
    """
    found = _loaded(path)
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise CapdecError(f"{path} holds a {type(found).__name__}, not a state dict")
    others = [name for name, value in found.items() if not isinstance(value, Tensor)]
    if others or not found:
        named = f"{others[0]!r} is a {type(found[others[0]]).__name__}" if others else "it is empty"
        raise CapdecError(f"{path} is not a state dict, which has tensors by name and nothing else: {named}")
    return {name: tensor for name, tensor in found.items() if not MASK.fullmatch(name)}


def _loaded(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CapdecError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception as error:  # a damaged file makes torch raise nearly anything
        asked = re.search(r"GLOBAL (\S+)", str(error))
        if asked:
            raise CapdecError(
                f"{path} is refused: beside tensors it asks for {asked[1]}, which only pickle could give it, and a "
                "pickle can run any code. Save model.state_dict() alone."
            ) from None
        raise CapdecError(
            f"{path} is no checkpoint of tensors, or is damaged ({type(error).__name__})"
        ) from None
