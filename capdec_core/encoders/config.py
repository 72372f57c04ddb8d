"""The miniature's configuration, apart from the code that trains it so that reading a profile stays cheap."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MiniatureConfig:
    """How the miniature is built and trained; the numbers stand in the profile.

    Attributes:
        embed_dim: dimension d of the joint space.
        vision: fields of open_clip's CLIPVisionCfg.
        text: fields of open_clip's CLIPTextCfg, without the vocabulary.
        scale: the fixed contrastive scale (inverse temperature).
        cone: norm of each modality's initial offset, relative to the norm of the rest of its embedding.
        epochs, batch_size, learning_rate, weight_decay, warmup_steps: AdamW with linear warm-up and cosine decay.
        seed: of initialisation, order and caption choice.
    """

    embed_dim: int
    vision: dict[str, Any]
    text: dict[str, Any]
    scale: float
    cone: float
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    seed: int
