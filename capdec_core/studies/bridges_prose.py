"""Sentences of chapter 7 whose numbers and wording follow from the results; all return Markdown.

Differences are in points of CIDEr with their 95% interval. Where a sentence says that something is better or worse,
the test's sign says so; what stands outside the corrected family of tests is called exploratory.
"""

import math

import pandas as pd

from capdec_core.bridges import SOURCES, Sight
from capdec_core.chart_style import POINTS
from capdec_core.statistics import smallest_detectable_difference
from capdec_core.studies import bridges_in_domain_prose
from capdec_core.studies.bridges_claims import law_reason
from capdec_core.studies.bridges_grid import GAUSSIAN, IMAGES, NONE, SHAPES_OF, WAYS
from capdec_core.studies.bridges_law import CAPTIONS, COSINES, MATCHED, NEARLY, LawTest
from capdec_core.studies.bridges_tables import MIB
from capdec_core.studies.bridges_tests import COMBINED, DECAP, RETRIEVAL, SHAPE, text_only_test
from capdec_core.studies.bridges_view import Bridges
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
    within_sentence,
)
from capdec_core.tables import with_interval


def in_short(study: Bridges) -> str:
    """Return the chapter's answer: who leads with and without images, text-only ways against noise, the verdicts."""
    test = text_only_test(study.tests, study.choice)
    lines = [
        f"**Without any image** {_leader(study, Sight.NEVER)} ranks first. Of the ways that let the decoder speak, "
        f"validation images choose {within_sentence(test.a)} beside plain noise; it {comparison(test)} "
        f"{within_sentence(test.b)}: {tested(test)}.",
        "**With images** there is nothing: the training split has captions alone."
        if study.ceiling is None
        else f"**With images** {_leader(study, Sight.INFERENCE, Sight.TRAINING)} ranks first; the "
        f"captioner trained on images scores {score(study.results, study.ceiling)}.",
    ]
    across = [bridges_in_domain_prose.in_short(study)] if study.in_domain else []
    return listed(across + lines + verdicts(study.claims))


def _leader(study: Bridges, *sights: Sight) -> str:
    """Return the way of these sights that ranks first, training on images left out, with its score."""
    rows = study.seeing(*sights)
    row = rows[rows.family != IMAGES].iloc[0]
    return f"“{row.title}” ({with_interval(row.CIDEr, row.CIDEr_low, row.CIDEr_high)} points)"


def world(study: Bridges) -> str:
    """Return what this copy was run with, and the encoder's matched cosine in training."""
    profile = study.profile
    text = (
        f"This copy of the chapter was run with the profile `{profile.name}` ({profile.title}): corpus "
        f"{profile.corpus.name}, encoder {profile.encoder.model} (d = {study.results.dim})"
    )
    if study.ceiling is not None:
        return f"{text}; the mean cosine of a training image with its captions is {number(study.cosines[MATCHED])}."
    titles = ", ".join(WAYS[family].title for family in study.out_of_reach)
    claims = " ".join(f"{source}: “{said.rstrip('.')}”." for source, said in study.untested)
    return (
        f"{text}. Its training split is captions without photographs, so that whatever takes training images is out "
        f"of reach: to train on, to find their centroid, to fit a map or a covariance on pairs. That leaves out these "
        f"ways: {titles}. And these claims cannot be tested here: {claims}"
    )


def ranking(study: Bridges) -> str:
    """Return how many ways of either kind lie above plain noise, and how far the ceiling is."""
    never, others = study.seeing(Sight.NEVER), study.seeing(Sight.INFERENCE, Sight.TRAINING)
    text = (
        f"Of {len(never) - 1} other ways that never see an image {_named(never)} above plain Gaussian noise by an "
        f"interval that excludes 0"
    )
    aside, scored = (
        "(exploratory: the corrected tests stand further down)",
        score(study.results, study.gaussian),
    )
    if study.ceiling is None:
        return f"{text} {aside}. Gaussian noise scores {scored}."
    return (
        f"{text}; of {len(others)} ways that do, {_named(others)} {aside}. Gaussian noise scores {scored}, the "
        f"captioner trained on images {score(study.results, study.ceiling)}."
    )


def _named(rows: pd.DataFrame) -> str:
    """Return how many rows lie above Gaussian noise beyond their own interval, and which."""
    titles = rows[rows.gain_low > 0].title.tolist()
    if not titles:
        return "none lies"
    return f"{len(titles)} {'lies' if len(titles) == 1 else 'lie'} ({'; '.join(titles)})"


