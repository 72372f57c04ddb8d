"""Alignment and uniformity of embeddings on the sphere (Wang and Isola 2020), and how many dimensions count."""

import math

import numpy as np

from capdec_core.gap.blocks import cosine_blocks

TEMPERATURE = 2.0
"""The t of the uniformity's kernel exp(-t |x - y|^2), and the power of the distance in the alignment: the paper's."""


def alignment(matched: float) -> float:
    """Return the mean squared distance of matched unit rows, 2 - 2 times their mean cosine; 0 is the best.

    Wang and Isola 2020, equation 4, with alpha = 2.
    """
    return 2 - 2 * matched


def uniformity(rows: np.ndarray) -> float:
    """Return log E exp(-2 |x - y|^2) over all pairs of different rows; lower is more uniform, 0 is one point.

    Wang and Isola 2020, equation 5, with t = 2. `rows` are unit, (n, d), n at least 2.
    """
    total = 0.0
    for which, cosines in cosine_blocks(rows, rows):
        kernel = np.exp(2 * TEMPERATURE * (cosines - 1))
        itself = kernel[np.arange(len(kernel)), np.arange(which.start, which.stop)]
        total += float(kernel.sum(dtype=np.float64) - itself.sum(dtype=np.float64))
    return math.log(total / (len(rows) * (len(rows) - 1)))


def participation_ratio(parts: np.ndarray) -> float:
    """Return (sum of p)^2 / sum of p^2 of non-negative parts (n,): n where all are equal, 1 where one has all.

    Of a spectrum it is the number of dimensions that carry the variance; nan where all parts are 0.
    """
    parts = np.asarray(parts, dtype=np.float64)
    whole = parts.sum()
    return float(whole**2 / (parts**2).sum()) if whole > 0 else float("nan")
