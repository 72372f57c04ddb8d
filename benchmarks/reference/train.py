"""The reference's training loop, with CapDec's noise."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader
from transformers import get_linear_schedule_with_warmup

from benchmarks.reference.dataset import CaptionDataset
from benchmarks.reference.model import ClipCaptionModel

PADDED = -100


def noise_injection(x: Tensor, variance: float) -> Tensor:
    """Return unit rows (batch, d): x normalised, plus Gaussian noise of this variance per coordinate."""
    if variance == 0.0:
        return x
    x = F.normalize(x, dim=1)
    x = x + torch.randn(x.shape, device=x.device) * math.sqrt(variance)
    return F.normalize(x, dim=1)


def batch_loss(model: ClipCaptionModel, tokens: Tensor, mask: Tensor, prefix: Tensor) -> Tensor:
    """Return the mean loss (nats a token) of a batch of the dataset: tokens (batch, t), mask, embeddings."""
    outputs = model(tokens, prefix, mask)
    logits = outputs.logits[:, model.prefix_length - 1 : -1]
    wanted = tokens.masked_fill(mask[:, model.prefix_length :] == 0, PADDED)
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), wanted.flatten(), ignore_index=PADDED)


def train(
    dataset: CaptionDataset,
    model: ClipCaptionModel,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    warmup_steps: int,
    variance: float,
    device: torch.device | str,
    progress: Callable[[int], None] | None = None,
) -> list[float]:
    """Train `model` in place on `device` and return each step's loss (nats a token).

    `variance` is the noise's, per coordinate. The learning rate rises linearly over `warmup_steps` and falls
    to 0 at the last step. `progress` is called with the steps done. Order, noise and dropout come from the
    global generator.
    """
    model = model.to(device)
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, eps=1e-6, weight_decay=0.0, foreach=False, fused=False
    )
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True, drop_last=True)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup_steps, epochs * len(loader))
    losses: list[float] = []
    for _ in range(epochs):
        for batch in loader:
            model.zero_grad()
            tokens, mask, prefix = (part.to(device) for part in batch)
            loss = batch_loss(model, tokens, mask, noise_injection(prefix, variance))
            loss.backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            if progress is not None:
                progress(len(losses))
    return losses
