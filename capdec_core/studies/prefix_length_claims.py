"""Verdicts on Study B's claims; they follow from the chapter's tests alone."""

from collections.abc import Sequence

from capdec_core.studies.claims import Claim, Contrast, Evidence, Verdict
from capdec_core.studies.prefix_length_evidence import BLEU, CIDER, LONGEST, MIDDLE, Findings
from capdec_core.studies.prefix_length_grid import FAMILIES, STUDY_B_FAMILY, TUNED, family_of, title_of

LONGER = "Longer prefixes tend to score higher."
NOT_ALWAYS = f"{LONGEST} is not always better than {MIDDLE}."
COMPARABLE = "Only the MLP is trained, and ClipCap's 32.15 is the score to compare with."
_WORDS = {1: "rises", -1: "falls", 0: "is not shown to rise or fall"}


def claims(found: Findings) -> list[Claim]:
    """Return the verdicts: longer prefixes, 20 against 10, and the comparison with ClipCap's published score."""
    return [_longer(found), _not_always(found), _comparable(found)]


def _longer(found: Findings) -> Claim:
    """Decided by the trend in what Study B trained; the fixed-width MLP tells length from size."""
    mlp, fixed = (found.trends[family_of(mapper, False)].sign for mapper in ("mlp", "fixed mlp"))
    verdict: Verdict
    if mlp > 0 and fixed > 0:
        verdict, reason = (
            "supported",
            "CIDEr rises with k in the MLP, and where the hidden width is fixed as well.",
        )
    elif mlp > 0 and found.size["frozen"].sign > 0:
        verdict = "artefact"
        reason = (
            "CIDEr rises in the MLP, whose size grows with the square of k; at a fixed hidden width it "
            f"{_WORDS[fixed]}, and at k = {LONGEST} the larger MLP is better than the smaller."
        )
    elif mlp > 0:
        verdict = "undecided"
        reason = (
            f"CIDEr rises in the MLP, but at a fixed hidden width it {_WORDS[fixed]}: whether length or size is at "
            "work is open."
        )
    elif mlp < 0:
        verdict, reason = "not supported", "In the MLP CIDEr falls as k grows."
    else:
        verdict, reason = "undecided", f"In the MLP CIDEr {_WORDS[mlp]} with k."
    return Claim("Study B", LONGER, verdict, f"{reason} {_elsewhere(found)}", _longer_evidence(found))


def _elsewhere(found: Findings) -> str:
    """Say how CIDEr moves with k with the language model tuned, and with the other mappers."""
    others = [family for family in FAMILIES if family != STUDY_B_FAMILY]
    signs = [found.trends[family].sign for family in others]
    told = [f"{signs.count(1)} rise", f"{signs.count(-1)} fall", f"{signs.count(0)} show no trend"]
    return f"Of the other {len(others)} combinations of mapper and language model, {', '.join(told)}."


def _longer_evidence(found: Findings) -> tuple[Evidence, ...]:
    first = [found.trends[family_of(mapper, tuned)] for tuned in TUNED for mapper in ("mlp", "fixed mlp")]
    return (*first, *found.whole_range.values(), *found.size.values())


def _not_always(found: Findings) -> Claim:
    """Supported where, in at least one combination, the longer prefix is worse, or equal within the margin.

    BLEU-4 decides, Study B's measure, unless CIDEr finds the longer prefix better.
    """
    open_to = [family for family in FAMILIES if found.step_cider[family].sign <= 0]
    worse = [family for family in open_to if found.step[family].sign < 0]
    equal = [family for family in open_to if found.equal[family].equivalent and found.step[family].sign == 0]
    better = [family for family in FAMILIES if found.step[family].sign > 0]
    verdict: Verdict
    if worse or equal:
        verdict = "supported"
        reason = f"{_named('It is worse', worse)}{_named('It is equal within the margin', equal)}".strip()
    elif len(better) == len(FAMILIES):
        verdict, reason = "not supported", f"k = {LONGEST} is better in every combination."
    else:
        verdict = "undecided"
        reason = (
            f"k = {LONGEST} is better in {len(better)} of {len(FAMILIES)} combinations; in the others neither a "
            "difference nor equality is shown."
        )
    deciding = [*(found.step[family] for family in worse), *(found.equal[family] for family in equal)]
    rest = [test for test in _step_evidence(found) if test not in deciding]
    return Claim("Study B", NOT_ALWAYS, verdict, reason, (*deciding, *rest))


def _named(what: str, families: Sequence[str]) -> str:
    if not families:
        return ""
    which = "" if len(families) == len(FAMILIES) else f" ({'; '.join(title_of(f) for f in families)})"
    return f"{what} in {len(families)} of {len(FAMILIES)} combinations of mapper and language model{which}. "


def _step_evidence(found: Findings) -> list[Contrast]:
    """The step from 10 to 20 in what Study B trained, then in every other combination."""
    order = [STUDY_B_FAMILY, *(family for family in FAMILIES if family != STUDY_B_FAMILY)]
    return [*(found.step[family] for family in order), found.step_cider[STUDY_B_FAMILY]]


def _comparable(found: Findings) -> Claim:
    """An artefact where tuning the language model alone changes the score."""
    sign = found.tuning[BLEU].sign
    verdict: Verdict
    if sign:
        verdict = "artefact"
        reason = (
            "That score is of an MLP and a tuned language model. Tuning alone makes the score "
            f"{'higher' if sign > 0 else 'lower'} at the same mapper and prefix, so the distance to it says nothing "
            "of the prefix."
        )
    else:
        verdict = "undecided"
        reason = "That score is of an MLP and a tuned language model; whether tuning changes it is not decided here."
    return Claim("Study B", COMPARABLE, verdict, reason, (found.tuning[BLEU], found.tuning[CIDER]))
