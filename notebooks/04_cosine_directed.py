# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4. Cosine-directed noise
#
# *Study A drew many noisy copies of an embedding and kept those that still pointed its way. The results were poor. Why,
# and would tuning have helped?*
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/-OWNER-/capdec-book/blob/v0.1.0/notebooks/04_cosine_directed.ipynb)

# %% tags=["remove-cell"]
# Where the package is not installed, as in Colab, this fetches the version that this chapter belongs to.
import importlib.util
import os
import subprocess
import sys

PINNED = "capdec_core @ git+https://github.com/-OWNER-/capdec-book@v0.1.0"
if importlib.util.find_spec("capdec_core") is None:
    package = os.environ.get("CAPDEC_PACKAGE", PINNED)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", package]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip could not install {package}:\n{done.stderr}")
    importlib.invalidate_caches()

from capdec_core import bootstrap

here = bootstrap.ready()

# %% tags=["parameters", "remove-cell"]
profile = here.profile
device = here.device
seeds = here.seeds

# %% tags=["hide-input"]
from capdec_core import descriptions, figures, figures_cosine_directed, gallery, studies, tables
from capdec_core.studies import (
    cosine_directed_map,
    cosine_directed_prose,
    cosine_directed_tables,
    phrases,
    record,
)

study = studies.run("cosine_directed", profile, device=device, seeds=seeds)
chapter = gallery.Gallery(chapter=4, profile=profile)
chapter.say(cosine_directed_prose.in_short(study))

# %% [markdown]
# The differences above are in points of CIDEr with 95% intervals; the rest of the chapter says how they came about.
#
# ## Background
#
# Study A's *cosine-similarity-directed Gaussian noise* turns an embedding $x$ into $x'$ in five steps:
#
# 1. draw $N$ noise vectors $n_i \sim \mathcal{N}(0, I)$;
# 2. make the candidates $x_i = x + \beta n_i$;
# 3. keep those with $\cos(x, x_i) > t$;
# 4. weigh them by their similarity, $w_i = \cos(x, x_i) / \sum_j \cos(x, x_j)$, the sum over the kept;
# 5. add the weighted mean of what was added: $x' = x + \sum_i w_i (x_i - x)$.
#
# The idea is to have noise that does not lose the caption. The study tried $N$ from 30 to 500, $\beta$ from .01 to .5 and
# thresholds $t$ from .7 to .9, 175 combinations, and wrote that *results were poor, but further tuning could potentially
# enhance their effectiveness*. Where nothing is kept the formula is 0/0; here $x$ then stays as it is.
#
# ### What the formula does to a unit embedding
#
# Two things are settled before anything is trained. Beside an embedding of length 1, $\beta$ is a standard deviation in
# *each* of $d$ coordinates, so the noise of one candidate has a length of about $\beta\sqrt{d}$ and
#
# $$\cos(x, x_i) \approx \frac{1}{\sqrt{1 + d \beta^2}},$$
#
# with little scatter when $d$ is large. And where all $N$ candidates are kept, their mean is Gaussian noise of standard
# deviation $\beta / \sqrt{N}$: the more candidates, the less noise.

# %% tags=["remove-input"]
chapter.say(cosine_directed_prose.scale(study))

# %% tags=["hide-input"]
chapter.table(
    cosine_directed_tables.candidate_cosines(study),
    "candidates",
    caption="The mean cosine of a single candidate with its embedding, by β, in the dimensions of CLIP's embeddings and "
    "for embeddings of norm 1 and of the raw norm. A threshold above this value rejects most candidates.",
)

# %% tags=["remove-input"]
chapter.say(cosine_directed_prose.candidates(study))

# %% [markdown]
# ## What is kept
#
# The share of candidates that a threshold keeps can be computed without drawing any. Of $n_i$ only two numbers count:
# $z = \langle n_i, x \rangle$, standard normal, and the length $R$ of the rest, chi with $d - 1$ degrees of freedom. A
# candidate is kept where $1/\beta + z > R\,t/\sqrt{1 - t^2}$, a tail of the noncentral t distribution.
# [Figure 4.1](#fig-acceptance) shows the exact shares with those that were counted.

