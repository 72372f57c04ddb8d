"""Sentences of chapter 8 whose numbers and wording follow from the results; all return Markdown.

Everything is in points of MiniLM. "Better" and "worse" are the signs of the corrected comparisons; what is
outside that family is called exploratory.
"""

import numpy as np

from capdec_core.chart_style import POINTS
from capdec_core.protocol import expected_top_mean
from capdec_core.statistics import Estimate, smallest_detectable_difference
from capdec_core.studies.conditions import Condition
from capdec_core.studies.phrases import (
    holding_zero,
    in_points,
    listed,
    number,
    verdicts,
    within_sentence,
)
from capdec_core.studies.protocol_claims import EFFECT, Compared, by_groups, of_protocol
from capdec_core.studies.protocol_scores import CAPTIONS, PUBLISHED, REFERENCES, SEED, WHOLE
from capdec_core.studies.protocol_systems import DIRECTED
from capdec_core.studies.protocol_view import ProtocolStudy
from capdec_core.tables import points, with_interval

SHOWN = 3
"""At most so many pairs that turn are named."""


def in_short(study: ProtocolStudy) -> str:
    """Return the chapter's answer: what the choice does, what it does to the ranking, and the claims."""
    lines = [
        f"**What the choice does.** {_lift(study)} {_luck(study)}",
        f"**What it does to the ranking.** {_order(study)}",
    ]
    return listed(lines + verdicts(study.claims))


def world(study: ProtocolStudy) -> str:
    """Return what is compared, on how many images, with how many chosen."""
    (directed,) = study.alternatives[DIRECTED]
    return (
        f"In this run (profile `{study.profile.name}`) {len(study.systems)} systems are compared, on "
        f"{study.captioners.images} test images, of which the baseline chooses {study.chosen}. {_baseline(study)} Of "
        f"the cosine-directed grid, "
        f"{within_sentence(directed)} is compared: among the rows that keep a candidate at all, with the fewest "
        f"candidates, its CIDEr is highest on validation images."
    )


def _baseline(study: ProtocolStudy) -> str:
    sampler = f"{within_sentence(study.sampler)}, with {study.sampler.seeds} trainings"
    if study.baseline == study.sampler:
        return f"The baseline is {sampler}."
    return (
        f"The baseline is {within_sentence(study.baseline)} as it was published, one training. Wherever another "
        f"training of it is spoken of, it is one of {sampler}, which is trained here as the baseline was."
    )


def provenance(study: ProtocolStudy) -> str:
    """Return what stands for the checkpoint that was Study A's baseline."""
    what = (
        "here it is a captioner of this world with the noise that Study A names"
        if study.baseline == study.sampler
        else f"here it is that of variance {study.baseline.parameter:g} which CapDec's authors published"
    )
    return (
        f"In Study A the baseline was a published checkpoint; {what}, and the mappers of chapter 3 differ from it in "
        f"more than their heads and layers, as they did there. What is at issue here is not who wins but what the "
        f"choice of images does to the answer."
    )


def luck(study: ProtocolStudy) -> str:
    """Return how the lift of the chosen images parts into luck and what suits the baseline, with the prediction."""
    predicted = (1 - study.reliability) * study.uplift.value
    normal = expected_top_mean(study.chosen, study.captioners.images)
    return (
        f"{_lift(study)} {_luck(study)} The chosen images lie {study.lifted:.1f} standard deviations of the "
        f"baseline's scores above its mean; were they normal, the {study.chosen} highest of "
        f"{study.captioners.images} would be expected {normal:.1f} above. A score's reliability, the share of its "
        f"variance over images that another training has too, is {study.reliability:.2f} here, from which regression "
        f"to the mean predicts a luck of {points(predicted)} points."
    )


