"""Bootstrap intervals of the matched and the mismatched cosine: other images, with their captions, of the same kind."""

from dataclasses import dataclass

import numpy as np

from capdec_core.statistics.resampling import blocks, image_counts

LEVEL = 0.95


@dataclass(frozen=True)
class PairSums:
    """What both cosines are made of, one row an image: `images` and the sums of its `texts` (n, d), and how many.

    All are sums over unit rows, so that a bootstrap over images needs no pair of rows again.
    """

    images: np.ndarray
    texts: np.ndarray
    captions: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, owners: np.ndarray) -> "PairSums":
        """Return the sums of unit images (n, d) and unit texts (m, d) that belong to images `owners` (m,)."""
        sums = np.zeros(x.shape)
        np.add.at(sums, owners, y)
        return cls(x.astype(np.float64), sums, np.bincount(owners, minlength=len(x)).astype(np.float64))

    def cosines(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the matched and the mismatched cosine where image i is drawn counts[:, i] times, (resamples,) each.

        An image is never mismatched with its own captions, nor with those of its copies; nan where nothing is left.
        """
        own = np.einsum("nd,nd->n", self.images, self.texts)
        of_copies, captions_of_copies = counts**2 @ own, counts**2 @ self.captions
        of_all = np.einsum("rd,rd->r", counts @ self.images, counts @ self.texts)
        drawn = counts @ self.captions
        others = counts.sum(axis=1) * drawn - captions_of_copies
        with np.errstate(invalid="ignore", divide="ignore"):
            mismatched = np.where(others > 0, (of_all - of_copies) / others, np.nan)
            return np.where(drawn > 0, counts @ own / drawn, np.nan), mismatched


def cosine_intervals(
    sums: PairSums, *, resamples: int, generator: np.random.Generator
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the 95% percentile intervals (low, high) of the matched and of the mismatched cosine.

    The question they answer: between which bounds would the means lie on other images of the same kind, each drawn
    with all its captions? nan where no resample has a pair of the sort.
    """
    images = len(sums.images)
    drawn = [sums.cosines(image_counts(size, images, generator)) for size in blocks(resamples, images)]
    matched, mismatched = (np.concatenate(part) for part in zip(*drawn, strict=True))
    return _percentiles(matched), _percentiles(mismatched)


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return low, high
