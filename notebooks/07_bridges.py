# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7. Bridges, head to head
#
# *Which way over the modality gap is best, and what may it look at?*
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/-OWNER-/capdec-book/blob/v0.1.0/notebooks/07_bridges.ipynb)

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
from capdec_core import descriptions_bridges, figures_bridges, gallery, studies, tables
from capdec_core.studies import bridges_in_domain_prose, bridges_prose, bridges_tables, phrases, record

study = studies.run("bridges", profile, device=device, seeds=seeds)
chapter = gallery.Gallery(chapter=7, profile=profile)
chapter.say(bridges_prose.in_short(study))

# %% [markdown]
# Differences are in points of CIDEr with 95% intervals; *better* and *worse* mean that interval and corrected p-value
# agree.
#
# ## Background
#
# A decoder that was trained on the embeddings of texts is asked, in the end, to read the embeddings of images, and the
# two lie apart. Since [CapDec](https://arxiv.org/abs/2211.00575) several ways over this gap have been published, each
# with a decoder, a corpus and a budget of its own, so their scores do not compare. Here they stand on one bench: the same
# encoder, the same captions, the same mapper and language model, the same budget and the same seeds. What differs is
# what the decoder reads in training and what is made of an image before it is read.
#
# - *Noise* ([CapDec](https://arxiv.org/abs/2211.00575), [CLOSE](https://arxiv.org/abs/2211.09778)): the neighbourhood of
#   a text means the text.
# - *Mean shift*: the two centroids are laid on each other.
#   [Zhang et al. 2023](https://openreview.net/forum?id=D-zfUK7BR6c), DrML, say that the gap is a constant vector, and CapDec's code
#   has the shift as an option.
# - *Collapse and corrupt* ([C3](https://arxiv.org/abs/2401.08567)): each modality loses its own centroid, then texts get
#   noise.
# - *Linear adapter* (CLOSE): texts go through the map that predicts images from their captions best.
# - *Projection* ([DeCap](https://arxiv.org/abs/2303.03032)): an image becomes the mean of remembered captions, weighted by
#   the softmax of their cosines with it over a temperature of .01.
# - *Retrieval* (CLIPRe in [MAGIC](https://arxiv.org/abs/2205.02655)): the training caption nearest to the image, as it is.
# - *Noise shaped like the gap*: with the covariance of what lies between images and captions, or between the captions of
#   one image.
#
# Above all stands the same captioner trained on images, as [ClipCap](https://arxiv.org/abs/2111.09734) is.
#
# ### What a way looks at
#
# "Text only" is said of all these ways, and it does not mean the same. A centroid of images takes images, an adapter
# takes pairs. Each way is therefore labelled by where it looks at *training images*: *never*; *at inference*, where the
# decoder's training knows of no image but what is done to an image afterwards does; or *in training*. An embedding that
# is captioned is no training image. All settings are chosen on validation images, which is a look at images too, and the
# same one for all; they are compared on the seeds that all settings of a way have.

# %% tags=["remove-input"]
chapter.say(bridges_prose.world(study))

# %% [markdown]
# ## The ways
#
# [Table 7.1](#tab-ways) has all of them.

# %% tags=["hide-input"]
ways, groups = bridges_tables.ways(study)
chapter.table(
    ways,
    "ways",
    caption="The ways over the gap: who proposed each, what happens to embeddings, and where it looks at training images. "
    "A dash: a variant or combination that is this book's.",
    groups=groups,
)

# %% [markdown]
# ### As published
#
# Papers quote noise as a variance or as a standard deviation, before or after normalising, beside rows of norm 1 or of
# what a shift or a removed centroid leaves. [Table 7.2](#tab-presets) converts each published setting into one currency:
# the variance per coordinate beside a row of norm 1, and the cosine that the noise leaves, for the encoder that it was
# published for and, measured, for the one of this copy. A published variance is a choice made for its own encoder; that it
# does well or badly here says little of the method, which is why every method is also given a grid.

# %% tags=["hide-input"]
chapter.table(
    bridges_tables.presets(study),
    "presets",
    caption="Published settings, each with where it was read. There: in closed form at the published dimension; a dash "
    "where the noise is added to rows whose norm only data tell, or has a learned shape. Here: measured in training (a dash "
    "where nothing is trained). CIDEr of captions of test images in points with 95% intervals; settings that the chapter's "
    "grid lacks have one training.",
)

