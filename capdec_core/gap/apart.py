"""Everything that is measured of a gap: its geometry with intervals, its parts by dimension, what a shift explains."""

from dataclasses import dataclass

import numpy as np

from capdec_core.embeddings import unit_rows
from capdec_core.gap.cluster_radii import Clusters, clusters
from capdec_core.gap.core import Geometry, geometry
from capdec_core.gap.intervals import PairSums, cosine_intervals
from capdec_core.gap.residuals import dimension_shares, dimensions_for, residual
from capdec_core.gap.spread import alignment, participation_ratio, uniformity
from capdec_core.profiles import StatisticsSettings


@dataclass(frozen=True)
class Anatomy:
    """A gap taken apart.

    Attributes:
        geometry: the gap in a few numbers.
        matched_interval, mismatched_interval: 95% bootstrap intervals over images (low, high).
        alignment: mean squared distance of matched rows.
        image_uniformity, text_uniformity: of Wang and Isola 2020, each modality by itself.
        gap_shares: (d,) each dimension's share of the squared gap between the centroids, the largest first.
        residual_spectrum: (d,) eigenvalues of the covariance of image minus text, the largest first; variances.
        shift_share: share of the mean squared difference of matched rows that one constant shift explains.
        shifted_matched: the matched cosine after that shift of the texts.
        clusters: the spread of the captions of one image; None where no image has two.
    """

    geometry: Geometry
    matched_interval: tuple[float, float]
    mismatched_interval: tuple[float, float]
    alignment: float
    image_uniformity: float
    text_uniformity: float
    gap_shares: np.ndarray
    residual_spectrum: np.ndarray
    shift_share: float
    shifted_matched: float
    clusters: Clusters | None

    @property
    def gap_participation(self) -> float:
        """How many dimensions carry the squared gap: the participation ratio of their shares."""
        return participation_ratio(self.gap_shares)

    @property
    def residual_participation(self) -> float:
        """How many dimensions carry the residual: the participation ratio of its spectrum."""
        return participation_ratio(self.residual_spectrum)

    def dimensions_for(self, share: float) -> int:
        """Return the least number of dimensions that together have this share (0 to 1) of the squared gap."""
        return dimensions_for(self.gap_shares, share)


def anatomy(
    images: np.ndarray,
    texts: np.ndarray,
    owners: np.ndarray | None = None,
    *,
    statistics: StatisticsSettings,
) -> Anatomy:
    """Take apart the gap of paired embeddings; arguments and errors are those of `geometry`.

    `statistics` says how many bootstrap resamples are drawn, and from which seed.
    """
    owners = np.arange(len(texts)) if owners is None else owners
    found = geometry(images, texts, owners)
    x, y = unit_rows(images), unit_rows(texts)
    generator = np.random.default_rng(statistics.seed)
    sums = PairSums.of(x, y, owners)
    matched, mismatched = cosine_intervals(sums, resamples=statistics.resamples, generator=generator)
    between = residual(x, y, owners)
    return Anatomy(
        geometry=found,
        matched_interval=matched,
        mismatched_interval=mismatched,
        alignment=alignment(found.matched),
        image_uniformity=uniformity(x),
        text_uniformity=uniformity(y),
        gap_shares=dimension_shares(x.mean(axis=0) - y.mean(axis=0)),
        residual_spectrum=between.spectrum,
        shift_share=between.shift_share,
        shifted_matched=between.shifted_matched,
        clusters=clusters(y, owners),
    )
