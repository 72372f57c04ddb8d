"""Sentences of chapter 3 whose numbers and wording follow from the results; all return Markdown.

Differences are in points of CIDEr; those of an equivalence test have 90% intervals, all others 95%. What is
outside the tests of the two claims is judged by its interval alone, and called exploratory.
"""

import math

import numpy as np
from scipy import stats

from capdec_core.chart_style import POINTS
from capdec_core.mapper import MapperConfig
from capdec_core.matching import parameter_count
from capdec_core.studies.claims import ALPHA, EquivalenceTest
from capdec_core.studies.heads_layers_claims import MARGIN, reads
from capdec_core.studies.heads_layers_trends import TrendTest
from capdec_core.studies.heads_layers_view import CONTROL, HEADS, LAYERS, MATCHED, HeadsLayers, counted
from capdec_core.studies.phrases import (
    comparison,
    holding_zero,
    in_points,
    listed,
    score,
    tested,
    verdicts,
    within_sentence,
)
from capdec_core.studies.pretrained_capdec import PRETRAINED
from capdec_core.studies.published import load_published
from capdec_core.tables import p_phrase

CLIPCAP = ("ClipCap, MLP and GPT-2", "ClipCap, transformer")
"""ClipCap's two architectures in the tables of published scores."""
CAPDEC = MapperConfig("transformer", 640, 768, prefix_length=40, clip_length=40)
"""CapDec's mapper with CLIP RN50x4 and GPT-2 small (Nukrai et al. 2022 and its reference code)."""


def in_short(study: HeadsLayers) -> str:
    """Return the chapter's answer: the widest difference of heads, the two slopes, and the verdicts."""
    if not reads(study.reading):
        return listed([f"**Nothing to compare.** {reading(study)}", *verdicts(study.claims)])
    widest = max(study.heads_equivalences, key=lambda test: abs(test.estimate.value))
    as_run, at_size = study.trends
    lines = [
        f"**Heads.** Of all numbers of heads, {widest.a.label} differ most from the baseline's "
        f"{study.value(study.baseline, HEADS)}: {_held(widest)}.",
        f"**Layers.** Each doubling of the layers changes CIDEr by {in_points(as_run.estimate)} as they come, and by "
        f"{in_points(at_size.estimate)} where every number of layers has the same parameters.",
    ]
    return listed(lines + verdicts(study.claims))


def setting(study: HeadsLayers) -> str:
    """Return at what scale this copy of the chapter was run."""
    profile, grid = study.profile, study.profile.heads_layers
    return (
        f"This copy of the chapter was run with the profile `{profile.name}` ({profile.title}): text-only training "
        f"with Gaussian noise of variance {grid.variance:g} per coordinate, {grid.training.steps} batches of "
        f"{grid.training.batch_size} captions at a learning rate of {grid.training.learning_rate:g}, the same for "
        f"every mapper, and {study.baseline.seeds} training seeds for every condition."
    )


def reading(study: HeadsLayers) -> str:
    """Return whether the baseline reads images, without which there is nothing to be equivalent in."""
    test = study.reading
    said = (
        "it reads images, so there is something to lose"
        if reads(test)
        else f"that is not beyond doubt more than {POINTS * MARGIN:g} points, so equivalence here would mean nothing"
    )
    return (
        f"The baseline scores {score(study.results, test.a)} of CIDEr, the control {score(study.results, test.b)}; the "
        f"difference is {tested(test)}: {said}."
    )


def margin(study: HeadsLayers) -> str:
    """Return the margin, what it is worth in published scores, and which slope it makes."""
    mlp, transformer = (load_published().compared(name).scores["CIDEr"] for name in CLIPCAP)
    slope = study.trends[0].flat.margin or 0
    return (
        f"The margin is **{POINTS * MARGIN:g} points of CIDEr**. ClipCap's own two architectures, an MLP with a tuned "
        f"GPT-2 and a transformer with a frozen one, score {mlp:.2f} and "
        f"{transformer:.2f} on COCO, {transformer - mlp:.1f} points apart, and are offered as two designs to "
        f"choose from; heads that matter less than such a choice have minimal impact. For layers, a trend is called "
        f"negligible if it stays below the same {POINTS * MARGIN:g} points from the fewest layers of the grid to the "
        f"most, which is {POINTS * slope:g} points per doubling."
    )


def heads_size(study: HeadsLayers) -> str:
    """Return that heads change no size, as counted, and what they do change."""
    mappers = [study.mapper(condition) for condition in study.arm(HEADS)]
    counts = {parameter_count(mapper) for mapper in mappers}
    said = (
        f"all have the same {counts.pop():,} parameters" if len(counts) == 1 else "have different parameters"
    )
    widths = ", ".join(f"{mapper.block_width // mapper.heads}" for mapper in mappers)
    heads = ", ".join(str(mapper.heads) for mapper in mappers)
    return f"Counted on the mappers of this chapter: with {heads} heads they {said}, and a head is {widths} wide."


