"""Geometry of the modality gap between paired image and text embeddings.

Terms of Liang et al. 2022 ("Mind the Gap"): the gap vector is the difference of the two modalities' centroids, after
every embedding was put on the unit sphere.
"""

from dataclasses import dataclass

import numpy as np

from capdec_core.embeddings import unit_rows
from capdec_core.noise import variance_for_cosine

RANKS = (1, 5, 10)


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
        calibrated_variance: per-coordinate variance v* = (1/c^2 - 1)/d of Gaussian noise whose cosine equals `matched`.
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
        raise ValueError(f"images {images.shape}, texts {texts.shape}, owners {owners.shape} do not fit together")
    x, y = unit_rows(images), unit_rows(texts)
    cosines = x @ y.T
    own = np.arange(len(x))[:, None] == owners[None, :]
    matched = float(cosines[own].mean())
    return Geometry(
        images=len(x),
        captions=len(y),
        dim=x.shape[1],
        matched=matched,
        mismatched=float(cosines[~own].mean()),
        gap_norm=float(np.linalg.norm(x.mean(axis=0) - y.mean(axis=0))),
        image_norm=float(np.linalg.norm(images, axis=1).mean()),
        text_norm=float(np.linalg.norm(texts, axis=1).mean()),
        image_to_text=recall(cosines, own),
        text_to_image=recall(cosines.T, own.T),
        calibrated_variance=variance_for_cosine(matched, x.shape[1]) if 0 < matched < 1 else float("nan"),
    )


def recall(similarity: np.ndarray, own: np.ndarray) -> dict[int, float]:
    """Return {k: share of queries with an own item among the k most similar} for k in RANKS.

    Args:
        similarity: (queries, items).
        own: bool (queries, items), at least one True a row. Ties count against the query.
    """
    best = np.where(own, similarity, -np.inf).max(axis=1, keepdims=True)
    better = ((similarity >= best) & ~own).sum(axis=1)
    return {k: float((better < k).mean()) for k in RANKS}
