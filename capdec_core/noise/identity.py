"""Proof that cosine-directed noise trains as another perturbation does: nothing of a run kept, or everything.

`CosineDirected` draws the same numbers whatever its threshold, so two thresholds that keep the same
candidates of a whole training make the same bytes; and a run that keeps nothing makes those of no noise.
"""

from dataclasses import dataclass
from typing import Literal

from capdec_core.noise.acceptance import acceptance_tails
from capdec_core.noise.base import Perturbation
from capdec_core.noise.controls import NoNoise
from capdec_core.noise.directed import CosineDirected

Kept = Literal["nothing", "something", "everything"]

CHANCE = 1e-6
"""A run is called the same as another where the chance that it differs is below this."""
ROUNDING = 1e-5
"""Far more than a cosine in float32 is off; the threshold is moved by it to the side that proves less."""


@dataclass(frozen=True)
class Identity:
    """What a training with cosine-directed noise is the same as.

    Attributes:
        perturbation: the canonical one, equal for all that make the same bytes; the literal one itself where
            nothing is proved.
        kept: how much of all candidates of the training is kept.
        chance: upper bound on the probability, over the draws, that the training differs in any way from
            one with `perturbation`; 0 where that is the literal one.
    """

    perturbation: Perturbation
    kept: Kept
    chance: float


def prove_identity(noise: CosineDirected, d: int, rows: int) -> Identity:
    """Return what `noise` is the same as in a whole training.

    Args:
        noise: as it is written in the grid.
        d: dimensions of the unit rows, at least 2.
        rows: rows drawn in the whole training, steps times batch size.

    All n candidates of all rows are kept, or none is, but for a chance of at most rows times n times the
    probability of one exception (Boole's inequality). ValueError where `rows` is not positive.
    """
    if rows < 1:
        raise ValueError(f"a training draws at least one row, not {rows}")
    candidates = rows * noise.n
    kept = candidates * acceptance_tails(noise.beta, max(noise.threshold - ROUNDING, -1), d)[0]
    if kept < CHANCE:
        return Identity(NoNoise(), "nothing", kept)
    rejected = candidates * acceptance_tails(noise.beta, min(noise.threshold + ROUNDING, 1), d)[1]
    if rejected < CHANCE:
        return Identity(CosineDirected(noise.n, noise.beta, -1.0), "everything", rejected)
    return Identity(noise, "something", 0.0)