# %% [markdown]
# The grid around them is in [Table 7.3](#tab-noise). Moves of images cost no training: the captioners of chapter 2 read
# them.

# %% tags=["hide-input"]
chapter.table(
    tables.noise_columns(study.table),
    "noise",
    caption="Every condition's noise in training, beside rows of norm 1 after any move. Variance and standard deviation are "
    "per coordinate; the cosine was measured between moved texts and what the decoder reads. A dash: nothing is trained.",
    groups=study.groups,
)

# %% [markdown]
# ## Two rankings
#
# [Figure 7.1](#fig-ways) shows every way at the setting that validation images chose.

# %% tags=["hide-input"]
chapter.figure(
    figures_bridges.ways_figure(study.ranking),
    "ways",
    caption="CIDEr of captions of test images by way over the gap, each at the setting that validation images chose, with "
    "95% intervals over images and, where there are several, seeds; numbers are places. Colour and marker say where a way "
    "looks at training images. The band is plain Gaussian noise.",
    alt=descriptions_bridges.of_ways(study.ranking),
)

# %% tags=["remove-input"]
chapter.say(bridges_prose.ranking(study))

# %% [markdown]
# [Table 7.4](#tab-never) ranks what never looks at a training image, [Table 7.5](#tab-seeing) the rest. The two must not
# be read as one: what looks at images may use more.

# %% tags=["hide-input"]
chapter.table(
    bridges_tables.text_only(study),
    "never",
    caption="Ways that never look at a training image, best first: the chosen setting, CIDEr of captions of test images in "
    "points, and the difference from plain Gaussian noise, with 95% intervals (outside the corrected family of tests). With "
    "one seed the interval says nothing of other seeds. Places are those among all ways.",
)

# %% tags=["hide-input"]
seeing, groups = bridges_tables.with_images(study)
chapter.table(
    seeing,
    "seeing",
    caption="The same for ways that look at training images, at inference or in training.",
    groups=groups,
)

# %% [markdown]
# ## The shape of noise
#
# Noise of other shapes is compared with Gaussian noise at *one* mean cosine, so that what differs is the shape alone.
# The covariance is that of the residual of pairs, image minus caption about its mean, which takes images; or that of the
# captions of one image about their own mean, which takes none. It is used in full, shrunk towards isotropy as
# [Ledoit and Wolf 2004](https://doi.org/10.1016/S0047-259X(03)00096-4) say, or by its variances alone. The captions'
# covariance also spans a subspace, that of its first eigenvectors: noise can be kept within it, where one image's captions
# differ most, or outside of it. [Figure 7.2](#fig-shapes) has the result.

# %% tags=["hide-input"]
chapter.figure(
    figures_bridges.shapes_figure(study.shapes),
    "shapes",
    caption="CIDEr of captions of test images by the shape of the training noise, all at the mean cosine of the Gaussian "
    "in the first row (the band), with 95% intervals over images and seeds. At the right the cosine as it was measured.",
    alt=descriptions_bridges.of_shapes(study.shapes),
)

# %% tags=["remove-input"]
chapter.say(bridges_prose.shapes(study))

# %% [markdown]
# ## The memory
#
# A projection needs captions to project on, and they must be kept. [Figure 7.3](#fig-memory) varies how many. Beside it
# stands the plainest use of a memory, which asks no decoder: to say the caption that is nearest. Where sentences come from
# a small grammar, as those of the generated world do, some training caption fits nearly every image word for word, so this
# baseline has more to draw on there than it has among what people write of photographs.

# %% tags=["hide-input"]
levels = study.ranking[study.ranking.family.isin(["gaussian", "nearest caption", "none"])]
chapter.figure(
    figures_bridges.memory_figure(study.memories, levels),
    "memory",
    caption="CIDEr of captions of test images by how many training captions a projection remembers, before a captioner "
    "trained without noise and one trained with the noise of Figure 7.2's first row. Bars and bands are 95% intervals; "
    "horizontal lines: ways without a projection, the nearest caption among all that there are.",
    alt=descriptions_bridges.of_memories(study.memories),
)

# %% tags=["remove-input"]
chapter.say(bridges_prose.memory(study))

