"""A run's state: what an optimiser step changes, and how it is written down and taken up again."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from capdec_core.checkpoints import differences, load_tensors, save_tensors
from capdec_core.errors import CapdecError

_KIND = "training state"


@dataclass
class RunState:
    """A module in training, its optimiser, the noise generators, and the history of steps.

    `generators` has one generator a run, several where runs are computed side by side. `history` (steps, 2,
    runs), on the device, holds each step's loss and mean cosine. `identity` is a JSON
    dictionary of everything that determines the run: a state of another run is refused. `seconds` is the
    time spent before this process took over.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    generators: list[torch.Generator]
    history: Tensor
    identity: dict[str, Any]
    seconds: float = 0.0

    @property
    def device(self) -> torch.device:
        """Where the run is computed."""
        return self.generators[0].device

    def save(self, path: Path, step: int, seconds: float) -> None:
        """Write the state after `step` steps and `seconds` seconds, atomically, as safetensors."""
        tensors: dict[str, Tensor] = {
            f"module.{name}": weight for name, weight in self.module.named_parameters()
        }
        for index, held in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in held.items()}
        drawn = torch.stack([generator.get_state() for generator in self.generators])
        tensors |= {"history": self.history, "generators": drawn} | _global_states(self.device)
        save_tensors(path, _KIND, {"run": self.identity, "step": step, "seconds": seconds}, tensors)

    def restore(self, path: Path) -> int:
        """Take up the state in `path` and return its number of steps, or 0 where there is no such file.

        Raises CapdecError if the file is damaged or another run's.
        """
        if not path.exists():
            return 0
        config, tensors = load_tensors(path, _KIND)
        lines = differences(config.get("run", {}), self.identity)
        if lines:
            raise CapdecError(f"{path} belongs to another run (delete it to start anew): " + "; ".join(lines))
        try:
            self._take(tensors)
            self.seconds = float(config["seconds"])
            return int(config["step"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise CapdecError(
                f"the training state in {path} is damaged; delete it to start anew: {error}"
            ) from None

    def _take(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self.module.named_parameters():
                weight.copy_(tensors[f"module.{name}"])
            self.history.copy_(tensors["history"])
        held: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                held.setdefault(int(index), {})[key] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": held})
        for generator, state in zip(self.generators, tensors["generators"], strict=True):
            generator.set_state(state)
        torch.set_rng_state(tensors["global"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["global_cuda"], self.device)


def _global_states(device: torch.device) -> dict[str, Tensor]:
    """States of the global generators, which dropout draws from."""
    states = {"global": torch.get_rng_state()}
    if device.type == "cuda":
        states["global_cuda"] = torch.cuda.get_rng_state(device)
    return states


def tensor_digest(*tensors: Tensor) -> str:
    """Return the hex SHA-256 of some tensors' bytes."""
    whole = hashlib.sha256()
    for tensor in tensors:
        whole.update(tensor.detach().cpu().contiguous().numpy().data)
    return whole.hexdigest()
