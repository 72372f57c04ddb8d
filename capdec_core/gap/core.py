"""What the gap looks like in a few numbers: centroids, cosines, retrieval, and the noise that it calls for."""

from dataclasses import dataclass

import numpy as np

from capdec_core.embeddings import unit_rows
from capdec_core.gap.retrieval import recall
from capdec_core.noise import variance_for_cosine


@dataclass(frozen=True)
class Geometry:
    """What the gap looks like.

    Attributes:
        images, captions, dim: how many of each, and the dimension d.
        matched: mean cosine of an image with its own captions.
        mismatched: mean cosine of an image with other images' captions.
        gap_norm: distance between the centroids of the unit embeddings.
        image_norm, text_norm: mean norms of the raw embeddings.
        image_to_text: share of images with one of their own captions among the k nearest of all captions, by k.
        text_to_image: share of captions with their own image among the k nearest of all images, by k.
        calibrated_variance: per-coordinate variance v* = (1/c^2 - 1)/d of Gaussian noise whose cosine equals `matched`;
            nan where `matched` is not between 0 and 1.
    """

    images: int
    captions: int
    dim: int
    matched: float
    mismatched: float
    gap_norm: float
    image_norm: float
    text_norm: float
    image_to_text: dict[int, float]
    text_to_image: dict[int, float]
    calibrated_variance: float


def geometry(images: np.ndarray, texts: np.ndarray, owners: np.ndarray | None = None) -> Geometry:
    """Measure paired embeddings.

    Args:
        images: (n, d), any norm.
        texts: (m, d), any norm.
        owners: (m,) index of each text's image; None where text i belongs to image i (then m = n).

    Raises:
        ValueError: the shapes do not fit.
    """
    owners = np.arange(len(texts)) if owners is None else owners
    if images.ndim != 2 or texts.ndim != 2 or images.shape[1] != texts.shape[1] or len(owners) != len(texts):
        raise ValueError(
            f"images {images.shape}, texts {texts.shape}, owners {owners.shape} do not fit together"
        )
    x, y, numbers = unit_rows(images), unit_rows(texts), np.arange(len(images))
    of_pairs = np.einsum("md,md->", x[owners], y, dtype=np.float64)
    of_all = x.sum(axis=0, dtype=np.float64) @ y.sum(axis=0, dtype=np.float64)
    matched = float(of_pairs / len(y))
    return Geometry(
        images=len(x),
        captions=len(y),
        dim=x.shape[1],
        matched=matched,
        mismatched=float((of_all - of_pairs) / (len(x) * len(y) - len(y))),
        gap_norm=float(np.linalg.norm(x.mean(axis=0) - y.mean(axis=0))),
        image_norm=float(np.linalg.norm(images, axis=1).mean()),
        text_norm=float(np.linalg.norm(texts, axis=1).mean()),
        image_to_text=recall(x, y, numbers, owners),
        text_to_image=recall(y, x, owners, numbers),
        calibrated_variance=variance_for_cosine(matched, x.shape[1]) if 0 < matched < 1 else float("nan"),
    )