# %% [markdown]
# ## What it costs
#
# [Figure 7.4](#fig-pareto) sets quality against what a way takes: seconds of training, captions a second, and what must be
# kept beside the captioner.

# %% tags=["hide-input"]
fronts = {column: study.front(column) for column in figures_bridges.COSTS}
chapter.figure(
    figures_bridges.pareto_figure(study.ranking, fronts),
    "pareto",
    caption="CIDEr of captions of test images, with 95% intervals, against three costs; numbers are places in Figure 7.1. "
    "Grey: the Pareto front, the ways that no other is as cheap as and better than. The last axis is linear up to .001.",
    alt=descriptions_bridges.of_pareto(fronts),
)

# %% tags=["remove-input"]
chapter.say(bridges_prose.cost(study))

# %% tags=["hide-input"]
chapter.table(
    bridges_tables.costs(study),
    "price",
    caption="Costs of every way at its chosen setting, medians over seeds. Training: seconds of fitting and training (of "
    "images that are moved, their captioner's), with other cells beside it. Captions a second, each "
    "timed by itself; the captioners have one shape, so one of them stands for all that read images as they are. The bridge's memory is what it "
    "learned; the peak is that of the process on a CPU and of the device on a GPU.",
)

# %% [markdown]
# ## The calibration law
#
# If the mean cosine of images with their captions is $c$, Gaussian noise turns a text just as far as an image is turned from
# it when its variance is $v^\ast = (1/c^2 - 1)/d$. Here $c$ is that of the *training* pairs, so the law looks at images.
# It is tested on validation images: which variance is best, and between which bounds could the best one lie? Resamples of
# images and seeds choose anew; the interval is then widened by half a step of the grid on either side, since the grid
# cannot tell more. The law is *not supported* where $v^\ast$ lies outside, *supported* where it lies inside an interval
# that the grid brackets and whose ends are at most a factor of 8 apart, else *undecided*.

# %% tags=["hide-input"]
chapter.figure(
    figures_bridges.law_figure(study.laws),
    "law",
    caption="CIDEr of captions of validation images, as a share of the best, "
    + bridges_prose.law_axis(study),
    alt=descriptions_bridges.of_law(study.laws),
)

# %% tags=["remove-input"]
chapter.say(bridges_prose.law(study))

# %% tags=["remove-input"]
chapter.say(bridges_prose.dimensions(study))

# %% tags=["hide-input"]
chapter.table(
    bridges_tables.law(study),
    "law",
    caption="The law, one row an encoder: the mean cosine of training pairs, the variance that it asks for, the best "
    "variance on validation images with its 95% interval, the cosine that this leaves, and the range of variances that "
    "score at least 95% of the best.",
)

# %% [markdown]
# Other cosines could say how much noise to add, and [Table 7.8](#tab-predictors) asks them too. One of them takes no image:
# how far the captions of one image lie apart, which is near to how CapDec chose its noise.

# %% tags=["hide-input"]
predictors, groups = bridges_tables.predictors(study)
chapter.table(
    predictors,
    "predictors",
    caption="Three cosines of the training split, the variance whose noise leaves each, and how many doublings the best "
    "variance on validation images is from it.",
    groups=groups,
)

# %% [markdown]
# ### How long the decoder is trained
#
# The law knows nothing of the decoder, yet how far a decoder follows its text, and so how much noise it can make use of,
# depends on how long it has learned. Where a profile names other numbers of steps, the same captioners are trained for
# them too, each on the whole schedule of the learning rate.

# %% tags=["hide-input"]
if len(study.by_length) > 1:
    chapter.figure(
        figures_bridges.lengths_figure(study.lengths, study.length_laws),
        "lengths",
        caption="Left: CIDEr of captions of test images by how long the captioner was trained, without noise, with Gaussian "
        "noise by its variance and on images, with 95% intervals over images and, at the profile's own length, seeds. "
        "Right: the best variance on validation images with its interval; dotted, the law's.",
        alt=descriptions_bridges.of_lengths(study.lengths, study.length_laws),
    )

# %% tags=["remove-input"]
chapter.say(bridges_prose.lengths(study))

# %% [markdown]
# ## The tests
#
# The questions stand in the chapter's code and are the same whatever the results; what they compare is chosen on
# validation images where a way has several settings. They were settled while the default scale was tried out, so a run
# with other seeds or at another scale tests them more strictly. A way is called *enough* where it reaches 90% of the CIDEr
# of the captioner trained on images.

