"""A process that fails beside one that waits for it; it imports little, as it is started anew."""

import os
import signal

import torch
from accelerate import Accelerator


def fail(how: str, accelerator: Accelerator) -> None:
    """Fail in the second process while the first waits for it."""
    if accelerator.process_index == 1:
        if how == "raises":
            raise ValueError("nothing to train on")
        os.kill(os.getpid(), signal.SIGKILL)
    accelerator.reduce(torch.ones(3))
    raise AssertionError("the first process went on alone")
