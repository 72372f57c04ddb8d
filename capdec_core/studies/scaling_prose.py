"""Sentences of chapter 10, written from its numbers; all return Markdown."""

from capdec_core.planning.cluster import BANDWIDTH, CORES, DECODING, EITHER_WAY
from capdec_core.planning.encoding import PHOTOGRAPH
from capdec_core.planning.judging import METEOR
from capdec_core.planning.tell import duration, size
from capdec_core.planning.work import CAPTION
from capdec_core.studies.phrases import listed
from capdec_core.studies.scaling_tables import PHASES, limit
from capdec_core.studies.scaling_view import GPUS, MIDDLE, Scaling


def in_short(study: Scaling) -> str:
    """Return the plan in a few lines: cells, hours, storage, what limits it, and how good the prediction is."""
    campaign = study.campaign
    hours = sum(campaign.seconds.values()) / 3600
    middle, low, high = study.ratio
    lines = [
        f"**The whole grid of `{campaign.profile.name}`** has {len(campaign.grid.cells)} cells, of which "
        f"{len(campaign.grid.trained)} are trained: about {hours:.0f} hours of one GPU ({campaign.speed.machine}) and "
        f"{size(campaign.kept)} on disk.",
        *(f"**On {count} GPUs** it takes about {_told(study, count)}." for count in GPUS),
        f"**The prediction** was made by a timing of some seconds before the {len(study.costs)} captioners of this run "
        f"were trained. They took {middle:.2f} times what it said (median), nine in ten {low:.2f} to {high:.2f} times.",
    ]
    return listed(lines)


def _told(study: Scaling, count: int) -> str:
    phases = study.campaign.phases(count)
    what, most = limit(study.campaign, phases), getattr(phases, phases.longest)
    return (
        f"{duration(phases.whole)}, the largest part of it for {PHASES[phases.longest]} ({duration(most)})"
        + (", and the costliest cell alone takes nearly all of that" if what == "the costliest cell" else "")
    )


def predicted(study: Scaling) -> str:
    """Return how the prediction was made here, and how far it was off."""
    least, middle, most = study.speed.captions or (0.0, 0.0, 0.0)
    ratio, low, high = study.ratio
    whole = study.costs.measured.sum() / study.costs.predicted.sum()
    return (
        f"On this machine ({study.speed.machine}) {study.speed.steps} steps were timed. The most common captioner was "
        f"trained on {middle:,.0f} captions a second ({least:,.0f} to {most:,.0f} in the blocks that were timed). All "
        f"trainings together then took {whole:.2f} times what this predicts; of single cells the median took "
        f"{ratio:.2f} times as long, and the {MIDDLE[1] - MIDDLE[0]}% in the middle {low:.2f} to {high:.2f} times. "
        "The timing had a core to itself, and cells share the machine with each other."
    )


def limits(study: Scaling) -> str:
    """Return what limits a run on many GPUs, by the parts that GPUs do not shorten."""
    campaign, most = study.campaign, GPUS[-1]
    phases, costliest = campaign.phases(most), max(campaign.seconds.values())
    beside = phases.whole - phases.cells
    useful = sum(campaign.seconds.values()) / costliest
    return (
        f"More GPUs shorten the cells alone, and no further than to the costliest of them, {duration(costliest)}: "
        f"beyond {useful:.0f} GPUs nothing is gained. Downloads, encoding and scores take {duration(beside)} however "
        f"many there are, {beside / phases.whole:.0%} of a run on {most}. METEOR is the part of the scores that cannot "
        "be spread: one process of Java reads every distinct caption. Its time is an upper bound, as if no two "
        "captioners said the same."
    )


def source(study: Scaling) -> str:
    """Return where the speed of the plan comes from: a timing here, or an assumption."""
    if not study.assumes:
        return (
            f"The speed is that of this machine's GPU ({study.campaign.speed.machine}), from "
            f"{study.campaign.speed.steps} timed steps of the captioners of `{study.campaign.profile.name}` with "
            "random weights and captions."
        )
    return (
        f"This machine has no GPU: **the speed of the plan is an assumption, not a result** "
        f"({study.campaign.speed.machine}). [Figure 10.2](#fig-hours) draws it with a factor of {EITHER_WAY:g} either "
        "way. On a machine with a GPU, the same page is made from a timing of it."
    )


def assumptions(study: Scaling) -> str:
    """Return what the plan takes for granted, each with its number."""
    lines = [
        f"Captions have {CAPTION} tokens on the mean. Operations are counted by formula: products of matrices and "
        "attention, forward and backward, at places whose outcome is read.",
        f"Where a GPU's speed is assumed, decoding reaches {DECODING:.0%} of that of training.",
        f"One host with {CORES} cores fetches, decodes photographs and scores. It fetches "
        f"{BANDWIDTH * 8 / 1e6:.0f} Mbit a second; a core takes {1000 * PHOTOGRAPH:.0f} ms a photograph.",
        f"METEOR takes {1000 * METEOR:.1f} ms a caption, and every caption is a new one.",
        "Cells are dealt to GPUs the longest first, one at a time each. A cell that only decodes another's captioner "
        "is not made to wait for it here; in a run it does. GPUs that fail, queues and file systems are left out.",
        "The number of cells is exact: it is counted from the studies' conditions, for which neither data nor weights "
        "are needed. What they take on disk is exact for weights and embeddings, about right for text.",
    ]
    return listed(lines)