def heads(study: HeadsLayers) -> str:
    """Return each number of heads against the baseline: equivalent, different, or neither shown."""
    lines = [f"{test.a.label}: {_held(test)}; {_told(study, test)}." for test in study.heads_equivalences]
    return listed(lines)


def power(study: HeadsLayers) -> str:
    """Return what the uncertainty of the differences is owed to, and how many seeds would settle equivalence.

    Normal theory: where nothing differs, two one-sided tests at 5% find it in four of five repetitions if the
    standard error is the margin over (z_.95 + z_.90).
    """
    seeds = study.baseline.seeds
    if seeds == 1:
        return "With one training seed these intervals say nothing about other seeds."
    images, one_seed = study.variances
    total = images + one_seed / seeds
    if total == 0:
        return "All captioners score the same on every image."
    needed = MARGIN / float(stats.norm.ppf(0.95) + stats.norm.ppf(0.9))
    return (
        f"Two captioners that do not differ are found equivalent within {POINTS * MARGIN:g} points in four of five "
        f"repetitions if the standard error of their difference is at most {POINTS * needed:.1f} points. Here it is "
        f"{POINTS * np.sqrt(total):.1f} on average over the numbers of heads, and {one_seed / seeds / total:.0%} of "
        f"its square is owed to the {seeds} training seeds, the rest to the images. "
        f"{_seeds_needed(images, one_seed, needed)}"
    )


def sizes(study: HeadsLayers) -> str:
    """Return the parameters by layers, here and at the paper's scale, both counted."""
    mappers = [study.mapper(condition) for condition in study.arm(LAYERS)]
    smallest, largest = parameter_count(mappers[0]), parameter_count(mappers[-1])
    paper = [
        parameter_count(MapperConfig(**{**vars(CAPDEC), "layers": n.layers}))
        for n in (mappers[0], mappers[-1])
    ]
    return (
        f"From {counted(mappers[0].layers, 'layer')} to {mappers[-1].layers} the mapper grows from {smallest:,} "
        f"parameters to {largest:,}, {largest / smallest:.1f} times as many. At the scale of the paper (width "
        f"{CAPDEC.width}, "
        f"d = {CAPDEC.embedding_dim}, {CAPDEC.clip_length} + {CAPDEC.prefix_length} positions) the same layers make "
        f"{paper[0] / 1e6:.1f} and {paper[1] / 1e6:.1f} million."
    )


def matching(study: HeadsLayers) -> str:
    """Return between which widths and ratios the matched mappers lie, and how well they match."""
    mappers = [study.mapper(condition) for condition in study.arm(MATCHED)]
    target = parameter_count(study.mapper(study.baseline))
    off = max(abs(parameter_count(mapper) / target - 1) for mapper in mappers)
    ratios = sorted(mapper.mlp_ratio for mapper in mappers)
    return (
        f"The vectors of the matched mappers are {mappers[0].block_width} wide with "
        f"{counted(mappers[0].layers, 'layer')} and "
        f"{mappers[-1].block_width} wide with {mappers[-1].layers}, their hidden layers {ratios[0]:.2f} to "
        f"{ratios[-1]:.2f} times as wide, and their parameters agree with the baseline's {target:,} within "
        f"{100 * off:.2f}%."
    )


def layers(study: HeadsLayers) -> str:
    """Return what the tests say of each arm: slope, margin, and the levels in any order."""
    names = ("As they come", "At matched parameters")
    return listed([f"**{name}.** {_arm(trend)}" for name, trend in zip(names, study.trends, strict=True)])


def size_effect(study: HeadsLayers) -> str:
    """Return what the parameters alone change at both ends of the grid (exploratory)."""
    ends = [(c, study.named(MATCHED, c.parameter)) for c in study.family(LAYERS)]
    first, last = (
        f"at {within_sentence(as_run)} {in_points(change)}{holding_zero(change)}"
        for as_run, change in ((a, study.difference(a, b)) for a, b in (ends[0], ends[-1]))
    )
    return (
        f"What size alone does can be read where the two arms have the same number of layers: a mapper as it comes "
        f"minus one of the baseline's parameters scores {first}, and {last} (exploratory)."
    )


def losses(study: HeadsLayers) -> str:
    """Return whether deeper mappers fit the training captions less well in the same budget (exploratory)."""
    parts = [
        f"{name}, {_loss_trend(study, arm)}"
        for name, arm in (("as they come", LAYERS), ("at matched parameters", MATCHED))
    ]
    return (
        f"The training loss at the end is the mean over the last tenth of the steps. Per doubling of the layers it "
        f"changes, {'; '.join(parts)} (least squares over all trainings, 95% intervals, exploratory). {_fit(study)}"
    )


