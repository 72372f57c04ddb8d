"""The tables of chapter 6, for reading: the grid, scores, diversity and speed, and the contrasts."""

import pandas as pd

from capdec_core.chart_style import POINTS
from capdec_core.decoding import Beam, Decoding, Reranked
from capdec_core.studies.decoding_names import kind, title, way
from capdec_core.studies.decoding_view import DecodingStudy
from capdec_core.tables import DASH, contrast_columns, points, score_columns

NEXT = {
    "greedy": "the likeliest token, always",
    "beam": "the caption of highest mean log-probability, of as many kept at each step as the beam is wide",
    "top-k": "a token drawn from the k likeliest",
    "nucleus": "a token drawn from the fewest that together have the probability p",
    "contrastive": "of the k likeliest tokens, the one that best trades probability against likeness to all before it",
    "re-ranked samples": "of the samples, the one nearest to the image in the joint space",
    "re-ranked beam": "of all that the beam ends with, the one nearest to the image in the joint space",
}
"""What each way of decoding writes."""


def grid(study: DecodingStudy) -> pd.DataFrame:
    """Return one row a kind of decoding: settings, what it writes, captions an image, looks at the image."""
    kinds: dict[str, list[Decoding]] = {}
    for condition in next(iter(study.ways.values())):
        kinds.setdefault(kind(way(condition)), []).append(way(condition))
    return pd.DataFrame(
        {
            "Way of decoding": title(found[0]) if len(found) == 1 else "Beam",
            "Settings": _settings(found),
            "It writes": NEXT[label],
            "Captions an image": getattr(found[0], "n", 1),
            "Looks at the image": "twice" if found[0].looks_twice else "once",
        }
        for label, found in kinds.items()
    )


def _settings(found: list[Decoding]) -> str:
    """Return what stands behind the method in its label; of several beams, their widths; a dash for nothing."""
    if isinstance(found[0], Reranked):
        return found[0].label.partition(", ")[2]
    if isinstance(found[0], Beam):
        return "width " + ", ".join(str(beam.beams) for beam in found if isinstance(beam, Beam))
    return found[0].label.partition(", ")[2] or DASH


def scores(study: DecodingStudy) -> pd.DataFrame:
    """Return each captioner's and way's scores in points; CHAIRi where the images' objects are known."""
    known = ["CHAIRi"] if study.knows_objects else []
    shown = score_columns(study.table, ["CIDEr", "BLEU-4", "MiniLM", *known], {"METEOR": "METEOR"})
    return shown.rename(columns={"Condition": "Way of decoding", "CHAIRi": "CHAIRi ↓"})


def diversity(study: DecodingStudy) -> pd.DataFrame:
    """Return each captioner's and way's diversity: shares in percent, self-BLEU in points."""
    table = study.table
    return pd.DataFrame(
        {
            "Way of decoding": table.label,
            "Distinct-1": [points(value) for value in table["distinct-1"]],
            "Distinct-2": [_range(row, "distinct-2", ".1f", POINTS) for row in table.to_dict("records")],
            "Vocabulary": [f"{value:.0f}" for value in table["vocabulary"]],
            "Identical ↓": [points(value) for value in table["identical"]],
            "Self-BLEU ↓": [DASH if pd.isna(value) else points(value) for value in table["self-BLEU"]],
            "Words": [f"{value:.1f}" for value in table["length"]],
        }
    )


def speed(study: DecodingStudy) -> pd.DataFrame:
    """Return captions a second, one row a way and one column a captioner."""
    columns = {
        captioner: [_range(row, "speed", ".0f") for row in rows.to_dict("records")]
        for captioner, rows in study.table.groupby("captioner", sort=False)
    }
    ways = next(iter(study.ways.values()))
    return pd.DataFrame({"Way of decoding": [title(way(condition)) for condition in ways]} | columns)


def contrasts(study: DecodingStudy) -> pd.DataFrame:
    """Return the contrasts as questions."""
    return contrast_columns(study.contrast_table).drop(columns="First − second")


def _range(row: dict, column: str, form: str, scale: float = 1) -> str:
    middle, low, high = (f"{scale * row[column + end]:{form}}" for end in ("", "_low", "_high"))
    return f"{middle} [{low}, {high}]"
