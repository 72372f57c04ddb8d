"""Sentences of chapter 5 whose numbers and wording follow from the results; all return Markdown.

Differences are in points with 95% intervals, those of an equivalence test with 90% ones. "Better", "rises" and
their opposites stand only where interval and corrected p agree; what is outside the corrected tests is called
exploratory. Published numbers come from the data file of published scores.
"""

import math

import pandas as pd

from capdec_core.chart_style import POINTS
from capdec_core.profiles import NamedLanguageModelSettings
from capdec_core.statistics import smallest_detectable_difference
from capdec_core.studies.claims import Evidence
from capdec_core.studies.phrases import comparison, in_points, listed, verdicts
from capdec_core.studies.prefix_length_evidence import BLEU, CIDER, LONGEST, MARGIN, MIDDLE
from capdec_core.studies.prefix_length_grid import (
    FAMILIES,
    FIXED_AT,
    MAPPERS,
    STUDY_B,
    STUDY_B_FAMILY,
    TUNED,
    family_of,
    tuning_of,
)
from capdec_core.studies.prefix_length_view import PrefixLength
from capdec_core.tables import p_phrase, with_interval

MOVES = {1: "rises", -1: "falls", 0: "is not shown to move"}


def in_short(study: PrefixLength) -> str:
    """Return the chapter's answer: the trend in Study B's system, what tuning does, and the verdicts."""
    slope = study.findings.trends[STUDY_B_FAMILY]
    cider = study.findings.tuning[CIDER]
    lines = [
        f"**Length.** With every doubling of the prefix, the CIDEr of an MLP before a frozen language model "
        f"{MOVES[slope.sign]}: {_tested(slope)}.",
        f"**The language model.** At k = {FIXED_AT}, the MLP before a tuned language model {comparison(cider)} that "
        f"before a frozen one: {_tested(cider)}.",
    ]
    return listed(lines + verdicts(study.claims))


def setting(study: PrefixLength) -> str:
    """Return at what scale this copy of the chapter was run, and which cells are shared."""
    profile, model = study.profile, study.profile.language_model
    budget, encoder = profile.prefix_length.training, profile.prefix_length.encoder or profile.encoder
    cells = study.results.cells
    trained = {cell for condition in cells for cell in study.results.ids(condition)}
    shared = sum(len(found) for found in cells.values()) - len(trained)
    origin = "was pre-trained on the training captions alone"
    if isinstance(model, NamedLanguageModelSettings):
        origin = f"is `{model.name}`, as it was published"
    return (
        f"This copy of the chapter was run with the profile `{profile.name}` ({profile.title}): captioners trained on "
        f"image embeddings by `{encoder.model}`, {'raw as they come' if encoder.raw else 'on the unit sphere'}, for "
        f"{budget.steps} batches of {budget.batch_size} captions at a learning rate of "
        f"{budget.learning_rate:g}, the same for every mapper, before a language model of {model.layers} layer"
        f"{'s' if model.layers > 1 else ''} and width {model.width} ({study.language_model_parameters:,} weights) that "
        f"{origin}. The grid has {len(cells)} conditions and {len(trained)} "
        f"trained captioners; the MLP of fixed width is at k = {FIXED_AT} the MLP itself, layer by layer and weight by "
        f"weight, so {shared} captioners stand in both rows and were trained once."
    )


def bottleneck(study: PrefixLength) -> str:
    """Return how many vectors it takes to hold an embedding, here and in ClipCap."""
    width, dim = study.profile.language_model.width, study.dim
    least = math.ceil(dim / width)
    narrow = (
        f"here a single vector has {width} coordinates for an embedding of {dim}, and only from k = {least} on can a "
        "prefix hold all of them"
        if least > 1
        else f"here, too, a single vector, of width {width}, can hold an embedding of {dim}"
    )
    return (
        f"One thing differs by scale. A prefix of k vectors has k times the language model's width coordinates. In "
        f"ClipCap one vector is wide enough for the whole embedding (GPT-2's width is 768, CLIP's d is 512 or 640); "
        f"{narrow}."
    )


def sizes(study: PrefixLength) -> str:
    """Return by how much each mapper grows from the shortest prefix to the longest."""
    grown = {mapper: _ends(study.line(family_of(mapper, False)).trainable) for mapper in MAPPERS}
    told = [
        f"the {_lower(MAPPERS[mapper])} by a factor of {_factor(*ends)}" for mapper, ends in grown.items()
    ]
    return (
        f"From k = {study.lengths[0]} to k = {study.lengths[-1]} the mappers grow: {', '.join(told)}. Tuning adds the "
        f"language model's {study.language_model_parameters:,} weights to each."
    )


