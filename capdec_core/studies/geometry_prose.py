"""Sentences of chapter 1 whose numbers and wording follow from the measures; all return Markdown."""

import numpy as np
import pandas as pd

from capdec_core.noise import cosine_for_variance
from capdec_core.studies.geometry_claims import CONE, SLOPE
from capdec_core.studies.geometry_view import RANDOM, GeometryStudy
from capdec_core.studies.phrases import listed, number, verdicts
from capdec_core.tables import p_phrase, significant

CAPDEC_VARIANCE = 0.016
ABSENT = (
    "The published pairs (CLIP, ConVIRT, VideoCLIP and CLASP, of Liang et al. 2022, and CapDec's centres) are not on "
    "the machine that computed this copy, so this chapter shows the profile's own encoder alone. They are read from "
    "the folder `clip_pairs` of the real data, `CAPDEC_DATA`."
)


def in_short(study: GeometryStudy) -> str:
    """Return the chapter's answer: the gap, what a shift explains, and the claims."""
    found = study.anatomies[study.own]
    g = found.geometry
    apart = "lie apart" if found.matched_interval[1] < 1 else "are not told apart"
    lines = [
        f"**Images and captions {apart}.** In {study.own} an image and its own caption have a mean cosine of "
        f"{number(g.matched)}, and the centroids are {number(g.gap_norm)} apart on a sphere of radius 1.",
        f"**A constant shift explains {found.shift_share:.0%}** of the squared distance between an image and its "
        f"caption; after it their cosine is {number(found.shifted_matched)}. The rest is spread over about "
        f"{found.residual_participation:.0f} of {g.dim} dimensions.",
    ]
    return listed(lines + verdicts(study.claims))


def sources(study: GeometryStudy) -> str:
    """Return what is measured, or why something is not."""
    g = study.anatomies[study.own].geometry
    own = (
        f"This copy of the chapter was run with the profile `{study.profile.name}` ({study.profile.title}): "
        f"{g.images} test images with {g.captions} captions, embedded by {study.profile.encoder.model}."
    )
    if not study.published:
        return f"{own}\n\n{ABSENT}"
    return (
        f"{own} Beside it stand pairs that Liang et al. 2022 published: photographs by CLIP, radiographs by ConVIRT, "
        f"videos by VideoCLIP and proteins by CLASP, each with its text, by the trained network and by the same "
        f"network with random weights."
    )


def apart(study: GeometryStudy) -> str:
    """Return by how much matched pairs are nearer than mismatched ones, and how random weights compare."""
    nearer = [(name, a.geometry.matched - a.geometry.mismatched) for name, a in study.trained.items()]
    told = ", ".join(f"{number(difference)} in {name}" for name, difference in nearer)
    text = f"By their mean cosines an image's own caption is nearer to it than another's by {told}."
    random = [a.geometry.gap_norm for name, a in study.anatomies.items() if name in RANDOM]
    if not random:
        return text
    trained = [a.geometry.gap_norm for a in study.trained.values()]
    follows = (
        "so a gap alone is no sign of training" if max(random) >= min(trained) else "less than after training"
    )
    return (
        f"{text} Networks with random weights have gaps too, with norms from {number(min(random))} to "
        f"{number(max(random))}, {follows}."
    )


def made_up(study: GeometryStudy) -> str:
    """Return how many coordinates hold the gap, and what a shift leaves."""
    halves = [(name, a.dimensions_for(0.5), a.geometry.dim) for name, a in study.trained.items()]
    told = ", ".join(f"{count} of {dim} coordinates in {name}" for name, count, dim in halves)
    shares = [a.shift_share for a in study.trained.values()]
    span = f"{min(shares):.0%}" if len(shares) == 1 else f"{min(shares):.0%} to {max(shares):.0%}"
    return (
        f"Half of the squared gap stands in {told}. One constant shift explains {span} of the squared distance of "
        f"matched pairs. What is left differs from pair to pair, and no shift can mend it: that is what noise in "
        f"training has to cover."
    )


