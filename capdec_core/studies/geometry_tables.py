"""Chapter 1's tables for reading."""

import numpy as np
import pandas as pd

from capdec_core.gap import Anatomy, dimension_shares, dimensions_for
from capdec_core.studies.geometry_view import RANDOM, GeometryStudy
from capdec_core.tables import DASH, significant

CENTRES = "CLIP RN50x4, CapDec's centres"


def distances(study: GeometryStudy) -> pd.DataFrame:
    """Return one row a source: how many pairs, cosines with their intervals, gap norm, retrieval, v*."""
    return pd.DataFrame([{"Pairs of": name} | _distances(found) for name, found in study.anatomies.items()])


def _distances(found: Anatomy) -> dict[str, object]:
    g = found.geometry
    return {
        "Pairs": g.captions,
        "Matched cosine": _with_interval(g.matched, found.matched_interval),
        "Mismatched cosine": _with_interval(g.mismatched, found.mismatched_interval),
        "Gap norm": f"{g.gap_norm:.3f}",
        "R@1 to text": f"{g.image_to_text[1]:.1%}",
        "R@1 to image": f"{g.text_to_image[1]:.1%}",
        "v*": DASH if np.isnan(g.calibrated_variance) else significant(g.calibrated_variance),
    }


def parts(study: GeometryStudy) -> pd.DataFrame:
    """Return one row a source: how the gap is made up, and what a constant shift explains."""
    rows = [{"Pairs of": name} | _parts(found) for name, found in study.anatomies.items()]
    if study.centres is not None:
        rows.insert(len(study.trained), _of_centres(study.centres))
    return pd.DataFrame(rows).fillna(DASH)


def _of_centres(gap: np.ndarray) -> dict[str, object]:
    shares = dimension_shares(gap)
    return {
        "Pairs of": CENTRES,
        "Gap norm": f"{np.linalg.norm(gap):.3f}",
        "Largest dimension": f"{shares[0]:.1%}",
        "Half of it in": _half(dimensions_for(shares, 0.5), len(shares)),
    }


def _parts(found: Anatomy) -> dict[str, object]:
    dim = found.geometry.dim
    return {
        "Gap norm": f"{found.geometry.gap_norm:.3f}",
        "Largest dimension": f"{found.gap_shares[0]:.1%}",
        "Half of it in": _half(found.dimensions_for(0.5), dim),
        "A shift explains": f"{found.shift_share:.1%}",
        "Cosine after it": f"{found.shifted_matched:.3f}",
        "Residual in": f"{found.residual_participation:.1f}",
    }


def spread(study: GeometryStudy) -> pd.DataFrame:
    """Return one row a source: alignment, and the uniformity of either modality."""
    rows = [
        {
            "Pairs of": name,
            "Alignment": f"{found.alignment:.3f}",
            "Uniformity of images": f"{found.image_uniformity:z.2f}".replace("-", "−"),
            "Uniformity of captions": f"{found.text_uniformity:z.2f}".replace("-", "−"),
        }
        for name, found in study.anatomies.items()
    ]
    return pd.DataFrame(rows)


def grouped(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return a table of sources by the networks' names alone, and the heading of each row."""
    random = table["Pairs of"].isin(list(RANDOM))
    names = table["Pairs of"].str.replace(", random weights", "", regex=False)
    return table.assign(**{"Pairs of": names}), [
        "Before any training" if r else "Trained networks" for r in random
    ]


def heads(study: GeometryStudy) -> pd.DataFrame:
    """Return one row a training of heads."""
    table = study.heads_table
    three = {"before": "Gap before", "gap": "Gap after", "matched": "Matched cosine",
             "mismatched": "Mismatched cosine", "loss": "Last loss"}  # fmt: skip
    shown = pd.DataFrame(
        {"Heads": table["kind"], "Scale": table["scale"].map("{:g}".format), "Seed": table["seed"]}
    )
    for column, title in three.items():
        shown[title] = [f"{value:z.3f}".replace("-", "−") for value in table[column]]
    return shown.assign(**{"Image to text R@1": table["recall"].map("{:.1%}".format)})


def anchors(study: GeometryStudy) -> list[str]:
    """Return the HTML id of each row of `heads`, to which evidence links."""
    return [f"cell-{id}" for id in study.heads_table["id"]]


def _half(dimensions: int, dim: int) -> str:
    return f"{dimensions} of {dim}"


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    if np.isnan(low):
        return f"{value:.3f}".replace("-", "−")
    return f"{value:.3f} [{low:.3f}, {high:.3f}]".replace("-", "−")
