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


WORTH_CASTING = 1 << 20
"""Parameters from which on bfloat16 saves a CPU that has it more of a training step than casts to it take."""


def training_dtype(device: torch.device, parameters: int) -> torch.dtype:
    """Return what a model of so many parameters computes in when it is trained; its weights are float32 always.

    That is `default_dtype`, and bfloat16 on a CPU that multiplies it if the model is large enough.
    """
    if device.type == "cpu" and parameters >= WORTH_CASTING and multiplies_bfloat16():
        return torch.bfloat16
    return default_dtype(device)


def multiplies_bfloat16() -> bool:
    """Tell whether the CPU multiplies bfloat16 in hardware: in matrix units (AMX) or in vectors (AVX-512 BF16).

    False where torch is too old to say.
    """
    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))


def default_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where a CUDA device has it, else float32: on CPUs embeddings are the same whatever they have."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float32


def autocast(device: torch.device, dtype: torch.dtype | None = None) -> AbstractContextManager:
    """Return a context in which models compute in `dtype`, by default the device's `default_dtype`."""
    dtype = dtype or default_dtype(device)
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)