def clusters(study: GeometryStudy) -> str:
    """Return what the captions of one image say of the noise, by CapDec's rule and beside v*."""
    found = study.anatomies[study.own]
    if found.clusters is None:
        return "No image has two captions here, so what the captions of one image say of the noise cannot be measured."
    c, dim, v = found.clusters, found.geometry.dim, found.geometry.calibrated_variance
    rule = (
        f"Two captions of one image are {number(c.distance)} apart, a caption {number(c.radius)} from the mean of "
        f"its image's. CapDec took the mean l-infinity distance of an image's captions as the standard deviation of "
        f"its noise: here {significant(c.largest)}, a variance of {significant(c.variance)}, at which noise turns an "
        f"embedding to a cosine of {number(cosine_for_variance(c.variance, dim))}."
    )
    if np.isnan(v):
        return f"{rule} The matched cosine has no variance to compare it with."
    ratio = c.variance / v
    word = "larger" if ratio > 1 else "smaller"
    return (
        f"{rule} The variance whose cosine is that of matched pairs, v\\*, is {significant(v)}: the rule's is "
        f"{word} by a factor of {max(ratio, 1 / ratio):.1f}. Whether captions are best at v\\* is asked in "
        f"[chapter 2](02_noise_types.ipynb)."
    )


def law(study: GeometryStudy) -> str:
    """Return v* of each trained network beside CapDec's variance."""
    known = [(n, a.geometry.calibrated_variance) for n, a in study.trained.items()]
    told = ", ".join(f"{significant(v)} in {name}" for name, v in known if not np.isnan(v))
    if not told:
        return "No matched cosine here lies between 0 and 1, so none has a calibrated variance."
    return f"By the matched cosines v\\* is {told}. CapDec's own choice, for CLIP, was {CAPDEC_VARIANCE:g}."


def temperature(study: GeometryStudy) -> str:
    """Return what the scale does to heads with a hidden layer and to linear ones."""
    test = next(test for test in study.tests if test.question == SLOPE)
    assert test.p_value is not None
    e, table = test.estimate, study.heads_table
    low, high = table.scale.min(), table.scale.max()
    ends = [_mean(table, "hidden layer", scale, "gap") for scale in (low, high)]
    word = {1: "widens", -1: "narrows", 0: "is not shown to change"}[test.sign]
    return (
        f"Behind a hidden layer the gap {word} with the scale: its norm is {number(ends[0])} at scale {low:g} and "
        f"{number(ends[1])} at {high:g}, {e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}] per doubling "
        f"({p_phrase(test.p_value)}). Before training it is {number(_mean(table, 'hidden layer', low, 'before'))}."
    ).replace("-0.", "−0.")


def cone(study: GeometryStudy) -> str:
    """Return what linear heads, which begin without cones, come to."""
    test = next(test for test in study.tests if test.question == CONE)
    assert test.p_value is not None
    e, table = test.estimate, study.heads_table
    low, high = table.scale.min(), table.scale.max()
    told = {
        1: "So the scale does not make the gap by itself: it keeps the one that the networks begin with",
        -1: "So what the networks begin with does not explain the gap",
        0: "Whether what the networks begin with matters is not decided",
    }[test.sign]
    matched = [_mean(table, "linear", scale, "matched") for scale in (low, high)]
    closer = (
        "a high scale asks for no closeness beyond what ranks the right caption first"
        if matched[1] < matched[0]
        else "a high scale costs no closeness here"
    )
    return (
        f"Linear heads begin with a gap of {number(_mean(table, 'linear', low, 'before'))} and end at "
        f"{number(_mean(table, 'linear', low, 'gap'))} and {number(_mean(table, 'linear', high, 'gap'))} at the "
        f"same two scales; at {high:g} the others' gap differs from theirs by {e.value:+.3f} [{e.low:+.3f}, "
        f"{e.high:+.3f}] ({p_phrase(test.p_value)}). {told}. The matched cosine of linear heads goes from "
        f"{number(matched[0])} to {number(matched[1])}: {closer}."
    ).replace("-0.", "−0.")


def computed(study: GeometryStudy) -> str:
    """Return with what the chapter was computed."""
    s, g = study.profile.statistics, study.profile.geometry
    return (
        f"Profile `{study.profile.name}`; intervals of cosines by {s.resamples} resamples of images, seed {s.seed}; "
        f"heads of {g.dim} dimensions, trained for {g.training.steps} batches of {g.training.batch_size} pairs on "
        f"the CPU, seeds 0 to {g.seeds - 1}, intervals over seeds by Student's t. No captioner "
        f"was trained for this chapter."
    )


def _mean(table: pd.DataFrame, kind: str, scale: float, column: str) -> float:
    return float(table[column][(table.kind == kind) & (table.scale == scale)].mean())
