"""A bridge over the modality gap: moves of either side, then noise in training. Told in JSON, fitted once."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from capdec_core.bridges.fitted import FittedBridge
from capdec_core.bridges.material import Material, Sight, State, most
from capdec_core.bridges.memory import NearestCaption
from capdec_core.bridges.moves import Move
from capdec_core.bridges.shaped import ShapedNoise
from capdec_core.noise import NoNoise, Perturbation

NO_NOISE = NoNoise()


@dataclass(frozen=True)
class Bridge:
    """What the decoder reads on either side of the gap.

    In training it reads normalise(move(text) + noise), at inference move(image); CapDec is the bridge without moves.

    Attributes:
        moves: in this order, each fitted on what the ones before it return; rows are unit after each.
        noise: a perturbation of `capdec_core.noise`, or noise of a learned shape.
        unit_first: whether rows are put on the unit sphere between the last move and the noise. C3 and CLOSE's shift
            add the noise first: its variance then counts beside rows of another norm, and in the book's currency,
            which is beside rows of norm 1, it is that variance divided by the squared norm.
    """

    moves: tuple[Move, ...] = ()
    noise: Perturbation | ShapedNoise = NO_NOISE
    unit_first: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "moves", tuple(self.moves))
        calibrated = isinstance(self.noise, ShapedNoise) and self.noise.cosine is not None
        if calibrated and not self.unit_first:
            raise ValueError(
                "noise calibrated to a cosine is added beside unit rows: unit_first must be True"
            )

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        parts = [move.label for move in self.moves]
        if not isinstance(self.noise, NoNoise) or not parts:
            parts.append(self.noise.label)
        return " + ".join(parts)

    @property
    def sight(self) -> Sight:
        """Where it depends on training images: where the part of it does that sees most."""
        shaped = [self.noise.sight] if isinstance(self.noise, ShapedNoise) else []
        return most([move.sight for move in self.moves] + shaped)

    @property
    def needs_pairs(self) -> bool:
        """Whether it must know which caption belongs to which image."""
        shaped = isinstance(self.noise, ShapedNoise) and self.noise.needs_pairs
        return shaped or any(move.needs_pairs for move in self.moves)

    @property
    def moves_text(self) -> bool:
        """Whether training texts are moved before the noise.

        If not, and the noise is a `Perturbation`, the decoder is that of the plain perturbation, byte for byte: one
        training serves every such bridge, which differ in what they make of an image.
        """
        return any(move.moves_text for move in self.moves)

    @property
    def retrieves(self) -> bool:
        """Whether an image gets a training caption as it is, so that no decoder is asked."""
        return bool(self.moves) and isinstance(self.moves[-1], NearestCaption)

    @property
    def learns(self) -> bool:
        """Whether anything of it is fitted on training material; plain noise is not."""
        return bool(self.moves) or isinstance(self.noise, ShapedNoise)

    def fit(
        self, texts: Tensor, images: Tensor | None = None, clusters: Tensor | None = None
    ) -> FittedBridge:
        """Learn from training material, once.

        Args:
            texts: unit rows (m, d) of the training captions.
            images: unit rows (n, d) of the training images. A part whose sight is "never" is not shown them.
            clusters: (m,) int64, which image each text tells of.

        Raises:
            CapdecError: a part needs images, pairs or caption clusters that are not there.
            ValueError: rows that are not unit, or shapes that do not fit.
        """
        material, states = Material(texts, images, clusters), []
        for number, move in enumerate(self.moves):
            states.append(move.fit(material.seen_by(move.sight)))
            material = self._moved(number, states[-1], material)
        return FittedBridge(self, tuple(states), self._fit_noise(material))

    def _fit_noise(self, material: Material) -> State:
        if not isinstance(self.noise, ShapedNoise):
            return {}
        return self.noise.fit(material.seen_by(self.noise.sight))

    def _moved(self, number: int, state: State, material: Material) -> Material:
        """Return the material behind one more move; the images only where a later part looks at them."""
        later = [
            part.sight
            for part in (*self.moves[number + 1 :], self.noise)
            if not isinstance(part, Perturbation)
        ]
        move, images = self.moves[number], material.images
        if images is not None:
            images = (
                None
                if most(later) is Sight.NEVER
                else FittedBridge.unit_after(images, move.image(images, state))
            )
        return Material(
            FittedBridge.unit_after(material.texts, move.text(material.texts, state)),
            images,
            material.clusters,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return {"moves": [...], "noise": {...}, "unit_first": ...}: JSON that `bridge_from_dict` reads back."""
        return {
            "moves": [move.to_dict() for move in self.moves],
            "noise": self.noise.to_dict(),
            "unit_first": self.unit_first,
        }
