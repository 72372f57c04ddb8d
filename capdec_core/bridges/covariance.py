"""Covariances that noise can be shaped by: of what lies between pairs, or of the captions of one image."""

import torch
from torch import Tensor

from capdec_core.bridges.material import Material
from capdec_core.errors import CapdecError


def pair_deviations(material: Material, who: str) -> Tensor:
    """Return image minus text of all matched pairs, about their mean, float64 (m, d).

    The mean is the constant shift, which noise of mean 0 leaves to a `MeanShift`. CapdecError without pairs.
    """
    texts, images = material.pairs(who)
    difference = images.double() - texts.double()
    return difference - difference.mean(dim=0)


def cluster_deviations(material: Material, who: str) -> Tensor:
    """Return each caption minus the mean of its image's captions, float64 (captions of such images, d).

    Images with one caption are left out. Each deviation is scaled by sqrt(k / (k - 1)) for k captions, so that the
    mean of its outer products is the unbiased covariance within clusters. CapdecError where no image has two captions.
    """
    _, cluster, sizes = material.need_clusters(who).unique(return_inverse=True, return_counts=True)
    texts, several = material.texts.double(), (sizes > 1)[cluster]
    if not several.any():
        raise CapdecError(
            f"{who} needs images with several captions, but each has one in the training material"
        )
    sums = texts.new_zeros(len(sizes), texts.shape[1]).index_add_(0, cluster, texts)
    k = sizes[cluster].double()[:, None]
    return ((texts - sums[cluster] / k) * (k / (k - 1)).sqrt())[several]


def covariance(deviations: Tensor) -> Tensor:
    """Return the mean outer product (d, d) of deviations (n, d)."""
    return deviations.T @ deviations / len(deviations)


def ledoit_wolf(deviations: Tensor) -> tuple[Tensor, float]:
    """Return the covariance shrunk towards a multiple of the identity, and by how much (0 to 1).

    Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices", section 3.2:
    (1 - s) S + s m I, with m the mean variance and s the estimated share of S's squared distance from m I that is
    sampling error. The deviations (n, d) count as n independent draws about a known mean.
    """
    n, d = deviations.shape
    sample = covariance(deviations)
    mean = sample.diagonal().mean()
    target = mean * torch.eye(d, dtype=sample.dtype, device=sample.device)
    distance = (sample - target).square().sum()
    error = (deviations.square().sum(dim=1).square().sum() / n - sample.square().sum()) / n
    shrinkage = float((error / distance).clamp(0, 1)) if distance > 0 else 1.0
    return (1 - shrinkage) * sample + shrinkage * target, shrinkage


def factor_of(matrix: Tensor) -> Tensor:
    """Return F (d, d) with F' F = `matrix`, symmetric and positive semidefinite: rows are scaled eigenvectors.

    Standard normal rows (batch, d) times F have the covariance `matrix`.
    """
    values, vectors = torch.linalg.eigh(matrix)
    return values.clamp(min=0).sqrt()[:, None] * vectors.T