# %% tags=["hide-input"]
chapter.figure(
    figures_bridges.tests_figure(study.contrast_table),
    "tests",
    caption="The chapter's contrasts: difference in CIDEr between two conditions on the same test images, with 95% intervals "
    "over images and seeds and Holm-corrected p-values. A filled marker: interval and p-value agree that the difference is "
    "not 0. Right of 0, the first of the two is better.",
    alt=descriptions_bridges.of_tests(study.contrast_table),
)

# %% tags=["hide-input"]
chapter.table(
    bridges_tables.tests(study),
    "tests",
    caption="All tests of the corrected family, with the condition that is judged: differences in points of CIDEr with 95% "
    "intervals. Where a question is put of 90%, it is that share of the score of the captioner trained on images that is "
    "subtracted.",
)

# %% tags=["remove-input"]
chapter.say(phrases.detectable(study.contrasts))

# %% [markdown]
# ### Is there anything better than plain noise without an image?

# %% tags=["remove-input"]
chapter.say(bridges_prose.power(study))

# %% [markdown]
# ## The same images, six ways

# %% tags=["hide-input"]
examples = study.examples(study.shown)
chapter.panel(
    gallery.caption_panel(examples.images, examples.references, examples.systems),
    "captions",
    caption="A dozen test images, evenly spaced over the test set and not selected, each with one of its reference captions "
    "and what six ways over the gap say (first seed).",
)

# %% [markdown]
# ## What this says of the papers' claims
#
# The claims are put as this bench can test them; the papers made them on other data, with other decoders and at a larger
# scale. Some hypotheses are this book's own.

# %% tags=["remove-input"]
chapter.claims(
    study.claim_cards,
    "claims",
    caption="Claims of the papers behind the bridges, and of this book, with their verdicts and the tests that decide them, "
    "in points with 95% intervals (100 points are one CIDEr, or one doubling). The codes name the cells behind each side; "
    "they lead to the last table.",
)

# %% [markdown]
# ## All settings
#
# [Table 7.11](#tab-scores) has every condition by other metrics.

# %% tags=["hide-input"]
chapter.table(
    tables.score_columns(
        study.table,
        ["CIDEr", "BLEU-4", "MiniLM"],
        {"METEOR": "METEOR", "CHAIRi": "CHAIRi ↓", "identical": "Identical ↓"},
    ),
    "scores",
    caption="Scores of captions of test images in points, means over seeds; in brackets, 95% intervals over images and "
    "seeds. An arrow marks what should be low.",
    groups=study.groups,
)

# %% [markdown]
# ## Captions of another corpus
#
# Where the text that a decoder learns from does not belong to the images that it will see, the gap is not the only thing to
# cross: such captions have other words, another style, and other things to tell.

# %% tags=["remove-input"]
chapter.say(bridges_in_domain_prose.beside(study))

# %% tags=["hide-input"]
if study.in_domain:
    chapter.figure(
        figures_bridges.beside_figure(study.beside),
        "beside",
        caption="CIDEr of captions of test images by way over the gap, each at the setting that validation images chose, "
        "with 95% intervals: a decoder that has read another corpus's captions (filled), and one that has read those of "
        "the images' own (open).",
        alt=descriptions_bridges.of_beside(study.beside),
    )
    chapter.table(
        bridges_tables.beside(study),
        "beside",
        caption="The same in numbers: CIDEr of captions of test images in points, with 95% intervals. A dash: that side does "
        "not have the way.",
    )

# %% [markdown]
# ## How this chapter was computed

# %% tags=["remove-input"]
chapter.say(record.footer(study))

# %% tags=["remove-input"]
chapter.table(
    record.costs(study),
    "costs",
    caption="What the cells cost. A trained cell: seconds of training and decoding, wall-clock, with other cells beside it; "
    "moved images: seconds of one decoding. Peak memory is that of the process on a CPU and of the device on a GPU.",
)

# %% tags=["remove-input"]
chapter.table(
    record.cells(study),
    "cells",
    caption="Every cell of the chapter, by its folder in results/cells: a trained captioner, one that reads moved images, or "
    "captions that were looked up. CIDEr in points, of captions of test images.",
    ids=record.anchors(study),
)