def softer(study: ProtocolStudy) -> str:
    """Return what choosing by other captions or other references removes of the luck."""
    removed = {
        name: study.estimate(study.drawn[PUBLISHED] - study.drawn[name], 0, 0)
        for name in (CAPTIONS, REFERENCES, SEED)
    }
    told = [
        f"{what} {in_points(removed[name])}{holding_zero(removed[name])}"
        for name, what in (
            (CAPTIONS, "by other captions of the same beam takes away"),
            (REFERENCES, "by other references"),
            (SEED, "by another seed"),
        )
    ]
    beam = (
        " Captions of one beam are variants of one sentence and share its luck."
        if removed[SEED].value > removed[CAPTIONS].value
        else ""
    )
    return (
        f"Of the baseline's score under Study A's protocol, choosing {'; '.join(told)} (exploratory).{beam} What the "
        f"choice by other references takes away is luck of another kind, which another seed shares: that of an image "
        f"whose references happen to say the same."
    )


def effect(study: ProtocolStudy) -> str:
    """Return how large the effect of the choice is over the alternatives, and how well it was predicted."""
    found = list(of_protocol(study.contrasts, EFFECT, study.baseline).values())
    values = [contrast.estimate.value for contrast in found]
    table = study.effect_table
    missed = (table.effect - table.predicted).abs().max()
    return (
        f"Against Study A's {len(found)} alternatives the effect lies between {points(min(values), signed=True)} and "
        f"{points(max(values), signed=True)} points, and {_beyond(found)} The prediction by regression to the mean "
        f"is off by at most {points(missed)} points. {_turned_advantages(study)}"
    )


def ranking(study: ProtocolStudy) -> str:
    """Return how far the two rankings agree, the baseline's ranks, and the surest of the pairs that turn."""
    place = {name: study.scores[f"rank, {name}"].iloc[0] for name in (PUBLISHED, SEED, WHOLE)}
    labels = [within_sentence(condition) for condition in study.systems]
    named = [
        f"{labels[turn.ahead]} before {labels[turn.behind]} ({100 * turn.often:.0f}%)"
        for turn in study.turns[:SHOWN]
    ]
    surest = (
        f" Most often over resamples the two rankings disagree on (in the order of Study A's protocol): "
        f"{'; '.join(named)}."
        if named
        else ""
    )
    return (
        f"{_order(study)} The baseline is {_place(place[PUBLISHED])} under Study A's protocol, "
        f"{_place(place[SEED])} where another of its trainings chooses, and {_place(place[WHOLE])} on all test "
        f"images.{surest}"
    )


def halves(study: ProtocolStudy) -> str:
    """Return how well two studies with other images would agree, by protocol."""
    found = study.agreement
    return (
        f"Two studies that share nothing but the systems can be imitated by parting the test set in two. Over "
        f"{study.profile.protocol.halves} random halvings, the rankings of the two parts agree with a mean tau of "
        f"{number(found[WHOLE])} where each compares on all its images, and of {number(found[PUBLISHED])} where each "
        f"chooses {study.chosen} by Study A's protocol (exploratory). {_agreement(found)}"
    )


def choosers(study: ProtocolStudy) -> str:
    """Return how many systems come first where they choose the images themselves, and on all images."""
    table = study.choosers
    systems = table.columns[1:-1]
    first = [name for name in systems if table.loc[table.chooser == name, name].iloc[0] == 1]
    best = [name for name in systems if table.loc[table.chooser == WHOLE, name].iloc[0] == 1]
    return (
        f"Of {len(systems)} systems, {len(first)} come first when they choose the images; on all test images, "
        f"{' and '.join(_named(study, name) for name in best)} is first."
    )


def overlap(study: ProtocolStudy) -> str:
    """Return how many of the chosen images other systems would have chosen too."""
    own = study.overlap(study.sampler)
    others = [study.overlap(condition) for condition in study.strongest.values()]
    return (
        f"Of the {study.chosen} images that one training of the baseline chooses, another training of it chooses "
        f"{own:.1f}, and the strongest system of each group between {min(others):.1f} and {max(others):.1f} "
        f"(means over trainings); {study.chosen} drawn at random would have "
        f"{study.chosen**2 / study.captioners.images:.1f} in common."
    )


def number_of_images(study: ProtocolStudy) -> str:
    """Return what the same number of images drawn at random could show, against all."""
    contrast = of_protocol(study.contrasts, WHOLE, study.baseline)[study.closest]
    error = contrast.estimate.standard_error
    few = error * np.sqrt(study.captioners.images / study.chosen)
    all_images, chosen = (POINTS * smallest_detectable_difference(e) for e in (error, few))
    return (
        f"{study.chosen} images drawn at random would be a fair test, and a weak one: between the baseline and "
        f"{within_sentence(study.closest)} a true difference would have to be about {chosen:.1f} points to be found in "
        f"four of five repetitions, where all {study.captioners.images} find {all_images:.1f}. (Before correction, "
        f"and taking all of the error as the images'.)"
    )