def shapes(study: Bridges) -> str:
    """Return what the shape of noise does at one cosine: pairs and clusters by the tests' signs."""
    reference = study.choice.reference
    target = study.results.cosine(reference)
    off = (study.shapes.cosine - target).abs().max()
    lines = [
        f"All are matched with {within_sentence(reference)}, whose measured cosine is {target:.3f}; the others' "
        f"differ from it by at most {off:.4f}."
    ]
    for source, name in SOURCES.items():
        families = [family for family in SHAPES_OF[source] if family in study.choice.ways]
        tests = [asked(study.contrasts, SHAPE.format(WAYS[family].title)) for family in families]
        parts = [
            f"{word}: {'; '.join(f'{within_sentence(t.a)} ({tested(t)})' for t in found)}"
            for sign, word in ((1, "better"), (-1, "worse"), (0, "not separated"))
            if (found := [t for t in tests if t.sign == sign])
        ]
        if parts:
            lines.append(f"Learned from {name}, {', and '.join(parts)}.")
    return " ".join(lines)


def memory(study: Bridges) -> str:
    """Return what the size of the memory does, and how projection and retrieval compare with noise."""
    rows = study.memories[~study.memories.noisy]
    least, most = rows.iloc[0], rows.iloc[-1]
    projection, nearest = asked(study.contrasts, DECAP), asked(study.contrasts, RETRIEVAL)
    few, all_of_them = (next(c for c in study.results.cells if c.label == row.label) for row in (least, most))
    grown = study.difference(all_of_them, few)
    return (
        f"From {least.captions:,} to {most.captions:,} captions a projection changes by {in_points(grown)}"
        f"{holding_zero(grown)} (exploratory). Validation images choose {within_sentence(projection.a)}, which "
        f"{comparison(projection)} {within_sentence(projection.b)}: {tested(projection)}. {_combined(study)} To write "
        f"a caption is not the same as to look one up: {within_sentence(nearest.a)} {comparison(nearest)} the "
        f"nearest training caption, {tested(nearest)}."
    )


def _combined(study: Bridges) -> str:
    test = asked(study.contrasts, COMBINED)
    return (
        f"With noise in training as well, {within_sentence(test.a)} {comparison(test)} "
        f"{within_sentence(test.b)} without projection: {tested(test)}."
    )


def cost(study: Bridges) -> str:
    """Return who lies on the fronts of quality against cost, and what a memory weighs."""
    told = {"training": "training seconds", "speed": "captions a second", "memory": "memory"}
    fronts = "; ".join(f"{name}: {', '.join(study.front(column).title)}" for column, name in told.items())
    heaviest = study.ranking.loc[study.ranking.memory.idxmax()]
    return (
        f"On the Pareto fronts stand, the cheapest first, by {fronts}. The heaviest bridge is "
        f"“{heaviest.title}” with {heaviest.memory / MIB:.3g} MiB beside a captioner of "
        f"{study.ranking.trainable.max():,} trainable parameters."
    )


def law(study: Bridges) -> str:
    """Return the verdict on the calibration law, how sharp the optimum is, and what the law would have cost."""
    found = study.law
    if MATCHED not in study.cosines:
        return _without_pairs(found)
    if math.isnan(found.curve.predicted):
        return "The calibration law has no solution for this encoder, so it cannot be tested here."
    told = {
        "supported": "is supported",
        "not supported": "is refuted",
        "undecided": "is neither supported nor refuted",
    }
    nearest = study.named(GAUSSIAN, found.nearest)
    lines = [
        f"On this encoder the law **{told[found.verdict]}**. {law_reason(found)} At the best variance the cosine "
        f"is {found.cosine:.2f}, while the images' is {number(study.cosines[MATCHED])}. Within {1 - NEARLY:.0%} of the "
        f"best score lie the variances from {found.nearly[0]:.3g} to {found.nearly[1]:.3g}, a factor of "
        f"{found.nearly[1] / found.nearly[0]:.3g}."
    ]
    if found.closest != MATCHED:
        lines.append(
            f"Nearer to the best comes the variance that the cosine of {found.closest} asks for, "
            f"{found.curve.variance_for(found.closest):.3g} (exploratory: one of {len(COSINES)} that were tried)."
        )
    if nearest != study.gaussian:
        lost = study.difference(nearest, study.gaussian)
        lines.append(
            f"Choosing by the law, variance {found.nearest:g}, instead of by validation images changes CIDEr on test "
            f"images by {in_points(lost)}{holding_zero(lost)} (exploratory)."
        )
    return " ".join(lines)


def _without_pairs(found: LawTest) -> str:
    """Return what is known of the best variance where no training pairs tell the law's."""
    text = (
        f"The law asks the cosine of training pairs, and there are none: it is not tested here. The best variance on "
        f"validation images is {found.best:.3g}, with an interval from {found.low:.3g} to {found.high:.3g}; at the "
        f"best the cosine is {found.cosine:.2f}."
    )
    asked_for = found.curve.variance_for(CAPTIONS)
    if math.isnan(asked_for):
        return text
    inside = "inside" if found.low <= asked_for <= found.high else "outside"
    return f"{text} The one cosine that takes text alone, of {CAPTIONS}, asks for {asked_for:.3g}, {inside} of it."


