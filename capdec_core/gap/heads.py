"""How the contrastive scale makes a gap: two small heads over frozen features, trained at one scale after another.

Liang et al. 2022 ("Mind the Gap", sections 2 and 4) name two causes: each modality's network maps everything into a
narrow cone of its own before it is trained, and a contrastive loss with a low temperature (a high scale) has no need
to bring the cones together. So heads that start in a cone, behind a hidden layer, are set beside linear ones, which
do not.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from capdec_core.encoders.towers_heads import contrastive_loss
from capdec_core.files import digest
from capdec_core.gap.core import Geometry, geometry
from capdec_core.gap.files import Pairs
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


def standardised(pairs: Pairs, like: Pairs) -> Pairs:
    """Return embeddings without the mean that `like` has in each modality, at its mean square of 1.

    The features' own gap is gone then, and what the heads show is of their making.
    """
    images, texts = (
        (rows - known.mean(axis=0)) / np.float32(known.std())
        for rows, known in zip(pairs[:2], like[:2], strict=True)
    )
    return images.astype(np.float32), texts.astype(np.float32), pairs[2]


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
    images, texts, owners = (torch.from_numpy(np.ascontiguousarray(part)) for part in train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        heads = nn.ModuleList([_head(kind, part.shape[1], settings) for part in (images, texts)])
    before, generator = _measured(heads, test), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(heads.parameters(), weight_decay=settings.training.weight_decay)
    first, counts = _spans(owners, len(images))
    loss = torch.tensor(torch.nan)
    for step in range(settings.training.steps):
        rows = torch.randint(len(images), (settings.training.batch_size,), generator=generator)
        captions = first[rows] + (torch.rand(len(rows), generator=generator) * counts[rows]).long()
        loss = contrastive_loss(heads[0](images[rows]), heads[1](texts[captions]), float(scale))
        optimiser.param_groups[0]["lr"] = settings.training.rate(step)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return HeadRun(kind, scale, seed, before, _measured(heads, test), loss.item())


def _head(kind: HeadKind, features: int, settings: GeometrySettings) -> nn.Module:
    if kind == "linear":
        return nn.Linear(features, settings.dim)
    return nn.Sequential(
        nn.Linear(features, settings.hidden), nn.GELU(), nn.Linear(settings.hidden, settings.dim)
    )


def _spans(owners: Tensor, images: int) -> tuple[Tensor, Tensor]:
    """Return where each image's texts begin, and how many they are."""
    counts = owners.bincount(minlength=images)
    return counts.cumsum(0) - counts, counts


@torch.no_grad()
def _measured(heads: nn.ModuleList, pairs: Pairs) -> Geometry:
    images, texts = (
        head(torch.from_numpy(rows)).numpy() for head, rows in zip(heads, pairs[:2], strict=True)
    )
    return geometry(images, texts, pairs[2])
