"""A gap's measures as JSON and as a table for reading."""

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np

from capdec_core.gap.apart import Anatomy
from capdec_core.gap.cluster_radii import Clusters
from capdec_core.gap.core import Geometry
from capdec_core.gap.intervals import LEVEL

TOP = 10


def as_json(found: Geometry | Anatomy) -> str:
    """Return the measures as a JSON object; a number that does not exist is null."""
    if isinstance(found, Geometry):
        return json.dumps(_plain(asdict(found)), indent=1, allow_nan=False)
    table = asdict(found)
    ratios = {name: getattr(found, name) for name in ("gap_participation", "residual_participation")}
    return json.dumps(_plain(table.pop("geometry") | table | ratios), indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    """Return nested values as JSON knows them: arrays as lists, what is not finite as null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in np.asarray(value).tolist()]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_table(found: Geometry | Anatomy) -> str:
    """Return the measures as lines of name and value."""
    lines = _of_geometry(found) if isinstance(found, Geometry) else _of_anatomy(found)
    return "\n".join(f"{name:<20}{value}" for name, value in lines.items())


def _of_geometry(found: Geometry) -> dict[str, str]:
    return {
        "pairs": f"{found.images} images, {found.captions} captions, d = {found.dim}",
        "matched cosine": f"{found.matched:.3f}",
        "mismatched cosine": f"{found.mismatched:.3f}",
        "gap norm": f"{found.gap_norm:.3f}",
        "raw norms": f"image {found.image_norm:.2f}, text {found.text_norm:.2f}",
        "image to text": ", ".join(f"R@{k} {share:.1%}" for k, share in found.image_to_text.items()),
        "text to image": ", ".join(f"R@{k} {share:.1%}" for k, share in found.text_to_image.items()),
        "calibrated variance": f"{found.calibrated_variance:.4f}",
    }


def _of_anatomy(found: Anatomy) -> dict[str, str]:
    lines = _of_geometry(found.geometry)
    for name, interval in (("matched", found.matched_interval), ("mismatched", found.mismatched_interval)):
        lines[f"{name} cosine"] += f" [{interval[0]:.3f}, {interval[1]:.3f}] ({LEVEL:.0%} interval)"
    dim, largest = found.geometry.dim, found.residual_spectrum[0] / found.residual_spectrum.sum()
    first, top = found.gap_shares[0], found.gap_shares[:TOP].sum()
    return lines | {
        "alignment": f"{found.alignment:.3f}",
        "uniformity": f"image {found.image_uniformity:.2f}, text {found.text_uniformity:.2f}",
        "squared gap": f"largest dimension {first:.1%}, {TOP} largest {top:.1%}, "
        f"half in {found.dimensions_for(0.5)} of {dim}",
        "constant shift": f"explains {found.shift_share:.1%} of the squared distance of matched pairs, "
        f"leaves a cosine of {found.shifted_matched:.3f}",
        "residual": f"participation ratio {found.residual_participation:.1f} of {dim}, largest direction {largest:.1%}",
        "caption clusters": _of_clusters(found.clusters),
    }


def _of_clusters(found: Clusters | None) -> str:
    if found is None:
        return "one caption an image"
    return (
        f"radius {found.radius:.3f}, distance of two {found.distance:.3f}, l-infinity {found.largest:.3f} "
        f"(as a std: variance {found.variance:.4f})"
    )
