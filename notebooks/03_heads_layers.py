# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3. Heads and layers
#
# *Does it matter how many heads or how many layers the mapper has, the part that turns one embedding into a prefix for
# the language model?*
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/-OWNER-/capdec-book/blob/v0.1.0/notebooks/03_heads_layers.ipynb)

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
from capdec_core import figures_heads_layers as figures
from capdec_core import gallery, studies, tables
from capdec_core.studies import heads_layers_prose, record
from capdec_core.studies.heads_layers_claims import MARGIN

study = studies.run("heads_layers", profile, device=device, seeds=seeds)
chapter = gallery.Gallery(chapter=3, profile=profile)
chapter.say(heads_layers_prose.in_short(study))

# %% [markdown]
# Differences are in points of CIDEr, with 95% intervals except where equivalence is tested (90%); the rest of the chapter
# says how they came about.
#
# ## Background
#
# CapDec's mapper is a transformer ([ClipCap](https://arxiv.org/abs/2111.09734), section 3). The embedding is made into a
# few vectors, a few learned constants are put beside them, and a stack of *layers* mixes them all; what has become of the
# constants is the prefix that the language model reads. In each layer, attention is divided among *heads*, each of
# which compares the vectors in a part of their coordinates.
#
# Study A varied both, around a baseline of 8 heads and 8 layers: 2, 4, 8 and 16 heads, and 4, 6, 8, 10, 16 and 24 layers.
# It found that *attention heads had minimal impact*, and that layers were *mixed, no clear trend*. Both are findings of
# an absence. A test that finds no difference does not show one: with few images nothing is ever different. What
# such a claim needs is an **equivalence test**, which asks whether a difference as large as one that would matter can be
# ruled out, and that needs a margin, stated before looking.

# %% tags=["remove-input"]
chapter.say(heads_layers_prose.setting(study))

# %% [markdown]
# ### What counts as minimal

# %% tags=["remove-input"]
chapter.say(heads_layers_prose.margin(study))

# %% [markdown]
# The margin stands in the chapter's code, and was put there before any captioner of this chapter was trained.
#
# Equivalence has a trap of its own: captioners that have learnt nothing are all equivalent. A *control* guards against
# it, the baseline's mapper trained on shuffled embeddings, which say nothing about the captions. Unless the baseline
# beats it by more than the margin, both claims stay undecided.

# %% tags=["remove-input"]
chapter.say(heads_layers_prose.reading(study))

# %% [markdown]
# ### What heads change
#
# A layer of width $w$ with $h$ heads multiplies each vector by the same $w \times w$ matrices whatever $h$ is; the
# product is then cut into $h$ pieces of $w/h$ coordinates, and each piece attends for itself. So heads change no
# tensor's shape and not one parameter, and a file of weights loads without complaint into a mapper with the wrong number
# of them. (A captioner's file here carries its configuration, and one that disagrees is refused.) What more heads cost is
# the width of each.

# %% tags=["remove-input"]
chapter.say(heads_layers_prose.heads_size(study))

# %% [markdown]
# ### What layers change
#
# Layers do change the size, so a grid of layers confounds depth with the number of parameters.

# %% tags=["remove-input"]
chapter.say(heads_layers_prose.sizes(study))

# %% [markdown]
# Beside the layers as they come stands therefore a second arm, in which every number of layers has the baseline's
# parameters: deeper mappers are narrower, shallower ones wider, in their vectors and in the hidden layers of their blocks
# alike. A linear layer brings the prefix to the language model's width.

# %% tags=["remove-input"]
chapter.say(heads_layers_prose.matching(study))

# %% [markdown]
# Neither arm is depth alone. As they come, deeper mappers are larger; at matched parameters they are narrower. What
# both arms agree on is not owed to size.
#
# ## The mappers
#
# [Table 3.1](#tab-shapes) has every mapper of the chapter. All are trained on text alone, with one recipe: noise,
# batches, learning rate and seeds are the same for all. The recipe was settled with the baseline, on validation
# images, while the default scale was tried out; another mapper might do better with one of its own.

# %% tags=["hide-input"]
chapter.table(
    study.shapes,
    "shapes",
    caption="Every condition's mapper: heads, layers, width of the vectors that the layers mix, coordinates of one head, "
    "hidden units of each layer's feed-forward part, and the parameters of the mapper alone. Seconds are those of a cell, "
    "training and decoding, median over seeds, with other cells beside it on the same machine.",
    groups=study.groups,
)

# %% [markdown]
# ## Heads
#
# [Figure 3.1](#fig-heads) has the captions' scores by number of heads, and each one's difference from the baseline
# beside the margin. A number of heads is equivalent to the baseline where the whole interval of the difference lies inside
# the band, and the p-value of the two one-sided tests, corrected by Holm's method over the numbers of heads, agrees.

# %% tags=["hide-input"]
heads = study.arm_table("heads")
chapter.figure(
    figures.heads_figure(heads, study.heads_equivalences, study.value(study.baseline, "heads"), MARGIN),
    "heads",
    caption="CIDEr of captions of test images by the mapper's number of heads. Left: scores with 95% intervals over "
    "images and seeds; the band is the margin around the baseline. Right: the difference of each from the baseline "
    "(diamond) on the same images, with the 90% intervals of the equivalence tests and the same margin. The heads "
    "axis is spaced by doublings.",
    alt=figures.heads_alt(heads, study.heads_equivalences, MARGIN),
)

