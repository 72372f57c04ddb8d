"""The device that a run computes on: said by the user, checked before any work."""

import os
import re
from contextlib import AbstractContextManager, nullcontext

import torch

from capdec_core.errors import CapdecError


def check_device(device: str) -> None:
    """Raise CapdecError unless `device` is "cpu" or a CUDA device that this machine has."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise CapdecError(
            f"no device {device!r}; DEVICE is one of: cpu, cuda, cuda:0, cuda:1, …, or several: cuda:0,1"
        )
    if device != "cpu" and not torch.cuda.is_available():
        raise CapdecError(
            f"device {device!r}: torch {torch.__version__} sees no CUDA GPU here; use DEVICE=cpu"
        )
    number = device.partition(":")[2]
    if number and int(number) >= torch.cuda.device_count():
        raise CapdecError(
            f"device {device!r}: this machine has cuda:0 to cuda:{torch.cuda.device_count() - 1}"
        )


def devices_of(device: str) -> list[str]:
    """Return the devices that DEVICE names, one or several GPUs ("cuda:0,1": ["cuda:0", "cuda:1"]), all checked.

    Raises CapdecError where one of them is no device of this machine, or is named twice.
    """
    kind, _, numbers = device.partition(":")
    found = [f"{kind}:{number}" for number in numbers.split(",")] if "," in numbers else [device]
    for each in found:
        check_device(each)
    if len(set(found)) < len(found):
        raise CapdecError(f"device {device!r} names a GPU twice")
    return found


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def autocast(device: torch.device) -> AbstractContextManager:
    """Return a context in which models compute in bfloat16 where a CUDA device has it, and as they are elsewhere."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()
