# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2. Noise types
#
# *Which noise should be added to a caption's embedding in training, and how much of it, so that the decoder can read
# images?*
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/-OWNER-/capdec-book/blob/v0.1.0/notebooks/02_noise_types.ipynb)

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
from capdec_core import descriptions, figures, gallery, studies, tables
from capdec_core.studies import noise_types_prose, phrases, record

study = studies.run("noise_types", profile, device=device, seeds=seeds)
chapter = gallery.Gallery(chapter=2, profile=profile)
chapter.say(noise_types_prose.in_short(study))

# %% [markdown]
# The differences above are in points of CIDEr with 95% intervals; the rest of the chapter says how they came about.
#
# ## Background
#
# [CapDec](https://arxiv.org/abs/2211.00575) trains a decoder to turn the CLIP embedding $x$ of a caption back into
# that caption, and then gives it the embedding of an image. The two modalities lie apart on the unit sphere
# ([Liang et al. 2022](https://arxiv.org/abs/2203.02053) call this the *modality gap*), so a decoder that has only seen
# clean text embeddings is asked about points that it has never seen. CapDec's answer is noise: in training the decoder
# reads a perturbed embedding
#
# $$x' = \frac{x + n}{\|x + n\|},$$
#
# so that everything in some neighbourhood of $x$ means the same caption. Study A replaced CapDec's Gaussian $n$ with
# Student t noise and with a step along the gradient of the caption loss, and found the gradient to be the most
# effective. This chapter trains all of them in one world, at strengths that can be compared.
#
# ### One currency for noise
#
# Papers quote their noise in units that do not compare: CapDec a variance of .016, CLOSE a standard deviation of .12,
# Study A "N(0, 0.05)", which is a variance of .05. What the decoder sees is how far the embedding has turned. For
# isotropic noise of variance $v$ per coordinate in $d$ dimensions, followed by normalising,
#
# $$\cos(x, x') \approx \frac{1}{\sqrt{1 + d v}}.$$
#
# Every condition is therefore given with its variance, its standard deviation, the norm of its noise, and the mean
# cosine between embeddings and their perturbed copies as it was measured in training.
#
# An image's embedding, too, is a turned copy of its caption's. If the mean cosine of the two is $c$, Gaussian noise
# turns an embedding just as far when its variance is
#
# $$v^\ast = \frac{1/c^2 - 1}{d}.$$
#
# That the best variance falls there is the *calibration law*, a hypothesis that this chapter tests.

# %% tags=["remove-input"]
chapter.say(noise_types_prose.world(study))

# %% [markdown]
# [Figure 2.1](#fig-ruler) lays the noise of all conditions on one scale. It shows why variances and step lengths must not
# be compared by their numbers: at the settings of Study A, the gradient hardly moves an embedding, and Student t leaves
# next to nothing of it.

# %% tags=["hide-input"]
chapter.figure(
    figures.noise_ruler(study.table, matched=study.geometry.matched),
    "ruler",
    caption="How far each condition turns a caption's embedding: the mean cosine between embedding and perturbed copy, "
    "measured in training, one marker a condition, one row a family. On the left, noise that changes nothing; on the "
    "right, noise that leaves nothing. The dotted line is the mean cosine of an image and its own caption.",
    alt=descriptions.of_ruler(study.table),
)

# %% tags=["remove-input"]
chapter.say(noise_types_prose.currency(study))

# %% [markdown]
# ## The conditions
#
# Five controls bound what noise can do:
#
# - *No noise*: a decoder that has only seen clean text embeddings. What it lacks is the price of the gap.
# - *Shuffled embeddings*: training on other captions' embeddings. What it scores is owed to knowing the language alone.
# - *Language model alone*: the same constant embedding for every caption, in training and at test.
# - *Text to text*: the decoder without noise, given at test what it was trained on, the embedding of an image's first
#   caption. There is no gap to cross, and the caption in question is among the references.
# - *Trained on images*: the same captioner, trained on image embeddings as
#   [ClipCap](https://arxiv.org/abs/2111.09734) is. It has what text-only training goes without.
#
# The families of noise:
#
# - *Gaussian* over a grid of variances, and the *uniform ball*, whose parameter is a radius.
# - *Student t*, independent in each coordinate: as Study A wrote it, with variance $\nu/(\nu - 2)$ for $\nu$ degrees of
#   freedom, and scaled to the variance of a Gaussian. The *multivariate t* draws one chi-square for a whole row, so its
#   length is heavy-tailed too.
# - *Gradient*: a step of fixed length $\varepsilon$ along the gradient of each caption's own loss with respect to $x$,
#   ascending (as Study A did) or descending. A *random direction* of the same length is its control.
#
# [Table 2.1](#tab-noise) lists them all in the common currency.

