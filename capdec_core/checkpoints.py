"""Weights in safetensors files that carry the configuration they belong to."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor

from capdec_core.errors import CapdecError
from capdec_core.files import write_atomic

_KEY = "capdec"  # one metadata key only: with several, their order in the file would vary


def save_tensors(path: Path, kind: str, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write named tensors and their JSON configuration, atomically; equal input gives equal bytes."""
    header = json.dumps({"kind": kind, "config": config}, sort_keys=True)
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomic(path, serialise(held, metadata={_KEY: header}))


def load_tensors(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the configuration and tensors that `save_tensors` wrote.

    Raises CapdecError for a missing, truncated or foreign file, or one of another kind.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CapdecError(f"cannot read the {kind} in {path}: {error.strerror}") from None
    try:
        tensors = parse(data)
        header = json.loads(
            json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"][_KEY]
        )
        found, config = header["kind"], header["config"]
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CapdecError(f"{path} is not a {kind} of this project, or is damaged: {error}") from None
    if found != kind or not isinstance(config, dict):
        raise CapdecError(f"{path} holds a {found}, not a {kind}")
    return config, tensors


def differences(found: dict[str, Any], asked: dict[str, Any], prefix: str = "") -> list[str]:
    """Spell out where two nested configurations differ: ["mapper.heads: file has 8, asked for 4"]."""
    lines = []
    for name in sorted(found.keys() | asked.keys()):
        here, there = found.get(name), asked.get(name)
        if isinstance(here, dict) and isinstance(there, dict):
            lines += differences(here, there, f"{prefix}{name}.")
        elif here != there:
            lines.append(f"{prefix}{name}: file has {here}, asked for {there}")
    return lines
