"""The published files' names, and what their shapes tell of the mapper."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from capdec_core.errors import CapdecError
from capdec_core.imported.settings import StatedShape
from capdec_core.mapper import MapperConfig

PUBLISHED_HEADS = 8
"""Heads of the transformer mapper in the published code of ClipCap and CapDec, where no option changes them."""

_PARTS = {
    "language_model.": "gpt.",
    "mapper.hidden.": "clip_project.model.0.",
    "mapper.output.": "clip_project.model.2.",
    "mapper.linear.": "clip_project.linear.",
    "mapper.constants": "clip_project.prefix_const",
    "mapper.blocks.": "clip_project.transformer.layers.",
}
_LAYERS = {".attention.": ".attn.", ".mlp.0.": ".mlp.fc1.", ".mlp.2.": ".mlp.fc2."}
_LAYER = re.compile(r"clip_project\.transformer\.layers\.(\d+)\.")


def published_name(name: str) -> str:
    """Return what the published files call a weight of this project's captioner."""
    for ours, theirs in _PARTS.items():
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
    if name.startswith("clip_project."):
        for ours, theirs in _LAYERS.items():
            name = name.replace(ours, theirs)
    return name


def mapper_config(tensors: Mapping[str, Tensor], width: int, stated: StatedShape, path: Path) -> MapperConfig:
    """Return the shape of a checkpoint's mapper before a language model of this width.

    Raises CapdecError where there is no mapper of either kind, where its shapes contradict each other, the width or
    what was stated, and where the heads of a transformer were not stated; ValueError for heads that no mapper can have.
    """
    if "clip_project.prefix_const" in tensors:
        found = _transformer(tensors, width, path)
        _require_heads(stated, path)
    elif "clip_project.model.0.weight" in tensors:
        found = _mlp(tensors, width, path)
    else:
        raise CapdecError(
            f"{path} has no mapper of ClipCap or CapDec: neither clip_project.model.0.weight (MLP) nor "
            f"clip_project.prefix_const (transformer) is among its {len(tensors)} tensors, {sorted(tensors)[:3]} …"
        )
    _refuse_contradictions(found, stated, path)
    if stated.heads is not None:
        found["heads"] = stated.heads
    return MapperConfig(**found, width=width)


def _transformer(tensors: Mapping[str, Tensor], width: int, path: Path) -> dict[str, Any]:
    prefix_length, inner = _sizes(tensors, "clip_project.prefix_const", path)
    if inner != width:
        raise CapdecError(
            f"{path} makes prefix vectors of width {inner}, but the language model reads {width}: it belongs to "
            "another"
        )
    rows, dim = _sizes(tensors, "clip_project.linear.weight", path)
    hidden, _ = _sizes(tensors, "clip_project.transformer.layers.0.mlp.fc1.weight", path)
    return {
        "kind": "transformer",
        "embedding_dim": dim,
        "prefix_length": prefix_length,
        "clip_length": _multiple(rows, width, "clip_project.linear.weight", path),
        "layers": len({match[1] for name in tensors if (match := _LAYER.match(name))}),
        "mlp_ratio": hidden / width,
    }


def _mlp(tensors: Mapping[str, Tensor], width: int, path: Path) -> dict[str, Any]:
    hidden, dim = _sizes(tensors, "clip_project.model.0.weight", path)
    rows, _ = _sizes(tensors, "clip_project.model.2.weight", path)
    return {
        "kind": "mlp",
        "embedding_dim": dim,
        "prefix_length": _multiple(rows, width, "clip_project.model.2.weight", path),
        "hidden": None if hidden == rows // 2 else hidden,
    }


def _sizes(tensors: Mapping[str, Tensor], name: str, path: Path) -> tuple[int, int]:
    """Return the two sizes of a matrix."""
    if name not in tensors:
        raise CapdecError(f"{path} lacks {name}")
    if tensors[name].ndim != 2:
        raise CapdecError(f"{path}: {name} has shape {tuple(tensors[name].shape)}, not two sizes")
    first, second = tensors[name].shape
    return first, second


def _multiple(rows: int, width: int, name: str, path: Path) -> int:
    if rows % width:
        raise CapdecError(
            f"{path}: {name} has {rows} rows, which are no whole number of vectors of the language model's width, "
            f"{width}: it belongs to another"
        )
    return rows // width


def _require_heads(stated: StatedShape, path: Path) -> None:
    if stated.heads is None:
        raise CapdecError(
            f"{path} has a transformer mapper, and no tensor's shape tells its number of heads: state it. In the "
            f"published code of CapDec and ClipCap it is {PUBLISHED_HEADS} (--heads {PUBLISHED_HEADS})"
        )


def _refuse_contradictions(found: dict[str, Any], stated: StatedShape, path: Path) -> None:
    """Compare all that was stated with what was found; an MLP has no heads, layers or clip length at all."""
    said = {name: value for name, value in asdict(stated).items() if value is not None}
    if found["kind"] == "transformer":
        said.pop("heads", None)  # which shapes cannot contradict
    wrong = [
        f"{name} {value}, not {found.get(name, 'any')}"
        for name, value in said.items()
        if found.get(name) != value
    ]
    if wrong:
        raise CapdecError(
            f"the shapes in {path} contradict what was stated of its {found['kind']} mapper: {'; '.join(wrong)}"
        )