# %% tags=["hide-input"]
chapter.table(
    tables.noise_columns(study.table),
    "noise",
    caption="Every condition's noise. Variance and standard deviation are per coordinate, of the noise before "
    "normalising; the norm is its expected length beside an embedding of length 1; the cosine was measured in training. "
    "A dash: the quantity does not apply, or (the norm of Student t) has no closed form.",
    groups=study.groups,
)

# %% [markdown]
# ## Quality against cosine
#
# [Figure 2.2](#fig-quality) is the chapter's main result: each family's captions, scored against the reference
# captions by CIDEr, over the cosine that its noise leaves. Where two families have the same cosine, what differs between them is
# the *shape* of the noise; along one curve it is the *amount*.

# %% tags=["hide-input"]
chapter.figure(
    figures.quality_against_cosine(study.table, matched=study.geometry.matched),
    "quality",
    caption="CIDEr of captions of test images against the measured mean cosine of the training noise, one curve a "
    "family; noise grows to the right. Bars are 95% intervals over test images, and over training seeds where a "
    "condition has several (Table 2.1). Horizontal lines with bands are the controls with their intervals; the dotted "
    "vertical line is the mean cosine of an image and its own caption.",
    alt=descriptions.of_quality(study.table),
)

# %% [markdown]
# [Table 2.2](#tab-scores) has the same conditions by other metrics. BLEU-4, METEOR, ROUGE-L, CIDEr and CHAIR read the
# best caption of a beam search of width 5. MiniLM is Study A's measure, the mean cosine between each reference and each of
# *five* generated captions in the space of the sentence encoder all-MiniLM-L6-v2; the five are the captions of the beam,
# and all test images count, not the fifteen on which the baseline does best. CHAIRi is the share of the objects that a
# caption mentions and the image does not hold. Decoders that collapse show in the last column: the share of images whose
# caption another image has, too.

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
# ## How much Gaussian noise
#
# Noise costs something: an embedding that was turned is harder to read. [Figure 2.3](#fig-variance) shows what is paid
# and what is bought. The same captioners are asked twice, once with the embeddings of images, once with those of the
# images' captions. Where there is no gap to cross, noise should only harm; across the gap it may help, up to a point.

# %% tags=["hide-input"]
chapter.figure(
    figures.noise_curve(
        study.table,
        law=study.geometry.calibrated_variance,
        reconstruction=study.reconstruction,
        chosen=study.best.parameter,
    ),
    "variance",
    caption="CIDEr of the same captioners against the variance of their Gaussian training noise, from images and from the "
    "images' captions (text to text). Ribbons and bars are 95% intervals; horizontal lines are the captioner without "
    "noise. The ring marks the variance that scores highest on validation images, on the seeds that all variances have. "
    "Dotted lines: the variance of the calibration law, CapDec's and Study A's.",
    alt=descriptions.of_sweep(study.table, study.reconstruction),
)

# %% tags=["remove-input"]
chapter.say(noise_types_prose.best_variance(study))
chapter.say(noise_types_prose.reconstruction(study))

# %% [markdown]
# ### The calibration law

# %% tags=["remove-input"]
chapter.say(noise_types_prose.law(study))

