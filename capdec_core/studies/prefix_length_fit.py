"""What chapter 5 says of the training loss: whether a longer prefix fits the captions better, and who gains by it."""

import pandas as pd

from capdec_core.studies.phrases import number
from capdec_core.studies.prefix_length_evidence import MIDDLE
from capdec_core.studies.prefix_length_grid import FAMILIES, TUNED, title_of
from capdec_core.studies.prefix_length_view import PrefixLength


def losses(study: PrefixLength) -> str:
    """Return what a longer prefix does to the fit of the training captions, frozen and tuned."""
    frozen, tuned = (_mean_losses(study, tuned) for tuned in TUNED)
    first, above = study.lengths[0], frozen.min() - tuned.iloc[0]
    reach = (
        f"Even at its best the frozen one stays {number(above)} nats above what tuning reaches with k = {first}: no "
        "length of the grid makes up for a language model that cannot learn to read its prefix."
        if above > 0
        else f"At its best the frozen one is below what tuning reaches with k = {first}: enough vectors make up for it."
    )
    return (
        "A frozen language model learns of the image through its prefix alone; a tuned one can also learn to read it. "
        "On the training captions the loss in nats a token, averaged over the mappers, is before the frozen language "
        f"model {_course(frozen)}, and before the tuned one {_course(tuned)}. {_who_gains(frozen, tuned)} {reach}"
        f"{_too_long(frozen, tuned)}{_overfitted(study)}"
    )


def _course(losses: pd.Series) -> str:
    """Return a curve's first, lowest and last value, by k."""
    ends = (
        f"{number(losses.iloc[0])} at k = {losses.index[0]}",
        f"{number(losses.iloc[-1])} at k = {losses.index[-1]}",
    )
    lowest = losses.idxmin()
    between = (
        "" if lowest in (losses.index[0], losses.index[-1]) else f"{number(losses.min())} at k = {lowest}, "
    )
    return f"{ends[0]}, {between}and {ends[1]}"


def _who_gains(frozen: pd.Series, tuned: pd.Series) -> str:
    """Say who fits better with a longer prefix than with the shortest, and who gains more by it."""
    drops = {"frozen": frozen.iloc[0] - frozen.min(), "tuned": tuned.iloc[0] - tuned.min()}
    gaining = [name for name, drop in drops.items() if drop > 0]
    if not gaining:
        return "Neither fits them better for a longer prefix."
    if len(gaining) == 1:
        return f"The {gaining[0]} one alone fits them better for a longer prefix."
    return f"Both fit them better for a longer prefix, the {max(drops, key=drops.__getitem__)} one by more."


def _too_long(frozen: pd.Series, tuned: pd.Series) -> str:
    """Say where the longest prefix fits the training captions less well than a shorter one."""
    names = [
        name for name, losses in (("frozen", frozen), ("tuned", tuned)) if losses.iloc[-1] > losses.min()
    ]
    if not names:
        return ""
    who = "either" if len(names) == 2 else f"the {names[0]}"
    return (
        f" Before {who} language model the longest prefix does not even fit the training captions best: what limits it "
        "is how it is trained, not that it learns them by heart."
    )


def _mean_losses(study: PrefixLength, tuned: bool) -> pd.Series:
    """Return the training loss by k, averaged over the mappers."""
    rows = study.table
    return rows[rows.tuned == tuned].groupby("k").loss.mean()


def _overfitted(study: PrefixLength) -> str:
    """Say where the longest prefix fits the training captions better than k = 10 and tells test images no better."""
    found = [family for family in FAMILIES if _fits_without_gain(study.line(family).set_index("k"))]
    if not found:
        return ""
    return (
        f" From k = {MIDDLE} to k = {study.lengths[-1]} a better fit comes without better captions of test images "
        f"(point estimates, exploratory) in: {'; '.join(title_of(family) for family in found)}."
    )


def _fits_without_gain(line: pd.DataFrame) -> bool:
    middle, last = line.loc[MIDDLE], line.iloc[-1]
    return bool(last.loss < middle.loss and last.CIDEr <= middle.CIDEr)
