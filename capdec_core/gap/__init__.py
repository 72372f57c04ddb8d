"""Geometry of the modality gap between paired image and text embeddings.

Terms of Liang et al. 2022 ("Mind the Gap"): the gap vector is the difference of the two modalities' centroids, after
every embedding was put on the unit sphere.
"""

from capdec_core.gap.apart import Anatomy, anatomy
from capdec_core.gap.cluster_radii import Clusters, clusters
from capdec_core.gap.core import Geometry, geometry
from capdec_core.gap.encoder import anatomy_of_profile, embedded_pairs, of_profile
from capdec_core.gap.files import anatomy_of_files, of_file, read_centres, read_pairs
from capdec_core.gap.residuals import Residual, dimension_shares, dimensions_for, residual
from capdec_core.gap.retrieval import RANKS, recall
from capdec_core.gap.spread import alignment, participation_ratio, uniformity
from capdec_core.gap.tell import as_json, as_table

__all__ = [
    "RANKS",
    "Anatomy",
    "Clusters",
    "Geometry",
    "Residual",
    "alignment",
    "anatomy",
    "anatomy_of_files",
    "anatomy_of_profile",
    "as_json",
    "as_table",
    "clusters",
    "dimension_shares",
    "dimensions_for",
    "embedded_pairs",
    "geometry",
    "of_file",
    "of_profile",
    "participation_ratio",
    "read_centres",
    "read_pairs",
    "recall",
    "residual",
    "uniformity",
]
