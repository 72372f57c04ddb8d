"""Chapter 7's tables, for reading: the ways, published settings, the two rankings, costs, the law and the tests."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from capdec_core.bridges import PRESETS, Preset, Sight
from capdec_core.studies.bridges_grid import WAYS, preset_title, sight
from capdec_core.studies.bridges_law import COSINES, MATCHED, LawTest
from capdec_core.studies.bridges_tests import NOISE_ENOUGH, SHIFT_ENOUGH
from capdec_core.studies.bridges_view import Bridges
from capdec_core.studies.conditions import Condition
from capdec_core.studies.view import evidence_table
from capdec_core.tables import DASH, significant, with_interval

MIB = 2**20
OUT_OF_REACH = "Takes training images, of which there are none here"


def ways(study: Bridges) -> tuple[pd.DataFrame, list[str]]:
    """Return one row a way: whose it is, what it does, what it looks at; and the heading of each row."""
    rows = [
        {
            "Way": way.title,
            "From": way.source,
            "What happens to embeddings": way.does,
            "Looks at training images": str(sight(study.choice.ways[family])),
        }
        for family, way in WAYS.items()
        if family in study.choice.ways
    ]
    return pd.DataFrame(rows), [WAYS[family].group for family in study.choice.ways]


def presets(study: Bridges) -> pd.DataFrame:
    """Return one row a published setting: its own units, the book's currency there and here, and its score here."""
    trained = {c.across: c for c in reversed(list(study.results.cells)) if c.train_on == "text"}
    rows = [
        _preset(name, preset) | _here(study, trained.get(preset.bridge)) for name, preset in PRESETS.items()
    ]
    return pd.DataFrame(rows)


def _preset(name: str, preset: Preset) -> dict[str, str]:
    told = preset.currency() if preset.bridge.unit_first else None
    there = dict.fromkeys(("variance", "std", "expected_cosine")) if told is None else told
    return {
        "Preset": preset_title(name),
        "Source": preset.source,
        "As published": preset.published,
        "For": f"{preset.encoder}, d = {preset.dim}",
        "Variance there": significant(there["variance"]),
        "Std. dev. there": significant(there["std"]),
        "Cosine there": significant(there["expected_cosine"]),
    }


def _here(study: Bridges, condition: Condition | None) -> dict[str, str]:
    if condition is None:
        return dict.fromkeys(("Variance here", "Cosine here", "CIDEr here"), DASH)
    noise, score = study.results.noise(condition), study.results.interval(condition, "CIDEr")
    return {
        "Variance here": significant(noise["variance"]),
        "Cosine here": significant(noise["cosine"]),
        "CIDEr here": with_interval(score.value, score.low, score.high),
    }


def text_only(study: Bridges) -> pd.DataFrame:
    """Return the ranking of ways that never look at an image, best first."""
    return _ranking(study.seeing(Sight.NEVER))


def with_images(study: Bridges) -> tuple[pd.DataFrame, list[str]]:
    """Return the ranking of the others, those that look at inference first, and the heading of each row.

    Ways that take training images where there are none follow without a place.
    """
    parts = [study.seeing(Sight.INFERENCE), study.seeing(Sight.TRAINING)]
    seen = pd.concat(parts, ignore_index=True)
    table = _ranking(seen)
    rows = table.to_dict("records")
    rows += [dict.fromkeys(table, DASH) | {"Way": WAYS[family].title} for family in study.out_of_reach]
    groups = [f"Looks at images {where}" for where in seen.sight] + [OUT_OF_REACH] * len(study.out_of_reach)
    return pd.DataFrame(rows), groups


def _ranking(table: pd.DataFrame) -> pd.DataFrame:
    triples = zip(table["CIDEr"], table["CIDEr_low"], table["CIDEr_high"], strict=True)
    gains = zip(table["gain"], table["gain_low"], table["gain_high"], strict=True)
    return pd.DataFrame(
        {
            "Place": table["number"],
            "Way": table["title"],
            "Setting chosen on validation images": table["label"],
            "CIDEr": [with_interval(*triple) for triple in triples],
            "Minus Gaussian noise": [
                DASH if math.isnan(gain[0]) else with_interval(*gain, signed=True) for gain in gains
            ],
            "Seeds": table["seeds"],
        }
    )


