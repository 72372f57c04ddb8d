"""Sentences of chapter 4 whose numbers and wording follow from the results; all return Markdown.

Differences are in points of CIDEr with their 95% interval. Where a sentence says that something is better or
worse, the contrast's sign says so; what lies outside the corrected family of contrasts is called exploratory.
"""

import numpy as np
import pandas as pd

from capdec_core.chart_style import POINTS
from capdec_core.noise import CHANCE
from capdec_core.shares import scientific, share_text
from capdec_core.studies.conditions import Condition
from capdec_core.studies.cosine_directed_claims import (
    LITERAL_GAUSSIAN,
    LITERAL_NONE,
    RAW_GAUSSIAN,
    RAW_LITERAL,
    REPAIRED_LITERAL,
)
from capdec_core.studies.cosine_directed_grid import FIXED, RAW, UNIT
from capdec_core.studies.cosine_directed_tables import cosine_text
from capdec_core.studies.cosine_directed_view import CosineDirectedView
from capdec_core.studies.phrases import (
    asked,
    comparison,
    holding_zero,
    in_points,
    listed,
    number,
    score,
    tested,
    verdicts,
)


def in_short(study: CosineDirectedView) -> str:
    """Return the chapter's answer: what the grid does to embeddings, its best row, and the claim."""
    lines = [
        f"**What the grid does.** {_kinds(study, UNIT)}",
        f"**What it scores.** {_literal_short(study)}",
    ]
    return listed(lines + verdicts(study.claims))


def scale(study: CosineDirectedView) -> str:
    """Return the profile, the dimension, and why the raw-norm arm has its norm."""
    profile, g, norm = study.profile, study.geometry, study.profile.cosine_directed.raw_norm
    return (
        f"This copy of the chapter was run with the profile `{profile.name}` ({profile.title}), whose encoder has "
        f"d = {g.dim}. Its raw embeddings have mean norms of {g.text_norm:.1f} (texts) and {g.image_norm:.1f} "
        f"(images); CLIP's are near 10. The raw-norm arm therefore adds the study's noise to the unit embeddings "
        f"scaled to norm {norm:g}, and not to this encoder's own norms, so that it says what the study would have "
        f"seen with CLIP's raw embeddings. Scaled back to unit norm, that is noise of β / {norm:g}."
    )


def candidates(study: CosineDirectedView) -> str:
    """Return which betas leave a candidate above the lowest threshold on average, at each norm."""
    table = study.acceptance[study.acceptance.dim == study.results.dim]
    lowest = table.threshold.min()
    parts = []
    for norm, rows in table[table.threshold == lowest].groupby("norm"):
        passing = [f"{row.beta:g}" for row in rows.itertuples() if row.cosine > lowest]
        which = f"for β = {_and(passing)}" if passing else "for no β"
        parts.append(f"{which} at norm {norm:g}")
    return (
        f"In d = {study.results.dim} dimensions the mean cosine of a single candidate exceeds the lowest threshold of "
        f"the grid, {lowest:g}, {' and '.join(parts)} only. Cosines of candidates scatter little around their mean in "
        f"so many dimensions, so most rows keep nearly all candidates or nearly none."
    )


def acceptance(study: CosineDirectedView) -> str:
    """Return how far the measured shares are from the exact ones, over the whole map."""
    table = study.acceptance
    apart = (table.measured - table.predicted).abs()
    worst = table.loc[apart.idxmax()]
    error = np.sqrt(worst.predicted * (1 - worst.predicted) / worst.candidates)
    strange = int(((table.measured > 0) & (table.predicted * table.candidates < CHANCE)).sum())
    never = (
        "and where it says that no candidate will pass, none did"
        if strange == 0
        else f"but in {strange} places a candidate passed that should not have"
    )
    return (
        f"Over the {len(table)} places of the map prediction and measurement differ by at most {apart.max():.4f}, at "
        f"β = {worst.beta:g}, threshold {worst.threshold:g}, norm {worst.norm:g} and d = {worst.dim:g} "
        f"({share_text(worst.predicted)} predicted, standard error of the measurement {error:.4f}); {never}."
    )


