"""Geometry of the modality gap between paired image and text embeddings.

Terms of Liang et al. 2022 ("Mind the Gap"): the gap vector is the difference of the two modalities' centroids, after
every embedding was put on the unit sphere.
"""

import json
import math
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from capdec_core.device import check_device
from capdec_core.embeddings import bank, unit_rows
from capdec_core.encoders import load_encoder
from capdec_core.errors import CapdecError
from capdec_core.material import corpus_of
from capdec_core.noise import variance_for_cosine
from capdec_core.paths import BANKS
from capdec_core.profiles import load_profile

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


def of_file(path: Path) -> Geometry:
    """Measure the pairs in a .npy array (2, n, d), images first; CapdecError if it is something else."""
    try:
        pairs = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise CapdecError(f"no such file: {path}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CapdecError(f"{path} is not a .npy array: {error}") from None
    if not isinstance(pairs, np.ndarray) or pairs.ndim != 3 or len(pairs) != 2 or pairs.dtype.kind != "f":
        raise CapdecError(f"{path} must hold a float array (2, n, d), images and texts in pairs")
    if pairs.shape[1] < 2 or not np.isfinite(pairs).all() or not np.linalg.norm(pairs, axis=2).all():
        raise CapdecError(f"{path} needs at least two pairs of finite, non-zero embeddings")
    return geometry(pairs[0], pairs[1])


def of_profile(name: str, device: str) -> Geometry:
    """Measure a profile's encoder on its test split, every caption with its image."""
    profile = load_profile(name)
    check_device(device)
    corpus = corpus_of(profile)
    encoder = load_encoder(profile.encoder.model, profile.encoder.pretrained, device)
    images, texts = (np.asarray(bank(BANKS, corpus, encoder, "test", kind)) for kind in ("image", "text"))
    owners = np.repeat(np.arange(len(images)), [len(group) for group in corpus.split("test").captions])
    return geometry(images, texts, owners)


def as_json(found: Geometry) -> str:
    """Return the geometry as a JSON object; a variance that does not exist is null."""
    table = asdict(found)
    if math.isnan(found.calibrated_variance):
        table["calibrated_variance"] = None
    return json.dumps(table, indent=1, allow_nan=False)


def as_table(found: Geometry) -> str:
    """Return the geometry as lines of name and value."""
    lines = {
        "pairs": f"{found.images} images, {found.captions} captions, d = {found.dim}",
        "matched cosine": f"{found.matched:.3f}",
        "mismatched cosine": f"{found.mismatched:.3f}",
        "gap norm": f"{found.gap_norm:.3f}",
        "raw norms": f"image {found.image_norm:.2f}, text {found.text_norm:.2f}",
        "image to text": ", ".join(f"R@{k} {share:.1%}" for k, share in found.image_to_text.items()),
        "text to image": ", ".join(f"R@{k} {share:.1%}" for k, share in found.text_to_image.items()),
        "calibrated variance": f"{found.calibrated_variance:.4f}",
    }
    return "\n".join(f"{name:<20}{value}" for name, value in lines.items())
