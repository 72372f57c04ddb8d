"""Study A's claims under its own protocol: the comparisons that decide them, the same whatever the results.

Everything is in MiniLM, the measure of the study. The p-values are those of the bootstrap in which the images
are chosen anew, since swapping captions between systems would change what the baseline chooses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from capdec_core.protocol import Drawn
from capdec_core.studies.claims import Claim, Contrast, Verdict, corrected
from capdec_core.studies.conditions import Condition
from capdec_core.studies.phrases import within_sentence
from capdec_core.studies.protocol_scores import METRIC, PUBLISHED, SEED, WHOLE, ProtocolScores
from capdec_core.studies.protocol_systems import DIRECTED, GRADIENT, STUDENT, heading_of

EFFECT = "Effect of the choice"
FAIR = 0.01
"""MiniLM (one point): if the choice of images changes every advantage by less, it is called fair. Fixed in advance."""

QUESTIONS = {
    WHOLE: "Is {a} better than {b} on all test images?",
    PUBLISHED: "Is {a} better than {b} on the images that the baseline's captions chose?",
    SEED: "Is {a} better than {b} on images that another training of the baseline chose?",
    EFFECT: "Does choosing by the baseline's captions favour {a} over {b}?",
}


@dataclass(frozen=True, kw_only=True)
class Compared(Contrast):
    """A difference of two systems under one protocol, or (`EFFECT`) between Study A's protocol and all images."""

    protocol: str


def comparisons(study: ProtocolScores) -> list[Compared]:
    """Return the chapter's family, its p-values corrected together.

    The baseline against each of Study A's alternatives under three protocols, with the effect of the choice on
    each; and the gradient against the other injected noises under two, each by its best setting on validation
    images.
    """
    alternatives = [condition for found in study.alternatives.values() for condition in found]
    found = [
        _compared(study, protocol, study.baseline, alternative)
        for protocol in (WHOLE, PUBLISHED, SEED, EFFECT)
        for alternative in alternatives
    ]
    noises = {group: study.results.best(study.alternatives[group]) for group in (GRADIENT, STUDENT, DIRECTED)}
    found += [
        _compared(study, protocol, noises[GRADIENT], noises[other])
        for protocol in (WHOLE, PUBLISHED)
        for other in (STUDENT, DIRECTED)
    ]
    return corrected(found)


def _compared(study: ProtocolScores, protocol: str, a: Condition, b: Condition) -> Compared:
    first, second = study.number(a), study.number(b)
    drawn = _difference(study, protocol, first, second)
    named = "the baseline" if a == study.baseline else within_sentence(a)
    return Compared(
        question=QUESTIONS[protocol].format(a=named, b=within_sentence(b)),
        metric=METRIC,
        estimate=study.estimate(drawn, 0, first, second),
        p_value=drawn.p_value(0),
        sides=(study.results.ids(a), study.results.ids(b)),
        a=a,
        b=b,
        protocol=protocol,
    )


def _difference(study: ProtocolScores, protocol: str, a: int, b: int) -> Drawn:
    if protocol == EFFECT:
        return _difference(study, PUBLISHED, a, b) - _difference(study, WHOLE, a, b)
    scores = study.drawn[protocol]
    values, replicates = scores.values, scores.replicates
    return Drawn(values[[a]] - values[[b]], replicates[:, [a]] - replicates[:, [b]])


def of_protocol(found: Sequence[Compared], protocol: str, baseline: Condition) -> dict[Condition, Compared]:
    """Return the comparisons of one system under one protocol, by what it is compared with."""
    return {c.b: c for c in found if c.protocol == protocol and c.a == baseline}


def claims(study: ProtocolScores, found: Sequence[Compared]) -> list[Claim]:
    """Return the verdicts; they follow from the comparisons alone."""
    return [_best_overall(study, found), _most_effective(found, study.baseline), _fair(study, found)]


