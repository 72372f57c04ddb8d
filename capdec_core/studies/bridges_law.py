"""The calibration law put to the test: does the best variance on validation images fall where geometry says?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from capdec_core.bridges import Sight
from capdec_core.bridges.material import mean_row
from capdec_core.material import Material
from capdec_core.noise import cosine_for_variance, variance_for_cosine
from capdec_core.noise.base import measured_cosine
from capdec_core.profiles import StatisticsSettings
from capdec_core.statistics import Estimate, bootstrap_interval
from capdec_core.statistics.resampling import means, replicates
from capdec_core.studies.claims import Verdict

LEVEL = 0.95
NEARLY = 0.95
"""A variance is nearly as good as the best one where it has this share of its score."""
WIDEST = 8.0
"""An interval of the best variance whose ends are further apart than this factor confirms no law. Fixed in advance."""


MATCHED = "an image and its caption"
CENTRED = "an image and its caption about their centroids"
CAPTIONS = "two captions of one image"
COSINES = {MATCHED: Sight.TRAINING, CENTRED: Sight.TRAINING, CAPTIONS: Sight.NEVER}
"""Cosines that could tell how much noise to add, each with what it takes to measure; the first is the law's."""


def training_cosines(material: Material) -> dict[str, float]:
    """Return the mean of each of `COSINES` over the training split; without images, that of captions alone."""
    known = material.fitting_material()
    found = {}
    if known.images is not None:
        texts, images = known.pairs("the calibration law")
        found[MATCHED] = _mean_cosine(texts, images)
        found[CENTRED] = _mean_cosine(texts - mean_row(known.texts), images - mean_row(known.images))
    return found | {CAPTIONS: captions_cosine(known.texts, known.need_clusters("the captions' cosine"))}


def _mean_cosine(x: Tensor, y: Tensor) -> float:
    return float(measured_cosine(x, y).double().mean())


def captions_cosine(texts: Tensor, clusters: Tensor) -> float:
    """Return the mean cosine of two captions of one image, every image of several captions weighing the same.

    `texts` are unit rows (m, d), `clusters` (m,) says which image each tells of. nan where no image has two captions.
    """
    _, cluster, sizes = clusters.unique(return_inverse=True, return_counts=True)
    sums = texts.new_zeros(len(sizes), texts.shape[1], dtype=torch.float64)
    sums.index_add_(0, cluster, texts.double())
    several = sizes > 1
    pairs = (sizes * (sizes - 1))[several]
    return float(((sums.square().sum(dim=1) - sizes)[several] / pairs).mean())


@dataclass(frozen=True)
class NoiseCurve:
    """How well captioners read validation images, by the variance of their Gaussian noise: one encoder's row.

    Attributes:
        encoder: its name.
        dim: the joint embedding's dimension d.
        cosines: of the training split, some of `COSINES` by name.
        variances: per coordinate, rising, all above 0.
        scores: CIDEr of validation captions (seeds, images), one array a variance, on the same images.
        reduced: whether heads reduce the encoder's embedding to this dimension.
    """

    encoder: str
    dim: int
    cosines: Mapping[str, float]
    variances: tuple[float, ...]
    scores: tuple[np.ndarray, ...]
    reduced: bool = False

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in pairwise((0.0, *self.variances)))
        if len(self.variances) < 2 or not rising or len(self.variances) != len(self.scores):
            raise ValueError(f"a curve needs rising variances above 0 with scores each, not {self.variances}")

    @property
    def means(self) -> list[float]:
        """Mean CIDEr at each variance."""
        return [float(scores.mean()) for scores in self.scores]

    def variance_for(self, name: str) -> float:
        """Return the variance whose noise leaves one of `COSINES`; nan where it is unknown or no variance does."""
        cosine = self.cosines.get(name, math.nan)
        return variance_for_cosine(cosine, self.dim) if 0 < cosine < 1 else math.nan

    @property
    def predicted(self) -> float:
        """The law's variance v* = (1/c^2 - 1)/d, c of matched pairs; nan where it has no solution."""
        return self.variance_for(MATCHED)