def trends(study: PrefixLength) -> str:
    """Return which curves rise over Study B's lengths, and what happens over all."""
    lines = [_trend_line(study, tuned) for tuned in TUNED]
    if set(study.lengths) > set(STUDY_B):
        lines.append(_over_all_lengths(study))
    return "\n\n".join(lines)


def twenty(study: PrefixLength) -> str:
    """Return what Study B's step from 10 to 20 was, and what it is here."""
    steps, equal = study.findings.step, study.findings.equal
    published = [_published_step(study, metric) for metric in ("BLEU-2", "BLEU-3", BLEU)]
    ours, test = steps[STUDY_B_FAMILY], equal[STUDY_B_FAMILY]
    counted = [_count([steps[family].sign == sign for family in FAMILIES]) for sign in (1, -1, 0)]
    held = _count([equal[family].equivalent for family in FAMILIES])
    return (
        f"In Study B's table the step from k = {MIDDLE} to k = {LONGEST} changes BLEU-2, BLEU-3 and BLEU-4 by "
        f"{published[0]}, {published[1]} and {published[2]} points, given without intervals. Here, in the same system, "
        f"it changes BLEU-4 by {_tested(ours)}; that it is smaller than {POINTS * MARGIN:g} points "
        f"{'is shown' if test.equivalent else 'is not shown'} ({p_phrase(test.p_value or 0)}). Over all "
        f"{len(FAMILIES)} combinations of mapper and language model, k = {LONGEST} is better in {counted[0]}, worse in "
        f"{counted[1]} and not separated in {counted[2]}; equality within the margin is shown in {held}. "
        f"{_resolution(study)}"
    )


def size_or_length(study: PrefixLength) -> str:
    """Return whether the MLP's size does something that its prefix length does not, and what length does alone."""
    lines = []
    for tuned in TUNED:
        test = study.findings.size[tuning_of(tuned)]
        mlp, fixed, transformer = (
            study.findings.trends[family_of(mapper, tuned)] for mapper in ("mlp", "fixed mlp", "transformer")
        )
        lines.append(
            f"Language model {tuning_of(tuned)}: with every doubling of k CIDEr changes by {_tested(mlp)} in the MLP, "
            f"and by {_tested(fixed)} in the MLP of fixed width. At k = {LONGEST} the MLP, with "
            f"{_times(study, tuned)} the trainable parameters, {comparison(test)} the other: {_tested(test)}. In the "
            f"transformer, which hardly grows with k, CIDEr {MOVES[transformer.sign]}: {_tested(transformer)}."
        )
    return listed(lines)


def tuning(study: PrefixLength) -> str:
    """Return what tuning the language model does at ClipCap's length, and how far Study B was from ClipCap."""
    bleu, cider = (study.findings.tuning[metric] for metric in (BLEU, CIDER))
    clipcap = next(row for row in study.published.prefix_lengths if row.paper == "clipcap").scores[BLEU]
    own = study.published.prefix_length(MIDDLE).scores[BLEU]
    return (
        f"Study B's k = {MIDDLE} is {_signed(own - clipcap)} points of BLEU-4 from ClipCap's {clipcap:g}. Here, for "
        f"the same MLP and the same prefix, tuning the language model as well changes BLEU-4 by {_tested(bleu)} and "
        f"CIDEr by {_tested(cider)}. {_tuning_meaning(bleu)}"
    )


def front(study: PrefixLength) -> str:
    """Return who lies on the Pareto front, and the cheapest captioner that reaches the best one's score."""
    rows, best = study.front, study.table.loc[study.table.CIDEr.idxmax()]
    reaching = study.table[study.table.CIDEr_high >= best.CIDEr].sort_values("trainable").iloc[0]
    counts = {name: int((rows.mapper == mapper).sum()) for mapper, name in MAPPERS.items()}
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    return (
        f"The best captioner is {_quoted(best)}: {_score(best)} of CIDEr with {best.trainable:,} trainable parameters. "
        f"The smallest whose interval reaches that score is {_quoted(reaching)}: {_score(reaching)} with "
        f"{reaching.trainable:,} (exploratory). On the front stand, by mapper: {told}."
    )


def smallest_p(study: PrefixLength) -> str:
    """Return the least corrected p-value that the resamples allow."""
    tests, resamples = len(study.findings.tests), study.results.statistics.resamples
    return (
        f"With {resamples} resamples and {tests} tests no corrected p-value can be smaller than "
        f"{tests / (resamples + 1):.3f}."
    )


