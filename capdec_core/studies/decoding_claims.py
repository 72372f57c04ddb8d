"""Study B's open question on decoding: the comparisons that answer it, whatever the results, and the verdicts."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from capdec_core.decoding import Beam, Contrastive, Greedy, Sampling
from capdec_core.statistics import bootstrap_interval, equivalence, paired_randomisation
from capdec_core.studies.claims import Claim, Contrast, EquivalenceTest, Pair, Verdict, corrected
from capdec_core.studies.conditions import Condition
from capdec_core.studies.decoding_names import name, way
from capdec_core.studies.results import Results

SOURCE = "Study B, open question"
WIDTH_MARGIN = 0.05
"""CIDEr (5 points): two beam widths that differ by less are called equivalent. Fixed in advance: it is what lies
between ClipCap's two published variants on COCO (108.35 and 113.08)."""


def against_beam(results: Results, width: int) -> list[Pair]:
    """Return every way of decoding but beam 1, which is greedy search, against the beam of this width."""
    found = []
    for captioner, conditions in by_captioner(results).items():
        default = next(c for c in conditions if _is_beam(c, width))
        found += [
            (f"{captioner}: is {name(way(c))} better than {name(way(default))}?", c, default)
            for c in conditions
            if c != default and not _is_beam(c, 1)
        ]
    return found


def against_greedy(results: Results) -> list[Pair]:
    """Return sampling and contrastive search against greedy search."""
    found = []
    for captioner, conditions in by_captioner(results).items():
        greedy = next(c for c in conditions if isinstance(c.decoding, Greedy))
        found += [
            (f"{captioner}: is {name(way(c))} better than greedy search?", c, greedy)
            for c in conditions
            if isinstance(c.decoding, Sampling | Contrastive)
        ]
    return found


def width_pairs(results: Results, width: int) -> list[Pair]:
    """Return every other beam wider than 1 against the beam of this width."""
    found = []
    for captioner, conditions in by_captioner(results).items():
        default = next(c for c in conditions if _is_beam(c, width))
        found += [
            (f"{captioner}: is {name(way(c))} equivalent to {name(way(default))}?", c, default)
            for c in conditions
            if isinstance(c.decoding, Beam) and c.decoding.beams not in (1, width)
        ]
    return found


def by_captioner(results: Results) -> dict[str, list[Condition]]:
    """Return the re-decodings of each captioner, by its name, in the grid's order."""
    found: dict[str, list[Condition]] = {}
    for condition in results.cells:
        if condition.decoding is not None:
            found.setdefault(condition.family, []).append(condition)
    return found


def paired_contrasts(results: Results, pairs: Sequence[Pair]) -> list[Contrast]:
    """Return the chapter's family of contrasts in CIDEr, their p-values corrected together.

    Both sides are the same trained captioners, so a difference is taken seed by seed, and the interval draws
    seeds and images of the differences.
    """
    return corrected([_contrast(results, pair) for pair in pairs])


def width_equivalences(results: Results, pairs: Sequence[Pair]) -> list[EquivalenceTest]:
    """Return the tests that beam widths differ by less than `WIDTH_MARGIN` CIDEr, corrected together."""
    return corrected([_equivalence(results, pair) for pair in pairs])


def claims(found: Sequence[Contrast], width: int) -> list[Claim]:
    """Return the verdicts on the answers that common practice gives; they follow from the contrasts alone."""
    rivals = [c for c in found if _is_beam(c.b, width)]
    plain = [c for c in found if isinstance(c.b.decoding, Greedy)]
    second = {name(way(c.a)): [other for other in rivals if other.a.decoding == c.a.decoding] for c in rivals}
    return [
        _nothing_beats(
            f"Of the ways to decode that look at the image once, a beam of {width}, the default, is the best.",
            [c for c in rivals if not way(c.a).looks_twice],
        ),
        _nothing_beats(
            "Sampling costs quality: greedy search gives better captions.",
            [c for c in plain if isinstance(c.a.decoding, Sampling)],
        ),
        _nothing_beats(
            "Contrastive search costs quality: greedy search gives better captions.",
            [c for c in plain if isinstance(c.a.decoding, Contrastive)],
        ),
        *(
            _second_look_helps(
                f"A second look at the image helps: {label} gives better captions than a beam of {width}.",
                part,
            )
            for label, part in second.items()
            if way(part[0].a).looks_twice
        ),
    ]


