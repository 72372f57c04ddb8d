"""A training's budget, apart from the loop that spends it so that reading a profile stays cheap."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How long and how fast to train.

    `learning_rate` rises linearly over `warmup_steps` and falls linearly to 0 at `steps`, as in CapDec and
    ClipCap. The optimiser is AdamW with their epsilon, 1e-6, and no weight decay unless asked for. `beta1` and
    `beta2` are its decay rates of the gradient's mean and mean square; theirs are the defaults. Where steps are
    few, shorter memories learn more from them. A run given a checkpoint path writes its state every
    `checkpoint_every` steps (0: never).

    Raises ValueError for a count or rate below its least value, or a beta outside [0, 1).
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int = 0
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    checkpoint_every: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1 or self.learning_rate <= 0:
            raise ValueError("steps and batch_size must be at least 1, and learning_rate positive")
        if min(self.warmup_steps, self.weight_decay, self.checkpoint_every) < 0:
            raise ValueError("warmup_steps, weight_decay and checkpoint_every must not be negative")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise ValueError("beta1 and beta2 must be at least 0 and below 1")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0; the first warm-up step has rate 0."""
        if step < self.warmup_steps:
            return self.learning_rate * step / self.warmup_steps
        return self.learning_rate * max(0, self.steps - step) / max(1, self.steps - self.warmup_steps)
