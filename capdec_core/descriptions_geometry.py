"""Alternative texts of chapter 1's charts, written from what the charts draw."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from capdec_core.gap import Anatomy


def of_projection(points: Mapping[str, np.ndarray]) -> str:
    """Describe `figures_geometry.projection`: how far apart the two clouds are, beside how wide each is."""
    parts = []
    for name, (images, texts) in points.items():
        distance = np.linalg.norm(images.mean(axis=0) - texts.mean(axis=0))
        widths = [np.sqrt(((rows - rows.mean(axis=0)) ** 2).sum(axis=1).mean()) for rows in (images, texts)]
        parts.append(
            f"{name}: centres {distance:.2f} apart, clouds of radius {widths[0]:.2f} and {widths[1]:.2f}"
        )
    return f"Images and captions on two principal components. {'; '.join(parts)}."


def of_parts(anatomies: Mapping[str, Anatomy]) -> str:
    """Describe `figures_geometry.parts`: how many dimensions hold half of the gap and of the residual."""
    told = []
    for name, found in anatomies.items():
        half = 1 + int(np.searchsorted(found.residual_spectrum.cumsum(), found.residual_spectrum.sum() / 2))
        told.append(f"{name}: {found.dimensions_for(0.5)} coordinates and {half} directions")
    return f"Dimensions that hold half of the squared gap, and of the residual's variance. {'; '.join(told)}."


def of_scales(table: pd.DataFrame) -> str:
    """Describe `figures_geometry.scales`: means over seeds at each scale."""
    told = []
    for kind, rows in table.groupby("kind"):
        means = rows.groupby("scale")[["gap", "matched"]].mean()
        values = ", ".join(
            f"{scale:g}: {row.gap:.2f} and {row.matched:.2f}" for scale, row in means.iterrows()
        )
        told.append(
            f"{kind} (gap {rows.before.mean():.2f} before training), gap and matched cosine by scale: {values}"
        )
    return f"{'; '.join(told)}."
