"""A fitted bridge: both sides of the gap, ready to be read; kept as safetensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from capdec_core.bridges.material import State, unit
from capdec_core.bridges.memory import NearestCaption
from capdec_core.bridges.shaped import ShapedNoise
from capdec_core.checkpoints import save_tensors
from capdec_core.noise.base import Loss, Perturbation, effect, move, require_unit_rows
from capdec_core.resume import tensor_digest

if TYPE_CHECKING:
    from capdec_core.bridges.base import Bridge

KIND = "fitted bridge"


@dataclass(frozen=True)
class FittedBridge:
    """A bridge with what it has learned. Rows are unit everywhere; nothing waits for the device.

    It stands where `capdec_core.training.train` takes a perturbation: `perturb` is its training side.

    Attributes:
        bridge: what it is.
        states: what each of its moves has learned.
        noise_state: what its noise has learned; empty for a `Perturbation`.
    """

    bridge: Bridge
    states: tuple[State, ...]
    noise_state: State

    def place(self, x: Tensor) -> Tensor:
        """Return where text embeddings x (batch, d) are moved to, before any noise: unit rows."""
        return self._placed(x)[0]

    @property
    def training_noise(self) -> FittedBridge | Perturbation:
        """What training asks to perturb its embeddings: the bridge, or its noise alone where nothing was learned."""
        noise = self.bridge.noise
        return noise if isinstance(noise, Perturbation) and not self.bridge.moves else self

    def perturb(self, x: Tensor, *, generator: torch.Generator, loss: Loss | None = None) -> Tensor:
        """Return what the decoder reads in training for unit text embeddings x (batch, d): unit rows, perturbed.

        `loss` is what `NormalisedGradient` follows. The same generator state gives the same bytes.
        """
        placed, norms = self._placed(x)
        return move(placed, self._displacement(placed, norms, generator, loss))

    def infer_side(self, y: Tensor) -> Tensor:
        """Return what the decoder reads for unit image embeddings y (batch, d): unit rows."""
        for each, state in zip(self.bridge.moves, self.states, strict=True):
            y = self.unit_after(y, each.image(y, state))
        return y

    def retrieve(self, y: Tensor) -> Tensor:
        """Return the numbers (batch,) of the training captions that a bridge ending in `NearestCaption` finds for y.

        ValueError for any other bridge.
        """
        if not self.bridge.retrieves:
            raise ValueError(f"{self.bridge.label} finds no caption: its last move is not NearestCaption")
        last = self.bridge.moves[-1]
        assert isinstance(last, NearestCaption)
        before = replace(self.bridge, moves=self.bridge.moves[:-1])
        return last.nearest(
            replace(self, bridge=before, states=self.states[:-1]).infer_side(y), self.states[-1]
        )

    def measure(self, x: Tensor, generator: torch.Generator) -> dict[str, float]:
        """Return the noise's means on unit text embeddings x (batch, d), in the book's one currency.

        `variance` (mean square of a coordinate of the displacement, beside a moved row of norm 1), `std` (its square
        root), `norm` (mean norm of the displacement) and `cosine` (between the moved rows and what the decoder reads).
        """
        require_unit_rows(x)
        placed, norms = self._placed(x)
        return effect(placed, self._displacement(placed, norms, generator, None))

    def _placed(self, x: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return the moved rows, unit, and the norms (batch, 1) that the last move gave them (1 where none did)."""
        norms: Tensor | float = 1.0
        for each, state in zip(self.bridge.moves, self.states, strict=True):
            moved = each.text(x, state)
            norms = 1.0 if moved is x else moved.norm(dim=-1, keepdim=True)
            x = self.unit_after(x, moved)
        return x, norms

    def _displacement(
        self, placed: Tensor, norms: Tensor | float, generator: torch.Generator, loss: Loss | None
    ) -> Tensor:
        noise = self.bridge.noise
        if isinstance(noise, ShapedNoise):
            displacement = noise.displacement(placed, self.noise_state, generator)
        else:
            displacement = noise.displacement(placed, generator=generator, loss=loss)
        return displacement if self.bridge.unit_first else displacement / norms

    @staticmethod
    def unit_after(before: Tensor, moved: Tensor) -> Tensor:
        """Return moved rows on the unit sphere; rows that a move left alone stay the very tensor that they were."""
        return before if moved is before else unit(moved)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All that was learned, by name: "moves.0.gap", "noise.factor"."""
        found = {
            f"moves.{i}.{name}": held for i, state in enumerate(self.states) for name, held in state.items()
        }
        return found | {f"noise.{name}": held for name, held in self.noise_state.items()}

    @property
    def memory(self) -> int:
        """Bytes of all that was learned: what the bridge adds to a captioner that is put to use."""
        return sum(held.numel() * held.element_size() for held in self.tensors.values())

    def to(self, device: torch.device | str) -> FittedBridge:
        """Return the same bridge on a device."""
        states = tuple({name: held.to(device) for name, held in state.items()} for state in self.states)
        noise = {name: held.to(device) for name, held in self.noise_state.items()}
        return FittedBridge(self.bridge, states, noise)

    def to_dict(self) -> dict[str, Any]:
        """Return the bridge's dictionary and a digest of what it has learned: JSON that tells runs apart."""
        names = sorted(self.tensors)
        return self.bridge.to_dict() | {"learned": tensor_digest(*(self.tensors[name] for name in names))}

    def save(self, path: Path) -> None:
        """Write the bridge and what it has learned, atomically, as safetensors."""
        save_tensors(path, KIND, self.bridge.to_dict(), self.tensors)
