"""A published checkpoint as a captioner of this project."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.errors import CapdecError
from capdec_core.imported.layout import mapper_config, published_name
from capdec_core.imported.read import read_tensors
from capdec_core.imported.settings import StatedShape
from capdec_core.language_model import PretrainedConfig
from capdec_core.pretrained import load_model, pretrained_config

GPT = "gpt."
HEAD, EMBEDDINGS = "gpt.lm_head.weight", "gpt.transformer.wte.weight"
SHOWN = 5
"""So many wrong names are named in a message."""


def import_captioner(path: Path, stated: StatedShape, language_model: str = "gpt2") -> Captioner:
    """Return the captioner in a checkpoint of CapDec or ClipCap, on the CPU in evaluation mode.

    GPT-2 is the one of the name `language_model` (`capdec_core.pretrained`): a checkpoint in which it is not another,
    or that does not hold it, becomes a captioner that borrows it; one in which it was tuned keeps its own.

    Raises CapdecError for a file that cannot be read without pickle, a name that is missing or unknown, a shape
    that does not fit, a mapper other than was stated or whose heads were not, and a model of another architecture.
    """
    tensors = read_tensors(path)
    model = _gpt2(language_model)
    try:
        config = CaptionerConfig(mapper_config(tensors, model.width, stated, path), model)
    except ValueError as error:
        raise CapdecError(f"{path}: {error}") from None
    with torch.device("meta"):  # nothing is made before all fits
        captioner = Captioner(config)
    names = _names(captioner, tensors)
    _require_names(names, tensors, path)
    _require_shapes(captioner, names, tensors, path)
    captioner.mapper.to_empty(device="cpu")
    captioner.language_model = load_model(model)
    if _tuned(captioner, names, tensors):
        captioner.config = replace(config, language_model=replace(model, tuned=True))
        captioner.requires_grad_(True)
    captioner.load_state_dict({names[name]: tensor for name, tensor in tensors.items()}, strict=False)
    return captioner.eval()


def _gpt2(name: str) -> PretrainedConfig:
    model = pretrained_config(name, tuned=False)
    if model.architecture != "gpt2":
        raise CapdecError(
            f"language model {name!r} is a {model.architecture}; published checkpoints speak through a GPT-2"
        )
    return model


def _names(captioner: Captioner, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Return {published name: ours} of all that must be in the file: GPT-2 wholly or not at all."""
    names = {published_name(name): name for name in captioner.state_dict()}
    if any(name.startswith(GPT) for name in tensors):
        return names
    return {theirs: ours for theirs, ours in names.items() if not theirs.startswith(GPT)}


def _require_names(names: Mapping[str, str], tensors: Mapping[str, Tensor], path: Path) -> None:
    wrong = {
        "it lacks": sorted(names.keys() - tensors.keys()),
        "unknown": sorted(tensors.keys() - names.keys()),
    }
    told = [f"{word} {_listed(found)}" for word, found in wrong.items() if found]
    if told:
        raise CapdecError(f"{path} is no checkpoint of CapDec or ClipCap of this shape: {'; '.join(told)}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _require_shapes(
    captioner: Captioner, names: Mapping[str, str], tensors: Mapping[str, Tensor], path: Path
) -> None:
    wanted = captioner.state_dict()
    for name, tensor in tensors.items():
        if tensor.shape != wanted[names[name]].shape or not tensor.is_floating_point():
            raise CapdecError(
                f"{path}: {name} is {tensor.dtype} of shape {tuple(tensor.shape)}, not real numbers of shape "
                f"{tuple(wanted[names[name]].shape)}"
            )
    if HEAD in tensors and not torch.equal(tensors[HEAD], tensors[EMBEDDINGS]):
        raise CapdecError(
            f"{path}: {HEAD} differs from {EMBEDDINGS}; GPT-2's output layer is its token embeddings"
        )


def _tuned(captioner: Captioner, names: Mapping[str, str], tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether the file's GPT-2, where it has one, is another than the one of that name."""
    own = captioner.state_dict()
    return any(
        not torch.equal(tensor, own[names[name]]) for name, tensor in tensors.items() if name.startswith(GPT)
    )
