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
# *Which noise should be added to the text embedding, and how much of it?*
#
# In training the decoder reads a perturbed text embedding $x'$; when it is used, it reads an image embedding. Papers
# quote their noise in units that do not compare: CapDec a variance of .016, CLOSE a standard deviation of .12,
# Study A "N(0, 0.05)", which is a variance of .05. For isotropic noise of variance $v$ per coordinate, followed by
# normalising, the cosine between an embedding of dimension $d$ and its perturbed copy is close to
#
# $$\cos(x, x') \approx \frac{1}{\sqrt{1 + d v}}.$$
#
# So each condition below is given with its variance, its standard deviation, the norm of its noise and the measured
# mean cosine, and families are compared at equal cosine. If the mean cosine of an image and its caption is $c$, the
# variance whose cosine equals it is
#
# $$v^\ast = \frac{1/c^2 - 1}{d},$$
#
# and whether the best variance falls there is the *calibration law* that this chapter tests.

# %% tags=["parameters", "remove-cell"]
profile = "scenes"
device = "cpu"
seeds = 3

# %%
from capdec_core import figures, gallery
from capdec_core.studies import noise_types

study = noise_types.run(profile, device=device, seeds=seeds)
chapter = gallery.Gallery(chapter=2, profile=profile)

# %% tags=["remove-cell"]
gaussian = study.table[study.table.family == "gaussian"]
best = gaussian.loc[gaussian.CIDEr.idxmax()]
none = study.table[study.table.family == "none"].iloc[0]
chapter.number("matched", study.matched)
chapter.number("law", study.law)
chapter.number("best_variance", best.variance)
chapter.number("best_cosine", best.cosine)
chapter.number("best_cider", 100 * best.CIDEr)
chapter.number("none_cider", 100 * none.CIDEr)

# %% [markdown]
# ## The conditions
#
# Four controls bound what noise can do. *No noise* is the decoder that has only seen clean text embeddings.
# *Shuffled* trains on embeddings of other captions, and *language model alone* on none, so they show what is won by
# knowing the corpus's language. *Text to text* gives the decoder at test what it was trained on, the embedding of a
# caption: the most that the decoder could do if there were no gap.
#
# Student's t is run twice: *literal*, as Study A wrote it, with variance df/(df - 2), and *matched*, scaled to the
# variance of the Gaussian. Independent t coordinates add up to a radius that is almost constant in high dimension;
# only the *multivariate* t has a heavy-tailed radius. The *gradient* moves each embedding by a step of fixed length
# in the direction that raises the caption loss (or lowers it), and *random direction* is a step of the same length.
# [](#tab-conditions) lists every condition.

# %% tags=["hide-input"]
chapter.table(
    gallery.with_intervals(study.table, ["CIDEr", "METEOR"]),
    "conditions",
    caption="Every condition with its noise in the common currency, and scores of captions of test images in "
    "points, with 95% intervals. A dash: the quantity does not apply.",
)

# %% [markdown]
# ## Quality against cosine
#
# [](#fig-quality) puts the families on one axis. The vertical line is the cosine of an image and its own caption,
# {glue:text}`matched:.2f`: the distance that the noise has to bridge.

# %% tags=["hide-input"]
chapter.figure(
    figures.quality_against_cosine(study.table, matched=study.matched),
    "quality",
    caption="CIDEr on captions of test images against the measured mean cosine of the training noise, one "
    "curve a family. Bars are 95% intervals; bands are the controls with theirs.",
    alt="Line chart of CIDEr against the mean cosine of the training noise, one curve for each family of "
    "noise, with the controls as horizontal bands. The values are in the table of conditions.",
)

# %% [markdown]
# ## How much Gaussian noise
#
# Among the variances tried, CIDEr is highest at {glue:text}`best_variance:.3g` (cosine
# {glue:text}`best_cosine:.2f`), with {glue:text}`best_cider:.1f` points against {glue:text}`none_cider:.1f` without
# noise. The calibration law says {glue:text}`law:.3g`. [](#fig-variance) shows the whole curve.

# %% tags=["hide-input"]
chapter.figure(
    figures.noise_curve(study.table, law=study.law),
    "variance",
    caption="CIDEr on captions of test images against the variance of the Gaussian noise, with 95% "
    "intervals. Vertical lines: the calibration law's variance, CapDec's and Study A's.",
    alt="Line chart of CIDEr against the variance of Gaussian noise on a log scale, with the score without "
    "noise as a horizontal band. The values are in the table of conditions.",
)

# %% [markdown]
# ## Differences from no noise

# %% tags=["hide-input"]
chapter.figure(
    figures.contrast_forest(study.contrasts),
    "contrasts",
    caption="Difference in CIDEr from training without noise, with 95% intervals over images and seeds.",
    alt="Forest plot of differences in CIDEr from no noise, one row a condition.",
)

# %% [markdown]
# ## The same images, several systems

# %% tags=["hide-input"]
chapter.panel(
    gallery.caption_panel(study.examples.images, study.examples.references, study.examples.systems),
    "captions",
    caption="A dozen test images drawn at random, each with one of its reference captions and the captions "
    "of several systems.",
)