@dataclass(frozen=True)
class LawTest:
    """What a curve says of the law.

    Attributes:
        curve: the curve.
        best: the variance with the highest score.
        low, high: interval of the best variance, half a step of the grid wider on either side than what the resamples
            choose, since the grid cannot tell more.
        at_edge: whether the smallest, and whether the largest variance of the grid lies in that interval.
        spread: standard deviation of log2 of the best variance over the resamples.
        nearly: least and largest variance that are nearly as good as the best (`NEARLY`).
        estimates: CIDEr of validation captions at each variance, with its interval.
    """

    curve: NoiseCurve
    best: float
    low: float
    high: float
    at_edge: tuple[bool, bool]
    spread: float
    nearly: tuple[float, float]
    estimates: tuple[Estimate, ...]

    @property
    def cosine(self) -> float:
        """The cosine that noise of the best variance leaves, in closed form."""
        return cosine_for_variance(self.best, self.curve.dim)

    @property
    def closest(self) -> str:
        """The one of `COSINES` whose variance is nearest to the best one, as a ratio; ValueError where none has any."""
        known = {name: v for name in self.curve.cosines if math.isfinite(v := self.curve.variance_for(name))}
        if not known:
            raise ValueError("no cosine predicts a variance here")
        return min(known, key=lambda name: abs(math.log(known[name] / self.best)))

    @property
    def nearest(self) -> float:
        """The variance of the grid that is nearest to the law's, as a ratio; ValueError where it has no solution."""
        if math.isnan(self.curve.predicted):
            raise ValueError("the law has no solution here")
        return min(self.curve.variances, key=lambda v: abs(math.log(v / self.curve.predicted)))

    @property
    def verdict(self) -> Verdict:
        """Not supported where v* lies outside the interval of the best variance (and the grid reaches as far),
        supported where it lies in an interval that the grid brackets and that is narrow enough, else undecided."""
        predicted, (below, above) = self.curve.predicted, self.at_edge
        if math.isnan(predicted):
            return "undecided"
        if (predicted < self.low and not below) or (predicted > self.high and not above):
            return "not supported"
        if below or above or self.high / self.low > WIDEST:
            return "undecided"
        return "supported"


def law_test(curve: NoiseCurve, statistics: StatisticsSettings) -> LawTest:
    """Find the best variance, and its interval over validation images and training seeds.

    Each resample draws images, the same for all variances, and seeds, and chooses the variance with the highest mean.
    """
    systems = [means(scores) for scores in curve.scores]
    resamples, seed = statistics.resamples, statistics.seed
    _, drawn = replicates(systems, curve.scores[0].shape[1], resamples, np.random.default_rng(seed))
    grid, best = np.array(curve.variances), drawn == drawn.max(axis=1, keepdims=True)
    least, most = (
        grid[best.argmax(axis=1)],
        grid[::-1][best[:, ::-1].argmax(axis=1)],
    )  # they differ in ties alone
    low = np.quantile(least, (1 - LEVEL) / 2, method="inverted_cdf")
    high = np.quantile(most, (1 + LEVEL) / 2, method="inverted_cdf")
    edges = _edges(curve.variances)
    places = [curve.variances.index(float(end)) for end in (low, high)]
    good = [
        v for v, mean in zip(curve.variances, curve.means, strict=True) if mean >= NEARLY * max(curve.means)
    ]
    return LawTest(
        curve=curve,
        best=curve.variances[int(np.argmax(curve.means))],
        low=edges[places[0]],
        high=edges[places[1] + 1],
        at_edge=(places[0] == 0, places[1] == len(curve.variances) - 1),
        spread=float(np.log2(least * most).std() / 2),
        nearly=(min(good), max(good)),
        estimates=tuple(
            bootstrap_interval(scores, resamples=resamples, generator=np.random.default_rng(seed))
            for scores in curve.scores
        ),
    )


def _edges(variances: Sequence[float]) -> list[float]:
    """Return the bounds between neighbours, their geometric means, and one as far beyond either end."""
    inner = [math.sqrt(a * b) for a, b in pairwise(variances)]
    return [variances[0] ** 2 / inner[0], *inner, variances[-1] ** 2 / inner[-1]]
