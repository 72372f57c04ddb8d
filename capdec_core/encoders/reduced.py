"""The joint embedding at another dimension: two linear heads over a frozen encoder, trained on the training pairs.

The calibration law says how the best noise depends on the dimension d and on the matched cosine of an encoder. Heads
of several sizes over one encoder change both, and nothing else.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from capdec_core.encoders.heads import Pairs, fit_heads, standardised
from capdec_core.files import digest, write_atomic
from capdec_core.profiles import CalibrationSettings
from capdec_core.resume import tensor_digest

SEED = 0
_SIDES = ("image", "text")


class ReducedEncoder:
    """An affine map to `dim` dimensions for each modality of an encoder's embeddings.

    Attributes:
        dim: the dimension d of what it returns.
        fingerprint: a hash of the maps' weights.
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        """Take `image.weight` and `text.weight` (dim, features), and `image.bias` and `text.bias` (dim,)."""
        self._weights = weights
        self.dim = len(weights["image.bias"])
        self.fingerprint = tensor_digest(*(weights[name] for name in sorted(weights)))[:16]

    def apply(self, modality: str, rows: np.ndarray) -> np.ndarray:
        """Return float32 (n, dim) for an encoder's raw embeddings (n, features) of "image" or "text"."""
        weight, bias = self._weights[f"{modality}.weight"], self._weights[f"{modality}.bias"]
        unit = torch.nn.functional.normalize(torch.from_numpy(np.array(rows, dtype=np.float32)), dim=1)
        return torch.addmm(bias, unit, weight.T).numpy()


def reduced_encoder(
    folder: Path, pairs: Callable[[], Pairs], dim: int, settings: CalibrationSettings
) -> ReducedEncoder:
    """Return the heads of one dimension; they are trained on unit training pairs once and kept in `folder`.

    Args:
        folder: what lies in it belongs to these pairs.
        pairs: gives unit image rows (n, features), unit text rows (m, features), and each text's image.
        dim: the dimension d.
        settings: the contrastive scale and the budget.
    """
    key = digest([dim, settings.scale, vars(settings.training), SEED])[:16]
    path = folder / f"heads-{dim}-{key}.safetensors"
    if not path.is_file():
        write_atomic(path, save(_trained(pairs(), dim, settings)))
    return ReducedEncoder(load_file(path))


def _trained(pairs: Pairs, dim: int, settings: CalibrationSettings) -> dict[str, Tensor]:
    """Train linear heads on standardised rows, and fold what standardises them into their weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        heads = nn.ModuleList([nn.Linear(part.shape[1], dim) for part in pairs[:2]])
    fit_heads(heads, standardised(pairs, pairs), settings.scale, SEED, settings.training)
    weights = {}
    for name, head, rows in zip(_SIDES, heads, pairs[:2], strict=True):
        assert isinstance(head, nn.Linear)  # nn.ModuleList does not know its members' type
        mean, deviation = torch.from_numpy(rows.mean(axis=0)), float(rows.std())
        weight = (head.weight / deviation).detach()
        weights[f"{name}.weight"], weights[f"{name}.bias"] = weight, (head.bias - weight @ mean).detach()
    return weights
