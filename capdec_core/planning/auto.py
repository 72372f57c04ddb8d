"""What stands where the user leaves the profile or the device to the machine."""

import torch

AUTO = "auto"


def device_of(device: str) -> str:
    """Return the device; for `AUTO` a GPU where torch sees one, else the CPU."""
    if device != AUTO:
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"