def cost(study: PrefixLength) -> str:
    """Return what length costs in seconds: the MLP and the linear mapper from the shortest to the longest."""
    told = []
    for mapper in ("mlp", "linear"):
        short, long = _ends(study.line(family_of(mapper, True)).seconds)
        told.append(f"{_lower(MAPPERS[mapper])} from {short:.1f} to {long:.1f}")
    return (
        f"From k = {study.lengths[0]} to k = {study.lengths[-1]}, before a tuned language model, the seconds of a cell "
        f"go for the {told[0]}, for the {told[1]}."
    )


def published_note(study: PrefixLength) -> str:
    """Return when the published scores were read, and of what none could be read."""
    published = study.published
    return (
        f"The scores were read on {published.read_on}; Study B's tables are those that the plan of this book quotes. "
        f"No score could be read, in a paper's page or a repository, of {'; '.join(published.not_found)}: their rows "
        "are left out rather than filled from memory."
    )


def _tested(test: Evidence) -> str:
    """Return an estimate and its corrected p: "+9.8 [+5.3, +14.5] points (p = 0.005)"."""
    assert test.p_value is not None
    return f"{in_points(test.estimate)} ({p_phrase(test.p_value)})"


def _trend_line(study: PrefixLength, tuned: bool) -> str:
    found = {mapper: study.findings.trends[family_of(mapper, tuned)] for mapper in MAPPERS}
    told = [f"{_lower(MAPPERS[mapper])} {_tested(test)}" for mapper, test in found.items()]
    signs = [test.sign for test in found.values()]
    return (
        f"**Language model {tuning_of(tuned)}.** Of the {len(MAPPERS)} mappers {signs.count(1)} rise with k over Study "
        f"B's lengths, {signs.count(-1)} fall and {signs.count(0)} are not shown to do either. CIDEr by every doubling "
        f"of k: {'; '.join(told)}."
    )


def _over_all_lengths(study: PrefixLength) -> str:
    slopes = {family: test.estimate.value for family, test in study.trends_over_all.items()}
    low, high = (POINTS * end(slopes.values()) for end in (min, max))
    same = sum(slopes[family] * study.findings.trends[family].estimate.value > 0 for family in FAMILIES)
    return (
        f"Over all lengths, up to k = {study.lengths[-1]}, the slopes lie between {_signed(low)} and {_signed(high)} "
        f"points per doubling and have the same sign as over Study B's lengths in {same} of {len(FAMILIES)} cases "
        "(exploratory: the other lengths have one training each)."
    )


def _published_step(study: PrefixLength, metric: str) -> str:
    longer, shorter = (study.published.prefix_length(k).scores[metric] for k in (LONGEST, MIDDLE))
    return _signed(longer - shorter, digits=2)


def _resolution(study: PrefixLength) -> str:
    errors = [test.estimate.standard_error for test in study.findings.step.values()]
    least, most = (POINTS * smallest_detectable_difference(error) for error in (min(errors), max(errors)))
    images = study.findings.step[STUDY_B_FAMILY].estimate.n_images
    return (
        f"With {images} test images and the seeds of these lengths, a true difference in BLEU-4 must be between "
        f"{least:.1f} and {most:.1f} points, depending on the pair, to be found in four of five repetitions at the 5% "
        f"level, before the correction for {len(study.findings.tests)} tests."
    )


def _tuning_meaning(bleu: Evidence) -> str:
    if bleu.sign:
        return (
            "So a distance between a system whose MLP alone is trained and one that is trained throughout is not a "
            "distance between prefix lengths."
        )
    return "Whether such a comparison is fair is therefore not decided here."


def _times(study: PrefixLength, tuned: bool) -> str:
    mlp, fixed = (
        study.line(family_of(mapper, tuned)).set_index("k").trainable[LONGEST]
        for mapper in ("mlp", "fixed mlp")
    )
    return f"{mlp / fixed:.1f} times"


def _score(row: pd.Series) -> str:
    return with_interval(row.CIDEr, row.CIDEr_low, row.CIDEr_high) + " points"


def _quoted(row: pd.Series) -> str:
    return f"“{row.label}”"


def _ends(column: pd.Series) -> tuple[float, float]:
    return column.iloc[0], column.iloc[-1]


def _factor(first: float, last: float) -> str:
    return f"{last / first:.3g}"


def _lower(name: str) -> str:
    return name if name.startswith("MLP") else name[0].lower() + name[1:]


def _count(found: list[bool]) -> str:
    return str(sum(found)) if any(found) else "none"


def _signed(value: float, digits: int = 1) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")
