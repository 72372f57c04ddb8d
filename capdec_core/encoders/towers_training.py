"""Train the towers' heads on features that are computed once: locked-image tuning with both towers locked.

The contrastive scale is fixed. At 100, where CLIP's learned one is clipped (Radford et al. 2021, section 2.5), the
gap of the initialisation stays open; a scale that starts low and is learned closes it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from capdec_core.corpora import Split
from capdec_core.encoders.miniature import parameter_groups
from capdec_core.encoders.prefetch import prefetched
from capdec_core.encoders.towers import Towers
from capdec_core.encoders.towers_config import TowersConfig
from capdec_core.encoders.towers_heads import Heads, contrastive_loss

IMAGES_A_BLOCK = 256


@dataclass(frozen=True)
class Features:
    """What the towers say of a split.

    Attributes:
        images: (views, n, IMAGE_WIDTH): each image as it is and mirrored.
        texts: (captions, TEXT_WIDTH), in the order of the images.
        starts, counts: (n,) where each image's captions begin and how many they are.
    """

    images: Tensor
    texts: Tensor
    starts: Tensor
    counts: Tensor


def features_of(towers: Towers, split: Split) -> Features:
    """Return a split's features; CapdecError where it is text only."""
    count = len(split.ids)
    blocks = [range(i, min(i + IMAGES_A_BLOCK, count)) for i in range(0, count, IMAGES_A_BLOCK)]
    views: list[Tensor] = []
    for images in prefetched(split.render, blocks):
        both = (images, np.ascontiguousarray(images[:, :, ::-1]))
        views.append(torch.stack([towers.image_features(view) for view in both]))
    counts = torch.tensor([len(group) for group in split.captions])
    texts = towers.text_features([caption for group in split.captions for caption in group])
    return Features(torch.cat(views, dim=1), texts, counts.cumsum(0) - counts, counts)


def train(config: TowersConfig, features: Features, report: Callable[[str], None] = print) -> Heads:
    """Train heads and return them, in evaluation mode, on the features' device.

    Args:
        config: shape and budget.
        features: of the training split; each epoch shows every image once, in one of its views, with one caption.
        report: called with a line of progress an epoch.
    """
    device = features.images.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(config.seed)
        heads = _initial(config, features)
        optimiser = torch.optim.AdamW(parameter_groups(heads, config.weight_decay), lr=config.learning_rate)
        steps = config.epochs * (len(features.counts) // config.batch_size)
        schedule = _schedule(optimiser, config.warmup_steps, steps)
        generator = torch.Generator().manual_seed(config.seed)
        for epoch in range(config.epochs):
            batches = _batches(features, config.batch_size, generator)
            losses = [_step(heads, optimiser, schedule, batch, config.scale) for batch in batches]
            report(f"epoch {epoch + 1}/{config.epochs}: loss {torch.stack(losses).mean():.3f}")
    return heads.eval().requires_grad_(False)


def _initial(config: TowersConfig, features: Features) -> Heads:
    """Return heads with drawn weights that standardise by the features."""
    widths = features.images.shape[-1], features.texts.shape[-1]
    heads = Heads(*widths, config.hidden, config.dim, config.dropout).to(features.images.device)
    for head in (heads.image, heads.text):
        torch.nn.init.normal_(head.leave.bias, std=config.cone)
    heads.image.standardise_by(features.images[0])
    heads.text.standardise_by(features.texts)
    return heads.train()


def _schedule(
    optimiser: torch.optim.Optimizer, warmup: int, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return linear warm-up followed by cosine decay to 0."""
    rise = torch.optim.lr_scheduler.LinearLR(optimiser, 1 / warmup, 1.0, warmup)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps - warmup))
    return torch.optim.lr_scheduler.SequentialLR(optimiser, [rise, fall], [warmup])


def _batches(features: Features, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch's pairs of features: every image once, as it is or mirrored, with one of its captions."""
    count, device = len(features.counts), features.images.device
    order = torch.randperm(count, generator=generator)
    for rows in order[: count // size * size].split(size):
        view = torch.randint(len(features.images), (size,), generator=generator)
        which = (torch.rand(size, generator=generator) * features.counts[rows]).long()
        captions = features.starts[rows] + which
        yield features.images[view.to(device), rows.to(device)], features.texts[captions.to(device)]


def _step(
    heads: Heads,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    batch: tuple[Tensor, Tensor],
    scale: float,
) -> Tensor:
    """Take one step on a batch's image and text features; return its loss."""
    images, texts = batch
    loss = contrastive_loss(heads.image(images), heads.text(texts), scale)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(heads.parameters(), 1.0)
    optimiser.step()
    schedule.step()
    return loss.detach()
