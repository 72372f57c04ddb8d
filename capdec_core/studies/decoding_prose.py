"""Sentences of chapter 6 whose numbers and wording follow from the results; all return Markdown.

Differences are in points of CIDEr with their 95% interval. Where a sentence says that something is better or
worse, the contrast's sign says so; what stands outside the corrected family of contrasts is called exploratory.
"""

import pandas as pd

from capdec_core.chart_style import POINTS
from capdec_core.decoding import Beam, Reranked
from capdec_core.decoding.decode import GROWING
from capdec_core.studies.claims import Contrast, EquivalenceTest
from capdec_core.studies.decoding_claims import WIDTH_MARGIN
from capdec_core.studies.decoding_names import name, title, way
from capdec_core.studies.decoding_view import DecodingStudy
from capdec_core.studies.phrases import capital, in_points, listed, tested
from capdec_core.tables import p_phrase, with_interval
from capdec_core.worker import ENOUGH_SECONDS, TIMED_RUNS

SIGNS = {1: "better", -1: "worse", 0: "not separated from it"}


def in_short(study: DecodingStudy) -> str:
    """Return the chapter's answer: the highest score at one look and at two, and the verdicts."""
    once = study.table[~study.table["looks twice"]]
    lines = [
        f"**Highest CIDEr at one look:** {_highest(once)}.",
        f"**At two:** {_highest(study.table[study.table['looks twice']])}.",
    ]
    lines += [f"**“{c.claim.rstrip('.')}”: {c.verdict}.** {c.reason}" for c in study.claims]
    return listed(lines)


def _highest(table: pd.DataFrame) -> str:
    """Name each captioner's way of the highest score, with its interval."""
    tops = [rows.loc[rows.CIDEr.idxmax()] for _, rows in table.groupby("captioner", sort=False)]
    return "; ".join(
        f"{top.captioner}, {top.label.lower()} ({with_interval(top.CIDEr, top.CIDEr_low, top.CIDEr_high)} points)"
        for top in tops
    )


def world(study: DecodingStudy) -> str:
    """Return what this copy of the chapter was run on."""
    profile = study.profile
    images = len(study.results.scores(study.captioners[0])[0]["ids"])
    return (
        f"This copy of the chapter was run with the profile `{profile.name}` ({profile.title}): "
        f"{images} test images, captions of at most {profile.decoding.max_tokens} tokens with end of text, and "
        f"{study.captioners[0].seeds} trainings of each captioner. CapDec's training noise is Gaussian of variance "
        f"{profile.decoding_grid.variance:g} per coordinate."
    )


def same(study: DecodingStudy) -> str:
    """Return how often a beam of 1 and greedy search say the same: always, if both are right."""
    grid = study.profile.decoding_grid
    if 1 not in grid.beams:
        return ""
    share = study.same_answers(Beam(1, study.profile.decoding.max_tokens), study.greedy)
    return (
        f"A beam of 1 *is* greedy search; here the two give the same words on {POINTS * share:g}% of images, over all "
        "captioners and seeds, so that only greedy search is tested below."
    )


def quality(study: DecodingStudy) -> str:
    """Return every difference from the default beam that is beyond doubt, captioner by captioner."""
    lines = []
    for captioner in study.ways:
        found = [c for c in _against_default(study) if c.a.family == captioner]
        decided = [f"{name(way(c.a))} is {SIGNS[c.sign]} ({tested(c)})" for c in found if c.sign]
        told = "; ".join(decided) or "no way of decoding is separated from it"
        lines.append(f"**{captioner}**, minus {_default(study)}: {told}.")
    return listed(lines)


def widths(study: DecodingStudy) -> str:
    """Return which beam widths are shown to be equivalent to the default; nothing where there is no other."""
    if not study.widths:
        return ""
    equal = [test for test in study.widths if test.equivalent]
    others = [test for test in study.widths if not test.equivalent]
    text = (
        f"Whether the width of the beam matters is a question of equivalence: two widths that differ by less than "
        f"{POINTS * WIDTH_MARGIN:g} points, about the distance between ClipCap's two published variants on COCO, are "
        "called equivalent (two one-sided tests at 5% on 90% intervals, corrected by Holm's method among themselves). "
    )
    if equal:
        text += f"Shown equivalent to {_default(study)}: {'; '.join(map(_width, equal))}. "
    if others:
        text += f"Not shown: {'; '.join(map(_width, others))}."
    return text.strip()


def greedy(study: DecodingStudy) -> str:
    """Return how sampling and contrastive search compare with greedy search."""
    lines = []
    for captioner in study.ways:
        found = [c for c in study.contrasts if c.b == study.of(captioner, study.greedy)]
        told = "; ".join(f"{name(way(c.a))} {_judged(c)}" for c in found)
        lines.append(f"**{captioner}**, minus greedy search: {told}.")
    return listed(lines)


