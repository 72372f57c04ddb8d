"""An image head and a text head over frozen features, trained with CLIP's symmetric loss at a fixed scale."""

import numpy as np
import torch
from torch import Tensor, nn

from capdec_core.budget import Budget
from capdec_core.encoders.towers_heads import contrastive_loss

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Images (n, d), texts (m, d), and which image each text tells of (m,)."""


def standardised(pairs: Pairs, like: Pairs) -> Pairs:
    """Return embeddings without the mean that `like` has in each modality, at its mean square of 1.

    The features' own gap is gone then, and what the heads show is of their making.
    """
    images, texts = (
        (rows - known.mean(axis=0)) / np.float32(known.std())
        for rows, known in zip(pairs[:2], like[:2], strict=True)
    )
    return images.astype(np.float32), texts.astype(np.float32), pairs[2]


def fit_heads(heads: nn.ModuleList, pairs: Pairs, scale: float, seed: int, budget: Budget) -> float:
    """Train an image head and a text head, in place, on pairs whose texts stand together by image.

    A step draws images, and one text of each. Returns the contrastive loss of the last batch, in nats.
    """
    images, texts, owners = (torch.from_numpy(np.ascontiguousarray(part)) for part in pairs)
    generator = torch.Generator().manual_seed(seed)
    betas = budget.beta1, budget.beta2
    optimiser = torch.optim.AdamW(heads.parameters(), betas=betas, weight_decay=budget.weight_decay)
    first, counts = _spans(owners, len(images))
    loss = torch.tensor(torch.nan)
    for step in range(budget.steps):
        rows = torch.randint(len(images), (budget.batch_size,), generator=generator)
        captions = first[rows] + (torch.rand(len(rows), generator=generator) * counts[rows]).long()
        loss = contrastive_loss(heads[0](images[rows]), heads[1](texts[captions]), scale)
        optimiser.param_groups[0]["lr"] = budget.rate(step)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return loss.item()


def _spans(owners: Tensor, images: int) -> tuple[Tensor, Tensor]:
    """Return where each image's texts begin, and how many they are."""
    counts = owners.bincount(minlength=images)
    return counts.cumsum(0) - counts, counts
