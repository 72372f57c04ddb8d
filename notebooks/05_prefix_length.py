# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5. Prefix length
#
# *Into how many vectors should an image's embedding be turned before a language model speaks, and is it the length of
# the prefix that helps, or the size of what makes it?*
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/-OWNER-/capdec-book/blob/v0.1.0/notebooks/05_prefix_length.ipynb)

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
from capdec_core import figures_prefix_length as figures
from capdec_core import gallery, studies, tables
from capdec_core.studies import prefix_length_fit, record
from capdec_core.studies import prefix_length_prose as prose

study = studies.run("prefix_length", profile, device=device, seeds=seeds)
chapter = gallery.Gallery(chapter=5, profile=profile)
chapter.say(prose.in_short(study))

# %% [markdown]
# Differences are in points of CIDEr where nothing else is said, with 95% intervals; p-values are corrected for all tests of
# the chapter.
#
# ## Background
#
# [ClipCap](https://arxiv.org/abs/2111.09734) turns the CLIP embedding $x$ of an image into $k$ vectors
#
# $$(p_1, \ldots, p_k) = f(x), \qquad p_i \in \mathbb{R}^{w},$$
#
# which stand before the caption in a language model of width $w$ as if they were the embeddings of $k$ words. The mapper
# $f$ is either an MLP, with a tuned GPT-2, or a transformer, with a frozen one. Study B took ClipCap's MLP, with
# $k = 1, 10, 20$, scored the captions by BLEU on COCO, and found that longer prefixes tend to score higher, though 20 not
# always higher than 10.
#
# Two things stand in the way of that conclusion. ClipCap's MLP has one hidden layer of width $kw/2$, so it has
#
# $$(d + 1)\,\frac{kw}{2} + \Bigl(\frac{kw}{2} + 1\Bigr)\,kw$$
#
# weights, a number that grows with $k^2$: whoever lengthens the prefix also enlarges the mapper. And the score that
# Study B compares with, ClipCap's 32.15, is one of an MLP *and* a tuned GPT-2, where Study B says that only the MLP was trained.
#
# This chapter therefore varies the length in four mappers and before both language models:
#
# - the *MLP* as ClipCap has it;
# - the *fixed-width MLP*, whose hidden layer keeps the width that ClipCap's has at $k = 10$, so that only the last layer
#   grows, in proportion to $k$;
# - *linear*, one layer and no hidden one;
# - the *transformer*, where the prefix is $k$ learned constants that read the embedding: a longer prefix costs $w$ weights a
#   vector;
# - each before the same language model, *frozen* or *tuned* with the mapper.
#
# All of them are trained on image embeddings, as ClipCap is, and asked about images: there is no gap to cross and no noise.

# %% tags=["remove-input"]
chapter.say(prose.setting(study))
chapter.say(prose.bottleneck(study))

# %% [markdown]
# A language model that only ever saw captions from their first position on would not know the positions behind a long
# prefix, and one that stays frozen could never learn them. So it was pre-trained with every batch of captions starting
# at another position, up to the last that the captions leave room for, as GPT-2 has seen all of its positions.
#
# ## The grid

# %% tags=["hide-input"]
chapter.table(
    study.sizes(),
    "sizes",
    caption="The mappers' parameters in thousands, by prefix length k. Lengths 1, 10 and 20, Study B's, have "
    "several training seeds each, all others one.",
)

# %% tags=["remove-input"]
chapter.say(prose.sizes(study))

# %% [markdown]
# ## Quality against length
#
# [Figure 5.1](#fig-quality) shows what a longer prefix does to the captions of test images in each of the eight combinations of
# mapper and language model.

# %% tags=["hide-input"]
chapter.figure(
    figures.quality_figure(study.table),
    "quality",
    caption="CIDEr of captions of test images against the length k of the prefix (spaced by doublings), one curve a mapper; "
    "the language model frozen at the left, tuned at the right, each with its own scale. Bars are 95% intervals over "
    "test images, and over training seeds at k = 1, 10 and 20. Points of one k are drawn slightly apart.",
    alt=figures.quality_alt(study.table),
)