def diversity(study: DecodingStudy) -> str:
    """Return which way is most varied over images, and how alike five captions of one image are."""
    lines = []
    for captioner, rows in study.table.groupby("captioner", sort=False):
        default, top = _row(rows, study.compared_with), rows.loc[rows["distinct-2"].idxmax()]
        several = rows[rows["self-BLEU"].notna()]
        alike = ", ".join(
            f"{row['label'].lower()} {POINTS * row['self-BLEU']:.0f}" for row in several.to_dict("records")
        )
        lines.append(
            f"**{captioner}.** Most distinct bigrams: {top.label.lower()}, {_seeds_percent(top)} of all, where "
            f"{_default(study)} has {_seeds_percent(default)}. Self-BLEU of an image's five captions (100: all the "
            f"same): {alike}."
        )
    return listed(lines)


def speed(study: DecodingStudy) -> str:
    """Return the fastest and the slowest way, and the price of the default beam beside greedy search."""
    lines = []
    for captioner, rows in study.table.groupby("captioner", sort=False):
        fast, slow = rows.loc[rows.speed.idxmax()], rows.loc[rows.speed.idxmin()]
        default, plain = _row(rows, study.compared_with), _row(rows, title(study.greedy))
        lines.append(
            f"**{captioner}.** Fastest: {fast.label.lower()}, {_rate(fast)} captions a second; slowest: "
            f"{slow.label.lower()}, {_rate(slow)}. {capital(_default(study))} takes {plain.speed / default.speed:.1f} "
            "times as long as greedy search."
        )
    return listed(lines)


def measured(study: DecodingStudy) -> str:
    """Return how captions a second were measured, and on which machine."""
    records = [r for conditions in study.ways.values() for c in conditions for r in study.results.records(c)]
    devices = ", ".join(sorted({f"`{record['device']}`" for record in records}))
    threads = ", ".join(sorted({str(record["threads"]) for record in records}))
    pytorch = ", ".join(sorted({record["versions"]["torch"] for record in records}))
    return (
        f"Each time is the median of {TIMED_RUNS} runs over all test images after a short one to warm up (of fewer, "
        f"once they have taken {ENOUGH_SECONDS:g} seconds together), of one captioner and one way of decoding alone "
        f"in its process (threads: {threads}; device {devices}; PyTorch {pytorch}; on a CPU, one process a core runs "
        f"at a time). All ways have the same load: about {GROWING} captions grow at once, and each of a beam's "
        "counts. The image's own embedding is not in the time, re-ranking's of the candidates is. A caption is an "
        "answer; of sampling, each one drawn counts."
    )


def second_look(study: DecodingStudy) -> str:
    """Return what re-ranking gains over the default beam, and what it costs in time."""
    lines = []
    for captioner in study.ways:
        ranked = [c for c in _against_default(study) if isinstance(c.a.decoding, Reranked)]
        found = [c for c in ranked if c.a.family == captioner]
        told = "; ".join(f"{name(way(c.a))} {_judged(c)}, {_price(study, c)}" for c in found)
        lines.append(f"**{captioner}**, minus {_default(study)}: {told}.")
    return listed(lines)


def _price(study: DecodingStudy, contrast: Contrast) -> str:
    """Return how many times as long the way takes as the default beam, and, where known, both's CHAIRi."""
    rows = study.table[study.table.captioner == contrast.a.family]
    own, default = _row(rows, title(way(contrast.a))), _row(rows, study.compared_with)
    times = f"in {default.speed / own.speed:.1f} times the time"
    if not study.knows_objects:
        return times
    return f"{times}, CHAIRi {POINTS * own.CHAIRi:.1f} where the default has {POINTS * default.CHAIRi:.1f}"


def _against_default(study: DecodingStudy) -> list[Contrast]:
    return [contrast for contrast in study.contrasts if contrast.b.decoding == study.default]


def _judged(contrast: Contrast) -> str:
    return f"is {SIGNS[contrast.sign]} ({tested(contrast)})"


def _default(study: DecodingStudy) -> str:
    return name(study.default)


def _width(test: EquivalenceTest) -> str:
    assert test.p_value is not None  # an equivalence test always has one
    return f"{name(way(test.a))} on {test.a.family} ({in_points(test.estimate)}, {p_phrase(test.p_value)})"


def _row(rows: pd.DataFrame, label: str) -> pd.Series:
    return rows[rows.label == label].iloc[0]


def _seeds_percent(row: pd.Series) -> str:
    """Return the share of distinct bigrams with its range over seeds."""
    middle, low, high = (POINTS * row[f"distinct-2{end}"] for end in ("", "_low", "_high"))
    return f"{middle:.1f}% ({low:.1f} to {high:.1f} over seeds)"


def _rate(row: pd.Series) -> str:
    return f"{row.speed:.0f}"
