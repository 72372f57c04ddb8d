"""Frozen joint encoders: one protocol for the miniature, the towers and every open_clip model."""

from collections.abc import Iterable
from functools import cache
from typing import Protocol

import numpy as np

__all__ = ["RELATED", "WITH_MINILM", "Encoder", "embedding_dim", "load_encoder"]

WITH_MINILM = ("towers",)
"""Encoders that read sentences through MiniLM, which judges captions too."""
RELATED = (
    "MiniLM also reads the captions for this encoder: it is no independent judge here, and what is ranked is ranked by "
    "the metrics of words."
)
"""Said wherever a MiniLM score is shown of captions that such an encoder has helped to make."""


class Encoder(Protocol):
    """A frozen image-text encoder. Embeddings keep the norm that the model gives them (raw, not unit)."""

    name: str
    dim: int
    fingerprint: str

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """Embed uint8 RGB images (n, height, width, 3) as float32 (n, dim)."""
        ...

    def fitted(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Return uint8 RGB images of any size (height, width, 3) as the encoder looks at them: (n, side, side, 3).

        `encode_images` does the same; here it is done image by image, and several threads may do it at once.
        """
        ...

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """Embed sentences as float32 (n, dim)."""
        ...


def load_encoder(model: str, pretrained: str | None = None, device: str = "cpu") -> Encoder:
    """Load `miniature` or `towers` (both shipped with the project) or any open_clip model.

    Args:
        model: "miniature"; "towers"; an open_clip architecture such as "ViT-B-32"; "local-dir:FOLDER";
            "hf-hub:NAME", where NAME may say its revision: "owner/name@<40 hex digits>".
        pretrained: the tag ("openai") or weights file of an architecture; None for the other forms.
        device: a torch device.

    Raises:
        CapdecError: unknown model, unknown tag, or weights that cannot be read.
    """
    from capdec_core.encoders.open_clip import OpenClipEncoder
    from capdec_core.paths import MINIATURE, TOWERS

    if model == "miniature":
        return OpenClipEncoder(f"local-dir:{MINIATURE}", device=device, name="miniature")
    if model == "towers":
        from capdec_core.encoders.towers import load_towers

        return load_towers(TOWERS, device)
    return OpenClipEncoder(model, pretrained, device)


@cache
def embedding_dim(model: str, pretrained: str | None = None) -> int:
    """Return the dimension d of an encoder's embeddings, without its weights where open_clip knows the architecture.

    Any other is loaded, once a process. Errors as `load_encoder`.
    """
    import open_clip

    if model in open_clip.list_models():
        return int(open_clip.get_model_config(model)["embed_dim"])
    return load_encoder(model, pretrained).dim
