"""How the contrastive scale makes a gap: two small heads over frozen features, trained at one scale after another.

Liang et al. 2022 ("Mind the Gap", sections 2 and 4) name two causes: each modality's network maps everything into a
narrow cone of its own before it is trained, and a contrastive loss with a low temperature (a high scale) has no need
to bring the cones together. So heads that start in a cone, behind a hidden layer, are set beside linear ones, which
do not.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from capdec_core.encoders.heads import Pairs, fit_heads
from capdec_core.files import digest
from capdec_core.gap.core import Geometry, geometry
from capdec_core.profiles import GeometrySettings

HeadKind = Literal["hidden layer", "linear"]
KINDS: tuple[HeadKind, ...] = ("hidden layer", "linear")


@dataclass(frozen=True)
class HeadRun:
    """Two heads trained once: the geometry that they give to held-out pairs before and after.

    `final_loss` is the contrastive loss of the last batch, in nats.
    """

    kind: HeadKind
    scale: float
    seed: int
    before: Geometry
    after: Geometry
    final_loss: float

    @property
    def id(self) -> str:
        """A name for links, 16 hex digits."""
        return digest([self.kind, self.scale, self.seed])[:16]


def train_heads(
    train: Pairs, test: Pairs, kind: HeadKind, scale: float, seed: int, settings: GeometrySettings
) -> HeadRun:
    """Train an image head and a text head with CLIP's symmetric loss at a fixed scale, on the CPU.

    Args:
        train, test: features, standardised; each image's texts stand together in `train`.
        kind: with a hidden layer and GELU, or linear.
        scale: what cosines are multiplied by in the loss, the inverse of the temperature; CLIP ends at 100.
        seed: of the weights and the batches.
        settings: dimensions and budget.
    """
    features = [part.shape[1] for part in train[:2]]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        heads = nn.ModuleList([_head(kind, width, settings) for width in features])
    before = _measured(heads, test)
    loss = fit_heads(heads, train, float(scale), seed, settings.training)
    return HeadRun(kind, scale, seed, before, _measured(heads, test), loss)


def _head(kind: HeadKind, features: int, settings: GeometrySettings) -> nn.Module:
    if kind == "linear":
        return nn.Linear(features, settings.dim)
    return nn.Sequential(
        nn.Linear(features, settings.hidden), nn.GELU(), nn.Linear(settings.hidden, settings.dim)
    )


@torch.no_grad()
def _measured(heads: nn.ModuleList, pairs: Pairs) -> Geometry:
    images, texts = (
        head(torch.from_numpy(rows)).numpy() for head, rows in zip(heads, pairs[:2], strict=True)
    )
    return geometry(images, texts, pairs[2])