def _nothing_beats(said: str, found: Sequence[Contrast]) -> Claim:
    """Judge that the second side of all contrasts is better than every first side."""
    better, equal = _with_sign(found, 1), _with_sign(found, 0)
    verdict: Verdict = "not supported" if better else "undecided" if equal else "supported"
    reason = f"Worse: {_named(found, found)}."
    if better:
        reason = f"Better: {_named(better, found)}."
    elif equal:
        reason = f"None is better; not separated: {_named(equal, found)}."
    return Claim(SOURCE, said, verdict, reason, _highest_first(found))


def _second_look_helps(said: str, found: Sequence[Contrast]) -> Claim:
    """Judge that the first side, re-ranked by the joint encoder, is better on every captioner."""
    parts = {
        "Better": _with_sign(found, 1),
        "Worse": _with_sign(found, -1),
        "Not separated": _with_sign(found, 0),
    }
    verdict: Verdict = (
        "not supported" if parts["Worse"] else "undecided" if parts["Not separated"] else "supported"
    )
    reason = " ".join(f"{word}: {_named(part, found)}." for word, part in parts.items() if part)
    return Claim(SOURCE, said, verdict, reason, tuple(reversed(_highest_first(found))))


def _with_sign(found: Iterable[Contrast], sign: int) -> list[Contrast]:
    return [contrast for contrast in found if contrast.sign == sign]


def _named(part: Sequence[Contrast], found: Sequence[Contrast]) -> str:
    """Name the first sides of a part of the contrasts, captioners of which the same is said together."""
    ways: dict[str, list[str]] = {}
    for contrast in part:
        ways.setdefault(contrast.a.family, []).append(name(way(contrast.a)))
    captioners: dict[str, list[str]] = {}
    for captioner, names in ways.items():
        captioners.setdefault(", ".join(names), []).append(captioner)
    everywhere = list(dict.fromkeys(contrast.a.family for contrast in found))
    return "; ".join(
        f"{names} ({'every captioner' if who == everywhere else ' and '.join(who)})"
        for names, who in captioners.items()
    )


def _highest_first(found: Sequence[Contrast]) -> tuple[Contrast, ...]:
    """Order contrasts so that the one most in favour of its first side stands first."""
    return tuple(sorted(found, key=lambda c: (c.sign, c.estimate.value), reverse=True))


def _is_beam(condition: Condition, width: int) -> bool:
    return isinstance(condition.decoding, Beam) and condition.decoding.beams == width


def _sides(results: Results, pair: Pair) -> dict[str, Any]:
    question, a, b = pair
    sides = (results.ids(a), results.ids(b))
    return {"question": question, "metric": "CIDEr", "sides": sides, "a": a, "b": b}


def _contrast(results: Results, pair: Pair) -> Contrast:
    """Return a difference with its interval and its own p-value, not corrected yet."""
    differences = _differences(results, pair)
    return Contrast(
        **_sides(results, pair),
        estimate=bootstrap_interval(differences, **results.resampling()),
        p_value=paired_randomisation(differences, np.zeros_like(differences), **results.resampling()),
    )


def _equivalence(results: Results, pair: Pair) -> EquivalenceTest:
    """Return a test that a difference is within the margin, with its own p-value, not corrected yet."""
    differences = _differences(results, pair)
    nothing = np.zeros_like(differences)
    found = equivalence(differences, nothing, margin=WIDTH_MARGIN, **results.resampling())
    return EquivalenceTest(
        **_sides(results, pair), estimate=found.difference, p_value=found.p_value, margin=found.margin
    )


def _differences(results: Results, pair: Pair) -> np.ndarray:
    """Return the first side's CIDEr minus the second's (seeds, images): one captioner a row."""
    _, a, b = pair
    return results.matrix(a, "CIDEr") - results.matrix(b, "CIDEr")