# %% tags=["hide-input"]
chapter.figure(
    figures_cosine_directed.acceptance_map(study.acceptance),
    "acceptance",
    caption="The acceptance map: the share of candidates that exceed the cosine threshold, by β (rows) and threshold "
    "(columns), for embeddings of two norms in three dimensions. Upright: exact; in italics below: counted on candidates "
    "drawn in full, around the encoder's own caption embeddings where d is its dimension and around random directions "
    "elsewhere. The shade grows with the cube root of the exact share.",
    alt=figures_cosine_directed.acceptance_text(study.acceptance),
)

# %% tags=["remove-input"]
chapter.say(cosine_directed_prose.acceptance(study))

# %% [markdown]
# ### Rows that are the same training
#
# Where a row keeps nothing it trains on clean embeddings; where two thresholds keep everything they train on the same
# noise. The noise is drawn from random numbers whose use does not depend on the threshold, so such rows are the
# same training to the last bit, not only on average.

# %% tags=["remove-input"]
chapter.say(cosine_directed_prose.identities(study))

# %% [markdown]
# ## The grid, row by row
#
# [Table 4.2](#tab-grid) has every combination in both arms, and [Figure 4.2](#fig-grid) their scores. Rows of the smallest
# $N$, where averaging leaves the most noise, have several training seeds and decide this chapter's contrasts; the others
# have one.

# %% tags=["hide-input"]
chapter.table(
    cosine_directed_tables.grid_columns(study.rows),
    "grid",
    caption="Every row of the grid, at unit norm and at raw norm. Kept: the share of candidates above the threshold, "
    "exact, and measured on caption embeddings of this corpus. Variance left: per coordinate beside a unit embedding, "
    "where all candidates are kept or none; a dash where some are. Cosine: mean cosine between embedding and perturbed "
    "copy, measured in training. CIDEr of captions of test images in points with its 95% interval, over seeds too where "
    "there are several. Same training as: the control or row whose captioner this is, by proof, told by what it does not "
    "share with this row; a dash where the row is its own. The codes lead to Table 4.7.",
    groups=cosine_directed_tables.grid_groups(study.rows),
)

# %% tags=["hide-input"]
chapter.figure(
    figures_cosine_directed.grid_scores(study.rows, study.score(study.none), study.titles),
    "grid",
    caption="CIDEr of captions of test images over the whole grid: N across, one panel for each β and norm, one curve for "
    "the thresholds that are one and the same training (named at the right). Bars are 95% intervals over test images, "
    "and over seeds at the smallest N. The horizontal line with its band is training without noise; thresholds that "
    "keep nothing are that line.",
    alt=figures_cosine_directed.grid_text(study.rows, study.score(study.none), study.titles),
)

# %% [markdown]
# [Figure 4.3](#fig-map) is the same grid to walk about in: choose the norm and $N$, then move over $\beta$ and threshold
# with the sliders, with a click or with the arrow keys. Cells with a dashed edge are the same training as the chosen one.

# %% tags=["hide-input"]
chapter.panel(
    cosine_directed_map.of_grid(study),
    "map",
    caption="The grid as a map: CIDEr in points by β (rows) and threshold (columns) for the chosen norm and N. Below the "
    "cells, the chosen row's score with its 95% interval beside training without noise and beside the best of the "
    "Gaussians of Figure 4.4.",
)

# %% tags=["remove-input"]
chapter.say(cosine_directed_prose.averaging(study))
chapter.say(cosine_directed_prose.partial(study))

# %% [markdown]
# ### At unit norm

# %% tags=["remove-input"]
chapter.say(cosine_directed_prose.literal(study))

# %% [markdown]
# ### At raw norm
#
# CapDec normalises embeddings before it adds noise. Beside raw embeddings, which are longer, the same $\beta$ turns much
# less.

# %% tags=["remove-input"]
chapter.say(cosine_directed_prose.raw(study))

# %% [markdown]
# ## The method, repaired
#
# What the method is after, noise that leaves a chosen cosine, can be drawn directly. With $u$ uniform among the unit
# vectors orthogonal to $x$,
#
# $$x' = c\,x + \sqrt{1 - c^2}\;u$$
#
# has the cosine $c$ with $x$, exactly and for every embedding; no candidate is rejected and nothing averages away.
# Gaussian noise of variance $v = (1/c^2 - 1)/d$ has that cosine on average. The two differ in what one is spared: the
# scatter of the cosine. [Figure 4.4](#fig-cosine) puts both beside everything that the grids reach, and
# [Table 4.3](#tab-repaired) compares them cosine by cosine.