def identities(study: CosineDirectedView) -> str:
    """Return how many trainings the rows are, and the largest chance that one is wrongly called another."""
    rows = study.rows
    proved = rows[rows.kept != "something"]
    steps, batch = study.profile.training.steps, study.profile.training.batch_size
    return (
        f"A training draws {steps} × {batch} = {steps * batch} embeddings, each with N candidates. If the chance that "
        f"any of all these candidates passes the threshold is below {scientific(CHANCE, decimals=0)}, the row *is* "
        f"training without noise; if the chance that any fails is below it, all thresholds that this holds for are one "
        f"training. Both chances are bounded by the number of candidates times the exact probability of one exception; "
        f"the largest bound that was relied on is {scientific(proved.chance.max())}. This settles {len(proved)} of the "
        f"{len(rows)} rows of both arms; the other {len(rows) - len(proved)} keep some candidates and are one training "
        f"only where β is the same beside a unit embedding. Together the rows are **{rows.cell.nunique()} different "
        f"trainings**, training without noise included, and none was trained twice."
    )


def averaging(study: CosineDirectedView) -> str:
    """Return what the mean over N leaves of the noise where everything is kept: predicted against measured."""
    kept = study.rows[study.rows.kept == "everything"]
    if kept.empty:
        return "In no row of either grid is every candidate kept."
    apart = (kept["predicted cosine"] - kept.cosine).abs().max()
    lowest = kept.loc[kept.cosine.idxmin()]
    return (
        f"Where every candidate is kept, the variance per coordinate that is left lies between "
        f"{scientific(kept.variance.min())} and {scientific(kept.variance.max())}, and the cosine that it predicts "
        f"differs from the one measured in training by at most {scientific(apart)}. The farthest that such a row "
        f"turns an embedding is a cosine of {cosine_text(lowest.cosine)} (norm {lowest['norm']:g}, β {lowest.beta:g}, "
        f"N {lowest.n}); plain Gaussian noise is best, on validation images, at a cosine of "
        f"{number(study.results.cosine(study.gaussian))}."
    )


def partial(study: CosineDirectedView) -> str:
    """Return what happens in the rows that keep some candidates."""
    some = study.rows[study.rows.kept == "something"]
    if some.empty:
        return "No row of either grid keeps some candidates and rejects others."
    expected = some.n * some.predicted
    fewest = some.loc[expected.idxmin()]
    empty = (1 - fewest.predicted) ** fewest.n
    return (
        f"In the {len(some)} rows that keep some candidates and reject others, an embedding keeps between "
        f"{scientific(expected.min())} and {scientific(expected.max())} candidates on average; where it is fewest, "
        f"{share_text(empty)} of the embeddings keep none and stay as they are. The measured mean cosines of these "
        f"rows lie between {cosine_text(some.cosine.min())} and {cosine_text(some.cosine.max())}."
    )


def literal(study: CosineDirectedView) -> str:
    """Return how the grid at unit norm fares."""
    beside = _beside(study, LITERAL_GAUSSIAN)
    return f"{_literal_short(study)} {beside} {_highest(study, UNIT)}"


def raw(study: CosineDirectedView) -> str:
    """Return how the grid at raw norm fares, beside the literal one and the Gaussian."""
    if study.results.ids(study.raw) == study.results.ids(study.literal):
        first = (
            f"The best of the rows that decide is {_setting(study.raw)}, which is the very captioner that is best at "
            f"unit norm, there with {_setting(study.literal)}: the two grids overlap, and what the raw norm adds "
            f"scores lower on validation images."
        )
    else:
        contrast = asked(study.contrasts, RAW_LITERAL)
        first = (
            f"The best of the rows that decide is {_setting(study.raw)}, with {score(study.results, study.raw)} on "
            f"test images. It {comparison(contrast)} the best at unit norm: "
            f"{tested(contrast)}. {_beside(study, RAW_GAUSSIAN)}"
        )
    return f"{_kinds(study, RAW)} {first} {_highest(study, RAW)}"


