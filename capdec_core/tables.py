"""Tables for reading: values as text with their units and intervals, and their HTML, which is escaped."""

import re
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from capdec_core.chart_style import POINTS

DASH = "–"
INTERVAL = re.compile(r"^(\S+) (\[[^\]]*\])$")
CURRENCY = {"variance": "Variance", "std": "Std. dev.", "noise_norm": "Noise norm", "cosine": "Mean cosine"}


class Markup(str):
    """Text that is HTML already and is not escaped."""


def noise_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return each condition's noise in the common currency: variance and deviation per coordinate, norm, cosine.

    Columns needed: label, variance, std, noise_norm, cosine, seeds. A dash where a quantity does not apply.
    """
    shown = pd.DataFrame({"Condition": table["label"]})
    for column, title in CURRENCY.items():
        shown[title] = [significant(value) for value in table[column]]
    return shown.assign(Seeds=table["seeds"])


def score_columns(
    table: pd.DataFrame, metrics: Sequence[str], plain: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return each condition's scores in points: `metrics` with their intervals, `plain` ones without.

    Columns needed: label, three for each metric, one for each key of `plain` (whose values are the titles); those of
    which nothing is known, as CHAIR where no one knows an image's objects, are left out.
    """
    shown = pd.DataFrame({"Condition": table["label"]})
    for metric in metrics:
        triples = zip(table[metric], table[f"{metric}_low"], table[f"{metric}_high"], strict=True)
        shown[metric] = [with_interval(*triple) for triple in triples]
    for column, title in (plain or {}).items():
        if table[column].isna().all():
            continue
        shown[title] = [DASH if pd.isna(value) else points(value) for value in table[column]]
    return shown


def contrast_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return contrasts for reading, from `capdec_core.studies.claims.contrast_table`."""
    triples = zip(table["difference"], table["low"], table["high"], strict=True)
    return pd.DataFrame(
        {
            "Question": table["question"],
            "First − second": table["label"],
            "Difference": [with_interval(*triple, signed=True) for triple in triples],
            "p (Holm)": [p_text(p) for p in table["p (Holm)"]],
        }
    )


def significant(value: float | None, digits: int = 3) -> str:
    """Return a number with three significant digits, plain where it is not tiny; a dash for none."""
    if value is None or pd.isna(value):
        return DASH
    return f"{value:.{digits}g}".replace("-", "−")


def points(value: float, *, signed: bool = False) -> str:
    """Return a metric's value in points, one decimal; what rounds to 0 has no sign."""
    text = f"{POINTS * value:z.1f}"
    plus = "+" if signed and value > 0 and text != "0.0" else ""
    return plus + text.replace("-", "−")


def with_interval(value: float, low: float, high: float, *, signed: bool = False) -> str:
    """Return a metric's value and interval in points: "71.2 [69.0, 73.4]"."""
    middle, bottom, top = (points(number, signed=signed) for number in (value, low, high))
    return f"{middle} [{bottom}, {top}]"


def p_text(p: float) -> str:
    """Return a p-value for reading: three decimals, or a bound."""
    return f"{p:.3f}" if p >= 0.001 else "<0.001"


def p_phrase(p: float) -> str:
    """Return a p-value for prose: "p = 0.005" or "p < 0.001", with spaces that do not break."""
    told = p_text(p)
    return f"p\u00a0<\u00a0{told[1:]}" if told.startswith("<") else f"p\u00a0=\u00a0{told}"


def html_table(
    table: pd.DataFrame, groups: Sequence[str] | None = None, ids: Sequence[str] | None = None
) -> str:
    """Return the table as HTML; cells and titles are escaped unless they are `Markup`.

    Args:
        table: cells are shown by `str`; a missing one is a dash; "value [interval]" is set as two parts.
        groups: one name a row; where it changes, a heading row is put before.
        ids: one HTML id a row, for links to it.
    """
    words = [_holds_words(table[column]) for column in table]
    head = "".join(_cell("th", title, word) for title, word in zip(table.columns, words, strict=True))
    lines = []
    for number, row in enumerate(table.itertuples(index=False)):
        if groups is not None and (number == 0 or groups[number] != groups[number - 1]):
            title = f'<th colspan="{len(words)}" scope="rowgroup">{escape(groups[number])}</th>'
            lines.append(f'<tr class="group">{title}</tr>')
        anchor = "" if ids is None else f' id="{escape(ids[number])}"'
        cells = "".join(_cell("td", value, word) for value, word in zip(row, words, strict=True))
        lines.append(f"<tr{anchor}>{cells}</tr>")
    return f'<table class="table"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


def _cell(tag: str, value: object, words: bool) -> str:
    kind = ' class="words" style="text-align:left"' if words else ""
    return f"<{tag}{kind}>{_inside(value)}</{tag}>"


def _inside(value: object) -> str:
    if isinstance(value, Markup):
        return value
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return DASH
    text = escape(str(value))
    return INTERVAL.sub(r'\1 <span class="interval">\2</span>', text)


def _holds_words(column: pd.Series) -> bool:
    return any(isinstance(value, Markup) or re.search("[A-Za-z]{3}", str(value)) for value in column)