# %% tags=["hide-input"]
chapter.figure(
    figures.quality_against_cosine(study.table, matched=study.geometry.matched),
    "cosine",
    caption="CIDEr of captions of test images against the measured mean cosine of the training noise, which grows to the "
    "right: noise at a fixed cosine, Gaussian noise, and every different training of both grids. Bars are 95% intervals "
    "over test images, and over seeds where there are several. The horizontal line with its band is training without "
    "noise; the dotted vertical line is the mean cosine of an image and its own caption.",
    alt=descriptions.of_quality(study.table),
)

# %% tags=["hide-input"]
chapter.table(
    cosine_directed_tables.repaired_columns(study),
    "repaired",
    caption="Noise at a fixed cosine and Gaussian noise of the variance whose expected cosine is the same. CIDEr of "
    "captions of test images in points with 95% intervals; difference, fixed minus Gaussian, with its 95% interval and "
    "the p-value of paired randomisation; the same difference with its 90% interval and the p-value of the equivalence "
    "test, which is small where a difference as large as the margin is ruled out.",
)

# %% tags=["remove-input"]
chapter.say(cosine_directed_prose.repaired(study))

# %% [markdown]
# ## The contrasts
#
# The questions of this chapter stand in its code and are the same whatever the results. The interval is a bootstrap
# over images and seeds; the p-value is that of paired approximate randomisation, corrected by Holm's method over all
# questions of [Table 4.4](#tab-contrasts).

# %% tags=["hide-input"]
chapter.figure(
    figures.contrast_forest(study.contrast_table),
    "contrasts",
    caption="The chapter's contrasts: difference in CIDEr between two conditions on the same test images, with 95% "
    "intervals over images and seeds and Holm-corrected p-values. A filled marker: interval and p-value agree that the "
    "difference is not 0. Right of 0, the first of the two conditions is better.",
    alt=descriptions.of_forest(study.contrast_table),
)

# %% tags=["hide-input"]
chapter.table(
    tables.contrast_columns(study.contrast_table),
    "contrasts",
    caption="The same contrasts as questions: first minus second condition, points of CIDEr, with 95% intervals.",
)

# %% tags=["remove-input"]
chapter.say(phrases.detectable(study.contrasts))

# %% [markdown]
# ## The same images, side by side

# %% tags=["hide-input"]
examples = study.examples(study.shown)
chapter.panel(
    gallery.caption_panel(examples.images, examples.references, examples.systems),
    "captions",
    caption="A dozen test images, evenly spaced over the test set and not selected, each with one of its reference "
    "captions and the captions of the control, the best rows of the grids and the best of both methods at a chosen "
    "cosine (first seed, best of the beam). Systems that are one and the same captioner are shown once.",
)

# %% [markdown]
# ## What this says of Study A's claim
#
# The claim has two halves. *Poor* is taken as worse than plain Gaussian noise, the noise that CapDec uses; it is an
# *artefact* where most of the grid adds no noise at all and noise that reaches its cosine is better. That *tuning could
# help* is supported where the raw norm helps, or where the repaired method does more than Gaussian noise of its cosine;
# it is an artefact where the repaired method is better only by being noise at all.

# %% tags=["remove-input"]
chapter.claims(
    study.claim_cards,
    "claims",
    caption="Study A's claim in its two halves, the verdicts, and the contrasts that decide them, in points of CIDEr with "
    "95% intervals. The codes name the cells behind each side; they lead to Table 4.7.",
)

# %% [markdown]
# ## How this chapter was computed

# %% tags=["remove-input"]
chapter.say(record.footer(study))

# %% tags=["remove-input"]
chapter.table(
    record.costs(study),
    "costs",
    caption="What the cells cost: seconds are wall-clock time of training and decoding, with other cells beside them on "
    "the same machine; peak memory is that of the process on a CPU and of the device on a GPU. A cell that rows share "
    "is counted once, under the first of them.",
)

# %% tags=["remove-input"]
chapter.table(
    record.cells(study),
    "cells",
    caption="Every cell of the chapter, by its folder in results/cells: one trained captioner with its captions and "
    "per-image scores. CIDEr in points, of captions of test images.",
    ids=record.anchors(study),
)