def law_axis(study: Bridges) -> str:
    """Return what the chart of the law is drawn over, and what its bars have to do with it, for its caption."""
    if any(math.isfinite(test.curve.predicted) for test in study.laws):
        return (
            "by the variance of the Gaussian noise as a multiple of the law's, with 95% intervals over images and "
            "seeds. The bar at the foot is the interval of the best variance; the law says that it holds 1."
        )
    return (
        "by the variance of the Gaussian noise, with 95% intervals over images and seeds. The bar at the foot is the "
        "interval of the best variance."
    )


def dimensions(study: Bridges) -> str:
    """Return how the law fares where heads reduce the embedding to other dimensions."""
    found = [law for law in study.laws[1:] if not math.isnan(law.curve.predicted)]
    if not found or math.isnan(study.law.curve.predicted):
        return "No heads of other dimensions were trained here, so the law is tested at one dimension."
    names = {"supported": "supported", "not supported": "refuted", "undecided": "undecided"}
    told = [f"{names[law.verdict]} at d = {law.curve.dim}" for law in found]
    doublings = [math.log2(law.best / law.curve.predicted) for law in (study.law, *found)]
    apart = [f"{value:+.1f}".replace("-", "−") for value in doublings]
    return (
        f"Heads of other dimensions over the same encoder change both $d$ and $c$. There the law is {', '.join(told)}. "
        f"The best variance lies {', '.join(apart)} doublings from the law's, in this order, the whole embedding first."
    )


def lengths(study: Bridges) -> str:
    """Return how the scores and the best variance move with the length of training."""
    if len(study.by_length) < 2:
        return "All captioners here are trained for one number of steps."
    first, last = min(study.by_length), max(study.by_length)
    moves = [f"training without noise goes from {_at(study, first, NONE)} to {_at(study, last, NONE)}"]
    if study.ceiling is not None:
        moves.append(f"training on images from {_at(study, first, IMAGES)} to {_at(study, last, IMAGES)}")
    best = [f"{test.best:g} at {steps:,}" for steps, test in study.length_laws.items()]
    law = study.law.curve.predicted
    asked_for = f", while the law asks for {law:.3g} whatever the length" if math.isfinite(law) else ""
    return (
        f"Between {first:,} and {last:,} steps {'; '.join(moves)} points. The best variance on validation images is "
        f"{', '.join(best)} steps{asked_for}.{_times_no_noise(study)} At other lengths than the profile's there is one "
        f"seed, so that these intervals say nothing of other seeds; all of this is exploratory."
    )


def _times_no_noise(study: Bridges) -> str:
    """Return how many times no noise's score the chosen variance has at each length; nothing where that one is 0."""
    plain = {steps: _value(study, steps, NONE) for steps in study.by_length}
    if min(plain.values()) <= 0:
        return ""
    over = [f"{_best_noise(study, steps) / value:.1f} at {steps:,}" for steps, value in plain.items()]
    return (
        f" Of what the captioner without noise scores on test images, the one with this variance scores "
        f"{', '.join(over)} steps times as much."
    )


def _at(study: Bridges, steps: int, series: str) -> str:
    row = _of_length(study, steps, series).iloc[0]
    return with_interval(row.CIDEr, row.CIDEr_low, row.CIDEr_high)


def _value(study: Bridges, steps: int, series: str) -> float:
    return float(_of_length(study, steps, series).CIDEr.iloc[0])


def _best_noise(study: Bridges, steps: int) -> float:
    """Return the test CIDEr of the variance that validation images choose at this length."""
    rows = _of_length(study, steps, GAUSSIAN)
    return float(rows[rows.variance == study.length_laws[steps].best].CIDEr.iloc[0])


def _of_length(study: Bridges, steps: int, series: str) -> pd.DataFrame:
    return study.lengths[(study.lengths.steps == steps) & (study.lengths.series == series)]


def power(study: Bridges) -> str:
    """Return how small an advantage over plain noise the search among text-only ways could have found."""
    test = text_only_test(study.tests, study.choice)
    least = POINTS * smallest_detectable_difference(test.estimate.standard_error)
    others = len(study.seeing(Sight.NEVER)) - 3
    return (
        f"Among {others} other ways that never see an image and let the decoder speak, validation images choose "
        f"{within_sentence(test.a)}. On test images it {comparison(test)} {within_sentence(test.b)}: {tested(test)}. "
        f"With {test.estimate.n_images} images and these seeds a true difference of {least:.1f} points is found in "
        f"four of five repetitions at the 5% level, before the correction for {len(study.tests)} tests."
    )
