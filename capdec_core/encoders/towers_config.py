"""How the towers' heads are built and trained; the numbers stand beside the heads, in `data/towers/training.json`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TowersConfig:
    """Heads and budget. Smaller heads or another temperature: `dataclasses.replace(config, dim=64, scale=10.0)`.

    Attributes:
        dim: dimension d of the joint space.
        hidden: inner width of the heads.
        scale: the fixed contrastive scale (inverse temperature).
        cone: standard deviation by coordinate of the constant offset that each modality starts with.
        dropout: share of the heads' inner numbers that training drops.
        epochs, batch_size, learning_rate, weight_decay, warmup_steps: AdamW with linear warm-up and cosine decay.
        seed: of initialisation, order, caption choice and dropout.
    """

    dim: int
    hidden: int
    scale: float
    cone: float
    dropout: float
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    seed: int
