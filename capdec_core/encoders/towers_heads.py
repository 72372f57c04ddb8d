"""The small heads over frozen towers, and the contrastive loss that trains them."""

import torch
from open_clip import ClipLoss
from torch import Tensor, nn
from torch.nn import functional


class Head(nn.Module):
    """A residual perceptron from a tower's features to the joint space; the features are standardised first.

    Args:
        width: numbers of the features.
        hidden: inner width.
        dim: dimension d of the joint space.
        dropout: share of the inner numbers that training drops.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int, hidden: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.enter = nn.Linear(width, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.inner = nn.Linear(hidden, hidden)
        self.leave = nn.Linear(hidden, dim)
        self.dropout = nn.Dropout(dropout)

    def standardise_by(self, features: Tensor) -> None:
        """Take mean and standard deviation of features (n, width); a feature that never varies becomes 0."""
        self.mean.copy_(features.mean(dim=0))
        self.deviation.copy_(features.std(dim=0).clamp_min(1e-3))

    def forward(self, features: Tensor) -> Tensor:
        """Embed features (n, width) as (n, dim), at a raw norm."""
        x = self.enter((features - self.mean) / self.deviation)
        x = x + self.inner(self.dropout(functional.gelu(self.norm(x))))
        return self.leave(self.dropout(x))


class Heads(nn.Module):
    """The head of each modality.

    Args:
        images, texts: numbers of an image's and a sentence's features.
        hidden, dim, dropout: as in `Head`.
    """

    def __init__(self, images: int, texts: int, hidden: int, dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = {"images": images, "texts": texts, "hidden": hidden, "dim": dim}
        self.dim = dim
        self.image = Head(images, hidden, dim, dropout)
        self.text = Head(texts, hidden, dim, dropout)


def contrastive_loss(images: Tensor, texts: Tensor, scale: float) -> Tensor:
    """Return the symmetric contrastive loss of n pairs (Radford et al. 2021), open_clip's own.

    Args:
        images, texts: (n, d) at any norm; row i of the one belongs to row i of the other.
        scale: inverse temperature, what cosines are multiplied by before the softmax.
    """
    x, y = functional.normalize(images, dim=1), functional.normalize(texts, dim=1)
    return ClipLoss()(x, y, torch.as_tensor(scale, device=x.device))