def _best_overall(study: ProtocolScores, found: Sequence[Compared]) -> Claim:
    """The pre-trained baseline was best of all, by the study's own measure."""
    whole, published, effects = (
        of_protocol(found, protocol, study.baseline) for protocol in (WHOLE, PUBLISHED, EFFECT)
    )
    closest = min(whole.values(), key=_value)
    beats_all_chosen = min(contrast.sign for contrast in published.values()) > 0
    verdict: Verdict
    if min(contrast.sign for contrast in whole.values()) > 0:
        verdict, reason = "supported", f"On all test images it beats all of the {len(whole)} alternatives."
    elif beats_all_chosen and effects[closest.b].sign > 0 and closest.estimate.value <= 0:
        verdict = "artefact"
        reason = (
            f"It beats all {len(whole)} alternatives on the {study.chosen} images that it chose itself. On all test "
            f"images it is not the best, and {standing(whole)}."
        )
    else:
        worse = any(contrast.sign < 0 for contrast in whole.values())
        verdict = "not supported" if worse else "undecided"
        reason = f"On all test images it is {standing(whole)}."
    claim = "Pre-trained CapDec delivered the best overall performance (by Study A's own measure)."
    shown = sorted(study.strongest.values(), key=lambda b: whole[b].estimate.value)
    evidence = [comparison[b] for comparison in (whole, published, effects) for b in shown]
    return Claim("Study A", claim, verdict, reason, tuple(evidence))


def standing(whole: dict[Condition, Compared]) -> str:
    """Return how many of each group are better than the baseline, and not separated from it, as words."""
    words = {-1: "worse than", 0: "not separated from"}
    having = {sign: [b for b, contrast in whole.items() if contrast.sign == sign] for sign in words}
    return "; ".join(f"{words[sign]} {by_groups(found, whole)}" for sign, found in having.items() if found)


def by_groups(found: Iterable[Condition], among: Iterable[Condition]) -> str:
    """Return how many of each group are found: "gradient (2 of 3), heads of the mapper (1 of 3)"."""
    groups, having = ([heading_of(condition) for condition in some] for some in (among, found))
    return ", ".join(
        f"{group if group == STUDENT else group[0].lower() + group[1:]} "
        f"({having.count(group)} of {groups.count(group)})"
        for group in dict.fromkeys(having)
    )


def _most_effective(found: Sequence[Compared], baseline: Condition) -> Claim:
    """Gradient noise was the most effective of the injected noises, by the study's own measure."""
    rest = [contrast for contrast in found if contrast.a != baseline]
    whole, published = ([c for c in rest if c.protocol == protocol] for protocol in (WHOLE, PUBLISHED))
    signs = [contrast.sign for contrast in whole]
    verdict: Verdict = "supported" if min(signs) > 0 else "not supported" if min(signs) < 0 else "undecided"
    words = {1: "it beats", 0: "it is not separated from", -1: "it is worse than"}
    told = "; ".join(f"{words[contrast.sign]} {within_sentence(contrast.b)}" for contrast in whole)
    same = signs == [contrast.sign for contrast in published]
    reason = (
        f"On all test images {told}. The images that the baseline chose say "
        f"{'the same' if same else 'something else'}."
    )
    claim = (
        "Gradient noise injection was the most effective (by Study A's own measure, noises as it wrote them)."
    )
    return Claim("Study A", claim, verdict, reason, (*sorted(whole, key=_value), *published))


def _fair(study: ProtocolScores, found: Sequence[Compared]) -> Claim:
    """The images that the baseline chose are a fair test, which Study A's protocol takes for granted."""
    effects = of_protocol(found, EFFECT, study.baseline)
    signs = [contrast.sign for contrast in effects.values()]
    verdict: Verdict = "undecided"
    reason = "No effect of the choice is separated from 0, and none is ruled out."
    if any(signs):
        verdict = "not supported"
        reason = f"The choice favours the baseline over {signs.count(1)} of {len(signs)} alternatives" + (
            f" and harms it against {signs.count(-1)}." if -1 in signs else "."
        )
    elif all(c.estimate.low > -FAIR and c.estimate.high < FAIR for c in effects.values()):
        verdict, reason = "supported", f"Whatever the choice changes is less than {100 * FAIR:g} point."
    claim = f"The {study.chosen} images on which CapDec scored best are a fair test (taken for granted)."
    evidence = sorted((effects[b] for b in study.strongest.values()), key=_value, reverse=True)
    return Claim("Study A", claim, verdict, reason, tuple(evidence))


def _value(contrast: Contrast) -> float:
    return contrast.estimate.value