def lag(study: HeadsLayers) -> str:
    """Return when the mappers that learn faster had the loss at which the slower ones end."""
    curves = study.curves(LAYERS)
    ends = {value: curves[curves.value == value] for value in (study.layers[0], study.layers[-1])}
    slow = max(ends, key=lambda value: ends[value].loss.iloc[-1])
    fast = min(ends, key=lambda value: ends[value].loss.iloc[-1])
    step = ends[fast].step[ends[fast].loss <= ends[slow].loss.iloc[-1]].iloc[0]
    steps = study.profile.heads_layers.training.steps
    return (
        f"Of the ends of the grid, mappers of {counted(slow, 'layer')} learn more slowly: the loss that they have at "
        f"the end, those of {counted(fast, 'layer')} had at about step {step:.0f} of {steps}."
    )


def cost(study: HeadsLayers) -> str:
    """Return the seconds of a cell at the ends of the grid."""
    ends = [study.arm(LAYERS)[0], study.arm(LAYERS)[-1]]
    few, many = (study.results.seconds(condition) for condition in ends)
    return (
        f"A cell takes {few:.1f} seconds with {counted(study.value(ends[0], LAYERS), 'layer')} and {many:.1f} with "
        f"{study.value(ends[1], LAYERS)} (medians over seeds, training and decoding)."
    )


def _held(test: EquivalenceTest) -> str:
    """Return an equivalence test's difference, with its 90% interval, and what it shows."""
    shown = "equivalent" if test.equivalent else "equivalence not shown"
    assert test.p_value is not None
    return f"{in_points(test.estimate)}, {shown} within {POINTS * MARGIN:g} points ({p_phrase(test.p_value)})"


def _told(study: HeadsLayers, test: EquivalenceTest) -> str:
    contrast = next(contrast for contrast in study.heads_contrasts if contrast.a == test.a)
    assert contrast.p_value is not None
    if not contrast.sign and contrast.p_value <= ALPHA:
        return f"these captioners do differ ({p_phrase(contrast.p_value)}), those of other seeds might not"
    return f"tested for a difference, it {comparison(contrast)} the baseline ({p_phrase(contrast.p_value)})"


def _seeds_needed(images: float, one_seed: float, needed: float) -> str:
    """Return the seeds at which images and seeds together give the standard error `needed`, if any do."""
    room = needed**2 - images
    if room <= 0:
        return "With these images no number of seeds would do."
    return f"With these images it takes {max(1, math.ceil(one_seed / room))} seeds of every condition."


def _arm(trend: TrendTest) -> str:
    assert trend.p_value is not None
    assert trend.flat.p_value is not None
    rises = {1: "CIDEr rises with layers", -1: "CIDEr falls with layers", 0: "No trend is shown"}[trend.sign]
    within = "ruled out" if trend.negligible else "not ruled out"
    differ = "differ" if trend.levels_differ else "are not shown to differ"
    return (
        f"{rises}: {in_points(trend.estimate)} per doubling ({p_phrase(trend.p_value)}). A trend as steep as the "
        f"margin is {within} ({p_phrase(trend.flat.p_value)}). In whatever order, the numbers of layers {differ} "
        f"({p_phrase(trend.p_levels)}); their means spread by {POINTS * trend.spread:.1f} points (standard deviation)."
    )


def _loss_trend(study: HeadsLayers, arm: str) -> str:
    """Return the slope of the final loss on log2 layers over an arm's trainings, with its t interval."""
    members = study.arm(arm)
    runs = [
        (study.value(condition, arm), loss)
        for condition in members
        for loss in study.results.final_losses(condition)
    ]
    fitted = stats.linregress(np.log2([value for value, _ in runs]), [loss for _, loss in runs])
    reach = float(stats.t.ppf(0.975, len(runs) - 2)) * fitted.stderr
    text = f"{fitted.slope:+.3f} [{fitted.slope - reach:+.3f}, {fitted.slope + reach:+.3f}] nats a token"
    first, last = (np.mean(study.results.final_losses(condition)) for condition in (members[0], members[-1]))
    return f"by {text.replace('-', '−')}, from {first:.3f} to {last:.3f}"


def _fit(study: HeadsLayers) -> str:
    """Return how training loss and CIDEr go together over the chapter's conditions."""
    conditions = [c for c in study.results.cells if c.family not in (CONTROL, PRETRAINED)]
    losses_ = [float(np.mean(study.results.final_losses(condition))) for condition in conditions]
    scores = [study.results.interval(condition, "CIDEr").value for condition in conditions]
    if len(set(scores)) == 1 or len(set(losses_)) == 1:
        return (
            "All conditions have the same loss, or the same score, so the two cannot be told to go together."
        )
    rho, p = stats.spearmanr(losses_, scores)
    if p > 0.05:
        what = "so fitting the captions better and reading images better are not shown to go together"
    elif rho < 0:
        what = "so mappers that fit the training captions better also read images better"
    else:
        what = "so mappers that fit the training captions better read images worse"
    rank = f"{rho:.3f}".replace("-", "−")
    return (
        f"Over the {len(conditions)} conditions, final loss and CIDEr have a rank correlation of {rank} "
        f"({p_phrase(float(p))}), {what}."
    )