# %% tags=["remove-input"]
chapter.say(prose.trends(study))

# %% [markdown]
# ### Study B's table
#
# [Table 5.2](#tab-study-b) is Study B's own table, its rows followed by the same lengths in this world. COCO's captions and
# this world's are different languages, so the levels do not compare; how they move from row to row does.

# %% tags=["hide-input"]
rows, groups = study.study_b_table()
chapter.table(
    rows,
    "study-b",
    caption="BLEU-1 to BLEU-4 by prefix length: as published by Study B (k = 1, 10, 20; and the score of ClipCap that it "
    "compares with), and here with ClipCap's MLP. In points; in brackets, 95% intervals over test images and seeds, where "
    "BLEU is computed anew on every resampled set of images. A dash: not published.",
    groups=groups,
)

# %% tags=["remove-input"]
chapter.say(prose.twenty(study))

# %% [markdown]
# ## Length or size
#
# If a longer prefix helps the MLP because it is longer, it must help the fixed-width MLP too, and most plainly the transformer,
# in which length costs next to nothing; if it helps because the mapper is larger, then the MLP should pull away from the
# fixed-width one as $k$ grows.

# %% tags=["remove-input"]
chapter.say(prose.size_or_length(study))

# %% [markdown]
# [Figure 5.2](#fig-size) lays all conditions over what they cost in trainable parameters. Along one curve the prefix grows; from
# curve to curve, at the same number of parameters, it is a matter of where they are spent.

# %% tags=["hide-input"]
chapter.figure(
    figures.size_figure(study.table, study.front),
    "size",
    caption="CIDEr of captions of test images against trainable parameters (log axis), one curve a mapper and language model; "
    "along a curve, k grows. Hollow markers: frozen language model; filled ones: tuned, its weights counted. Bars are "
    "95% intervals. The grey stair is the Pareto front: the highest score among all with as few parameters.",
    alt=figures.size_alt(study.table, study.front),
)

# %% tags=["remove-input"]
chapter.say(prose.front(study))

# %% [markdown]
# ## Frozen or tuned

# %% tags=["remove-input"]
chapter.say(prose.tuning(study))

# %% [markdown]
# [Figure 5.3](#fig-loss) looks at the same captioners from the side of what they were trained for: how well they predict the
# captions of the training images.

# %% tags=["hide-input"]
chapter.figure(
    figures.loss_figure(study.table),
    "loss",
    caption="Mean training loss over the last tenth of the steps, in nats a token, against the length k of the prefix; the "
    "language model frozen at the left, tuned at the right, each with its own scale. Means over seeds, without "
    "intervals: they describe these trainings.",
    alt=figures.loss_alt(study.table),
)

# %% tags=["remove-input"]
chapter.say(prefix_length_fit.losses(study))

# %% [markdown]
# ## All scores

# %% tags=["hide-input"]
chapter.table(
    tables.score_columns(
        study.table,
        ["CIDEr", "BLEU-4", "ROUGE-L", "MiniLM"],
        {"METEOR": "METEOR", "CHAIRi": "CHAIRi ↓", "identical": "Identical ↓"},
    ),
    "scores",
    caption="Scores of captions of test images in points, means over seeds; in brackets, 95% intervals over images and seeds. "
    "METEOR, CHAIRi (the share of mentioned objects that the image does not hold) and the share of images whose caption "
    "another image has too are given without interval. An arrow marks what should be low.",
    groups=study.groups,
)