def _lift(study: ProtocolStudy) -> str:
    row = study.scores.iloc[0]
    own, seed, whole = (points(row[name]) for name in (PUBLISHED, SEED, WHOLE))
    return (
        f"On the {study.chosen} images that its own captions chose, the baseline scores {own} points; on images that "
        f"another of its trainings chose, {seed}; on all test images, {whole}."
    )


def _luck(study: ProtocolStudy) -> str:
    if not study.luck.excludes_zero:
        return f"How much of the lift is luck is not decided: {in_points(study.luck)}."
    share = study.luck.value / study.uplift.value
    return (
        f"Of the lift of {_plain(study.uplift)}, {_plain(study.luck)} are luck ({100 * share:.0f}%): another "
        f"training does not repeat them."
    )


def _plain(estimate: Estimate) -> str:
    return f"{with_interval(estimate.value, estimate.low, estimate.high)} points"


def _order(study: ProtocolStudy) -> str:
    pairs = len(study.systems) * (len(study.systems) - 1) // 2
    tau = study.tau
    return (
        f"Between the rankings of {len(study.systems)} systems by Study A's protocol and by all test images, Kendall's "
        f"tau is {number(tau.value)} [{number(tau.low)}, {number(tau.high)}]; {len(study.turns)} of {pairs} pairs "
        f"change places."
    )


def _beyond(found: list[Compared]) -> str:
    signs = [contrast.sign for contrast in found]
    if not any(signs):
        return "it is separated from 0 for none of them."
    against = f", and harms it against {signs.count(-1)}" if -1 in signs else ""
    return f"the choice favours the baseline over {signs.count(1)} of them beyond doubt{against}."


def _turned_advantages(study: ProtocolStudy) -> str:
    """Say against how many alternatives the protocols' verdicts differ."""
    chosen, seed, whole = (
        [c.sign for c in of_protocol(study.contrasts, name, study.baseline).values()]
        for name in (PUBLISHED, SEED, WHOLE)
    )
    return (
        f"The baseline is better beyond doubt than {chosen.count(1)} alternatives under Study A's protocol, than "
        f"{seed.count(1)} where another seed chooses, and than {whole.count(1)} on all test images; it is worse than "
        f"{chosen.count(-1)}, {seed.count(-1)} and {whole.count(-1)}."
    )


def _agreement(found: dict[str, float]) -> str:
    if found[PUBLISHED] < found[WHOLE]:
        return (
            "The choice throws away most images, and with them some of what another study would find again."
        )
    return (
        "Here the choice does not make the ranking harder to repeat: what it favours, it favours every time."
    )


def _place(rank: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(rank, f"number {rank}")


def _named(study: ProtocolStudy, label: str) -> str:
    found: Condition = next(condition for condition in study.systems if condition.label == label)
    return within_sentence(found)


def closing(study: ProtocolStudy) -> str:
    """Return which of Study A's rankings survive on all test images."""
    whole = of_protocol(study.contrasts, WHOLE, study.baseline)
    chosen = of_protocol(study.contrasts, PUBLISHED, study.baseline)
    decided = [b for b, contrast in chosen.items() if contrast.sign]
    if not decided:
        return f"Study A's protocol separates the baseline from none of the {len(chosen)} alternatives."
    kept = [b for b in decided if chosen[b].sign == whole[b].sign]
    lost = [b for b in decided if not whole[b].sign]
    turned = [b for b in decided if chosen[b].sign * whole[b].sign < 0]
    parts = [f"on all test images, {len(kept)} of them hold"]
    parts += [f"{len(lost)} cannot be seen any more: {by_groups(lost, whole)}"] if lost else []
    parts += [f"{len(turned)} turn round: {by_groups(turned, whole)}"] if turned else []
    return (
        f"Study A's protocol separates the baseline from {len(decided)} of {len(chosen)} alternatives; "
        f"{'; '.join(parts)}."
    )