# %% tags=["remove-input"]
chapter.say(heads_layers_prose.heads(study))
chapter.say(heads_layers_prose.power(study))

# %% [markdown]
# ## Layers
#
# [Figure 3.2](#fig-layers) has both arms, by layers and by parameters. Three questions are put to each arm, and each
# question's p-values are corrected over the two arms:
#
# - *Is there a trend?* The slope of CIDEr over the logarithm of layers, so that every doubling counts the same. Its
#   interval is over images and seeds; its p-value comes from exchanging the layers' names within each image.
# - *Is it negligible?* Two one-sided tests that the slope lies within the margin.
# - *Do the numbers of layers differ at all*, in whatever order? The variance of their means against what exchanging names
#   within images gives, and against what other images and other seeds would give; the larger of both p-values counts.

# %% tags=["hide-input"]
arms = {figures.AS_RUN: study.arm_table("layers"), figures.AT_SIZE: study.arm_table("layers, matched")}
control = study.results.interval(study.named("mapper control"), "CIDEr")
chapter.figure(
    figures.layers_figure(arms, control),
    "layers",
    caption="CIDEr of captions of test images by the mapper's number of layers (left, spaced by doublings; the arms "
    "a little apart for legibility) and by its parameters (right; numbers are layers). At matched parameters all mappers "
    "have the same size, within 1%, and are drawn side by side, the shallowest on the left. Bars, and the band of the "
    "control, are 95% intervals over images and seeds.",
    alt=figures.layers_alt(arms, control),
)

# %% tags=["remove-input"]
chapter.say(heads_layers_prose.layers(study))
chapter.say(heads_layers_prose.size_effect(study))

# %% [markdown]
# ## Why
#
# A deeper mapper can only help if it is trained to. All mappers here have the same steps at the same learning rate;
# [Figure 3.3](#fig-training) shows what they have made of them.

# %% tags=["hide-input"]
chapter.figure(
    figures.training_figure(study.curves("layers"), arms),
    "training",
    caption="Left: loss in the course of training, one curve a number of layers (at its end), as they come; means over "
    "seeds and over a twentieth of the steps at a time. Right: loss at the end, the mean over the last tenth of the "
    "steps, in both arms; one marker a seed, lines join means.",
    alt=figures.training_alt(arms),
)

# %% tags=["remove-input"]
chapter.say(heads_layers_prose.lag(study))
chapter.say(heads_layers_prose.losses(study))
chapter.say(heads_layers_prose.cost(study))

# %% [markdown]
# What this chapter says of layers, it says of mappers trained for as long as these were. Whether deeper ones would
# catch up, or overtake, in a longer training is not in these numbers.

# %% [markdown]
# ## All scores
#
# [Table 3.2](#tab-scores) has the conditions by the metrics that
# [chapter 2](02_noise_types.ipynb) explains.

# %% tags=["hide-input"]
chapter.table(
    tables.score_columns(
        study.table,
        ["CIDEr", "BLEU-4", "ROUGE-L", "MiniLM"],
        {"METEOR": "METEOR", "CHAIRi": "CHAIRi ↓", "identical": "Identical ↓"},
    ),
    "scores",
    caption="Scores of captions of test images in points (100 times the metric's value), means over seeds; in brackets, "
    "95% intervals over images and seeds. METEOR, CHAIRi and the share of identical captions are given without interval. "
    "An arrow marks what should be low.",
    groups=study.groups,
)

# %% [markdown]
# ## The same images, six mappers
#
# [Figure 3.4](#fig-captions) has the captions of the baseline and of the ends of each arm.

# %% tags=["hide-input"]
examples = study.examples(study.shown)
chapter.panel(
    gallery.caption_panel(examples.images, examples.references, examples.systems),
    "captions",
    caption="A dozen test images, evenly spaced over the test set and not selected, each with one of its reference "
    "captions and the captions of the baseline and of the mappers at the ends of the arms (first seed, best of the beam).",
)

# %% [markdown]
# ## What this says of Study A's claims
#
# *Minimal impact* is supported where every number of heads is equivalent to the baseline, and not supported where one
# of them differs from it by more than the margin beyond doubt. *No clear trend* is supported where a trend that adds up
# to the margin is ruled out, and not supported where there is one beyond doubt that may reach it. What is neither is
# undecided, and so is everything where the baseline does not read images. If the layers as they come show no trend, but
# those of matched parameters do, the absence is an *artefact* of size.

# %% tags=["remove-input"]
chapter.claims(
    study.claim_cards,
    "claims",
    caption="Study A's two claims on heads and layers, the verdicts, and the tests that decide them. Estimates in points; "
    "intervals at 90% where there is a margin, at 95% elsewhere. The codes name the cells behind each estimate; they lead "
    "to Table 3.5.",
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
    "the same machine; peak memory is that of the process on a CPU and of the device on a GPU. Trainable parameters are "
    "those of mapper and language model together.",
)

# %% tags=["remove-input"]
chapter.table(
    record.cells(study),
    "cells",
    caption="Every cell of the chapter, by its folder in results/cells: one trained captioner with its captions and "
    "per-image scores. CIDEr in points, of captions of test images.",
    ids=record.anchors(study),
)