def repaired(study: CosineDirectedView) -> str:
    """Return what the repaired method does, beside the grid and beside Gaussian noise at each cosine."""
    against = asked(study.contrasts, REPAIRED_LITERAL)
    tests = study.equivalences
    equal = [f"{test.a.parameter:g}" for test in tests if test.equivalent]
    signs = {test.a.parameter: asked(study.contrasts, test.question).sign for test in tests}
    better, worse = ([f"{c:g}" for c, sign in signs.items() if sign == s] for s in (1, -1))
    apart = max(abs(study.results.cosine(test.a) - study.results.cosine(test.b)) for test in tests)
    margin = f"{POINTS * (tests[0].margin or 0):g} points"
    told = [
        f"equivalent within {margin} at the cosines {_and(equal)}"
        if equal
        else f"nowhere shown to be equivalent within {margin}"
    ]
    told += [
        f"{word} at {_and(cosines)}" for word, cosines in (("better", better), ("worse", worse)) if cosines
    ]
    if not better and not worse:
        told.append("nowhere better or worse beyond doubt")
    return (
        f"Noise at a fixed cosine scores highest on validation images at {study.fixed.parameter:g}, with "
        f"{score(study.results, study.fixed)} on test images; it {comparison(against)} the best row at unit norm: "
        f"{tested(against)}. Beside Gaussian noise of the same expected cosine, from whose measured cosine it differs "
        f"by at most {scientific(apart)}, it is {', '.join(told)} (of {len(study.family(FIXED))} cosines, each family "
        f"of tests corrected by Holm's method)."
    )


def _literal_short(study: CosineDirectedView) -> str:
    """Return how the best row at unit norm compares with no noise."""
    best = study.literal
    if study.results.ids(best) == study.results.ids(study.none):
        return "Every row at unit norm that decides is training without noise, by proof."
    contrast = asked(study.contrasts, LITERAL_NONE)
    return (
        f"The best row at unit norm, chosen on validation images among those of N = {_fewest(study)}, has "
        f"{_setting(best).split(', ', 1)[1]} and scores {score(study.results, best)}; it {comparison(contrast)} no "
        f"noise: {tested(contrast)}."
    )


def _beside(study: CosineDirectedView, question: str) -> str:
    """Return how a best row compares with the best Gaussian; nothing where that was not asked."""
    found = [c for c in study.contrasts if c.question == question]
    return "".join(
        f"It {comparison(c)} Gaussian noise at a cosine of {number(study.results.cosine(c.b))}, the best of the "
        f"cosines tried on validation images: {tested(c)}."
        for c in found
    )


def _highest(study: CosineDirectedView, family: str) -> str:
    """Return the row that is highest on validation images over all N, which may be so by luck."""
    best = study.results.best([row.condition for row in study.grid if row.family == family])
    count = sum(row.family == family for row in study.grid)
    deciding = study.literal if family == UNIT else study.raw
    if study.results.ids(best) == study.results.ids(deciding):
        return f"The same row is highest on validation images of all {count} of the arm."
    gain = study.difference(best, study.none)
    if study.results.ids(best) == study.results.ids(study.none):
        return f"Over all {count} rows of the arm, none is higher on validation images than no noise."
    seeds = "one seed" if best.seeds == 1 else f"{best.seeds} seeds"
    return (
        f"Over all {count} rows of the arm, {_setting(best)} ({seeds}) is highest on validation images; on test "
        f"images its difference from no noise is {in_points(gain)}{holding_zero(gain)} (exploratory)."
    )


def _kinds(study: CosineDirectedView, family: str) -> str:
    """Return how many rows of an arm keep everything, nothing, or some."""
    rows = study.rows[study.rows.family == family]
    counts = rows.kept.value_counts()
    nothing, everything, something = (
        int(counts.get(kind, 0)) for kind in ("nothing", "everything", "something")
    )
    where = "at unit norm" if family == UNIT else f"at norm {study.profile.cosine_directed.raw_norm:g}"
    return (
        f"Of the {len(rows)} rows of the grid {where}, {nothing} keep no candidate and are training without noise, "
        f"{everything} keep every candidate{_averaged(rows)}, and {something} keep some."
    )


def _averaged(rows: pd.DataFrame) -> str:
    kept = rows[rows.kept == "everything"]
    if kept.empty:
        return ""
    return f" and average the noise away to a cosine of {cosine_text(kept.cosine.min())} or more"


def _setting(condition: Condition) -> str:
    """Return a row's own parameters, its label without the arm: "N 30, β 0.05, t 0.7"."""
    return condition.label.split(", ", 1)[1]


def _fewest(study: CosineDirectedView) -> int:
    return min(study.profile.cosine_directed.counts)


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