def costs(study: Bridges) -> pd.DataFrame:
    """Return one row a way: what it costs, beside its score."""
    table = study.ranking
    triples = zip(table["CIDEr"], table["CIDEr_low"], table["CIDEr_high"], strict=True)
    return pd.DataFrame(
        {
            "Place": table["number"],
            "Way": table["title"],
            "CIDEr": [with_interval(*triple) for triple in triples],
            "Training, s": [f"{value:.1f}" for value in table["training"]],
            "Captions a second": [f"{value:.0f}" for value in table["speed"]],
            "Bridge, MiB": [significant(value / MIB) for value in table["memory"]],
            "Trainable parameters": [f"{value:,}" for value in table["trainable"]],
            "Peak memory, MiB": [f"{value / MIB:.0f}" for value in table["peak"]],
        }
    )


def law(study: Bridges) -> pd.DataFrame:
    """Return one row a noise curve: what the law predicts, what validation images choose, how sharp it is."""
    return pd.DataFrame([_law(test) for test in study.laws])


def _law(test: LawTest) -> dict[str, object]:
    curve = test.curve
    return {
        "Encoder": curve.encoder,
        "d": curve.dim,
        "Matched cosine": significant(curve.cosines.get(MATCHED)),
        "v*": significant(curve.predicted),
        "Best variance": significant(test.best),
        "Interval": f"{test.low:.3g} to {test.high:.3g}",
        "Cosine at the best": significant(test.cosine),
        "Nearly as good": f"{test.nearly[0]:.3g} to {test.nearly[1]:.3g}",
        "Verdict": test.verdict,
    }


def predictors(study: Bridges) -> tuple[pd.DataFrame, list[str]]:
    """Return one row a curve and cosine: the variance that it asks for, and how far from it the best one is."""
    tests = [(test, name) for test in study.laws for name in COSINES if name in test.curve.cosines]
    rows = [_predictor(test, name) for test, name in tests]
    return pd.DataFrame(rows), [f"{test.curve.encoder}, d = {test.curve.dim}" for test, _ in tests]


def _predictor(test: LawTest, name: str) -> dict[str, object]:
    asked = test.curve.variance_for(name)
    solved = math.isfinite(asked)
    return {
        "Cosine of": name,
        "Looks at training images": str(COSINES[name]),
        "Cosine": significant(test.curve.cosines[name]),
        "Variance asked for": significant(asked),
        "Doublings to the best": f"{math.log2(test.best / asked):+.1f}".replace("-", "−") if solved else DASH,
        "In the interval of the best": ("yes" if test.low <= asked <= test.high else "no")
        if solved
        else DASH,
    }


def beside(study: Bridges) -> pd.DataFrame:
    """Return one row a way: CIDEr here and in domain, each at its chosen setting, and the difference."""
    return pd.DataFrame(
        {
            "Way": row["title"],
            "Setting here": row["label"] or DASH,
            "CIDEr here": _told(row, "here"),
            "Setting in domain": row["label there"] or DASH,
            "CIDEr in domain": _told(row, "there"),
            "Here minus in domain": _told(row, "difference", signed=True),
        }
        for row in study.beside.to_dict("records")
    )


def _told(row: Mapping[Hashable, Any], name: str, *, signed: bool = False) -> str:
    if math.isnan(row[name]):
        return DASH
    return with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"], signed=signed)


def tests(study: Bridges) -> pd.DataFrame:
    """Return every test of the corrected family for reading, with the condition that is judged."""
    table = evidence_table(study.tests).drop(columns=["Cells", "of"])
    judged = {c.question: c.a.label for c in study.contrasts}
    judged |= {NOISE_ENOUGH: study.gaussian.label}
    if study.choice.shift is not None:
        judged |= {SHIFT_ENOUGH: study.choice.shift.label}
    table.insert(1, "Judged", [judged[test.question] for test in study.tests])
    return table