# %% [markdown]
# ## The contrasts
#
# The questions of this chapter stand in its code and are the same whatever the results. They were settled while the
# default scale was tried out, the comparison of the gradient with the best Gaussian last of all, so a run with other
# seeds or at another scale tests them more strictly than this one.
# Each is a difference between two conditions on the same test images. The interval is a bootstrap over images and
# seeds. The p-value is that of paired approximate randomisation, corrected by Holm's method over all questions of
# [Table 2.3](#tab-contrasts). In what follows "better" and "worse" mean that interval and corrected p-value agree.

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
# ## What the noises do
#
# ### Student t as Study A wrote it
#
# A tabled t variable with $\nu$ degrees of freedom has the variance $\nu/(\nu - 2)$, above 1 whatever $\nu$ is. The
# embedding it is added to has length 1 *over all coordinates together*, a mean square of $1/d$ in each.

# %% tags=["remove-input"]
chapter.say(noise_types_prose.literal_t(study))

# %% [markdown]
# ### The shape of the noise at equal variance
#
# The squared length of $n$ is a sum of $d$ independent terms. Around its mean $d v$ it spreads by a share of
# $\sqrt{(\kappa - 1)/d}$, with $\kappa = 3 + 6/(\nu - 4)$ the kurtosis of Student t for $\nu > 4$ and 3 for the Gaussian.
# In hundreds of dimensions both are small: the heavy tails of single coordinates are averaged away, and what is left is
# a step of nearly fixed length in a random direction, as Gaussian noise is. Only the multivariate t keeps its tails,
# since one draw scales all coordinates. [Table 2.4](#tab-student) puts the three side by side.

# %% tags=["hide-input"]
chapter.table(
    study.side_by_side(
        {
            "student t, literal": "as written",
            "student t, matched": "matched",
            "multivariate t": "multivariate",
        },
        parameter="df",
    ),
    "student",
    caption="Student t in its three forms by degrees of freedom: measured mean cosine, and CIDEr of captions of test "
    "images in points with 95% intervals. Matched and multivariate have one variance for all degrees of freedom.",
)

# %% tags=["remove-input"]
chapter.say(noise_types_prose.matched_t(study))

# %% [markdown]
# ### The length and the direction of a gradient step
#
# A step of length $\varepsilon \le 1$ leaves a cosine of at least $\sqrt{1 - \varepsilon^2}$, whatever its direction. To
# tell what the *direction* does, [Table 2.5](#tab-gradient) sets both signs of the gradient beside a random direction, up
# to steps longer than the embedding itself.

# %% tags=["hide-input"]
chapter.table(
    study.side_by_side(
        {"gradient": "ascending", "gradient, descending": "descending", "random direction": "random"},
        parameter="ε",
    ),
    "gradient",
    caption="Steps of one length ε in three directions: up the caption loss, down it, and at random. Measured mean "
    "cosine, and CIDEr of captions of test images in points with 95% intervals.",
)

# %% tags=["remove-input"]
chapter.say(noise_types_prose.gradient(study))

# %% [markdown]
# ## The same images, several systems
#
# Scores are averages; [Figure 2.5](#fig-captions) is what they average over.

# %% tags=["hide-input"]
examples = study.examples(study.shown)
chapter.panel(
    gallery.caption_panel(examples.images, examples.references, examples.systems),
    "captions",
    caption="A dozen test images, evenly spaced over the test set and not selected, each with one of its reference "
    "captions and the captions of several systems (first seed, best of the beam).",
)

# %% [markdown]
# ## What this says of Study A's claims
#
# A claim is *supported* or *not supported* where the contrasts say so beyond doubt, *undecided* where they do not, and an
# *artefact* where the difference is real and owed to something other than what is claimed.

# %% tags=["remove-input"]
chapter.say(noise_types_prose.provenance(study))

# %% tags=["remove-input"]
chapter.claims(
    study.claim_cards,
    "claims",
    caption="Study A's two claims on noise, the verdicts, and the contrasts that decide them, in points of CIDEr with "
    "95% intervals. The codes name the cells behind each side; they lead to Table 2.8.",
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
    "the same machine; peak memory is that of the process on a CPU and of the device on a GPU.",
)

# %% tags=["remove-input"]
chapter.table(
    record.cells(study),
    "cells",
    caption="Every cell of the chapter, by its folder in results/cells: one trained captioner with its captions and "
    "per-image scores. CIDEr in points, of captions of test images.",
    ids=record.anchors(study),
)