# %% [markdown]
# ## The tests
#
# The questions stand in the chapter's code and were fixed before its results. CIDEr is a mean over images, and its
# differences are tested image by image. BLEU-4 is not: its intervals come from resampled sets of images, its p-values from
# exchanging two systems' captions on random images and computing both scores anew. A slope over $\log_2 k$ is tested by
# permuting, image by image, which length wrote which caption. *Equally good* is a test of its own, that the difference is
# smaller than two points of BLEU-4: less than what separates Study B's three lengths. All p-values are corrected together by Holm's method.

# %% tags=["hide-input"]
chapter.figure(
    figures.tests_figure(study.findings),
    "tests",
    caption="For each mapper and language model: the change of CIDEr with every doubling of k over Study B's lengths, and the "
    "step from k = 10 to k = 20 in BLEU-4 and in CIDEr, with 95% intervals over images and seeds. A filled marker: interval "
    "and corrected p agree that the value is not 0. The grey band is the margin within which the step counts as none.",
    alt=figures.tests_alt(study.findings),
)

# %% tags=["hide-input"]
chapter.table(
    study.tests_table(),
    "tests",
    caption="Every test of the chapter: estimates in points of the metric named, with 95% intervals (90% where there is a "
    "margin), and p-values corrected over all rows.",
)
chapter.say(prose.smallest_p(study))

# %% [markdown]
# ## The same images, six systems

# %% tags=["hide-input"]
examples = study.examples(study.shown)
chapter.panel(
    gallery.caption_panel(examples.images, examples.references, examples.systems),
    "captions",
    caption="A dozen test images, evenly spaced over the test set and not selected, each with one of its reference captions "
    "and the captions of six captioners (first seed, best of the beam).",
)

# %% [markdown]
# ## What was published
#
# [Table 5.5](#tab-comparison) repeats the table in which Study B sets ClipCap beside other captioners, with the paper of
# each row; [Table 5.6](#tab-later) sets the scores of later systems beside it, most of which never saw a training image.
# Nothing in these two tables was computed here.

# %% tags=["hide-input"]
chapter.table(
    study.comparison_table(),
    "comparison",
    caption="ClipCap and other captioners on COCO's Karpathy test split, as published in Study B's table: scores in points, "
    "trainable parameters in millions, and the paper of each system.",
)
chapter.say(study.published.sources(study.published.comparison))

# %% tags=["hide-input"]
chapter.table(
    study.later_table(),
    "later",
    caption="Later systems on COCO's Karpathy test split, as published, in points. A dash: not given where the row was read.",
)
chapter.say(study.published.sources(study.published.later))
chapter.say(prose.published_note(study))

# %% [markdown]
# ## What this says of Study B's claims
#
# The first two claims are Study B's conclusions; the third is the comparison that its table makes, put into words. A claim
# is *supported* or *not supported* where the tests say so beyond doubt, *undecided* where they do not, and an *artefact* where
# the difference is real and owed to something other than what is claimed.

# %% tags=["remove-input"]
chapter.claims(
    study.claim_cards,
    "claims",
    caption="Study B's claims on prefix length, the verdicts, and the tests that decide them, in points of the metric named. The "
    "codes name the cells behind each side; they lead to Table 5.10.",
)

# %% [markdown]
# ## How this chapter was computed

# %% tags=["remove-input"]
chapter.say(record.footer(study))
chapter.say(prose.cost(study))

# %% tags=["remove-input"]
chapter.table(
    study.seconds(),
    "seconds",
    caption="Median seconds of a cell, training and decoding, by prefix length k, with other cells beside it on the same machine.",
)

# %% tags=["remove-input"]
chapter.table(
    record.costs(study),
    "costs",
    caption="What the cells cost: seconds are wall-clock time of training and decoding; peak memory is that of the process on "
    "a CPU and of the device on a GPU.",
)

# %% tags=["remove-input"]
cells = record.cells(study)
chapter.table(
    cells,
    "cells",
    caption="Every cell of the chapter, by its folder in results/cells: one trained captioner with its captions and per-image "
    "scores. CIDEr in points, of captions of test images.",
    ids=record.anchors(study),
)
