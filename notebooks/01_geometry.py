# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. The modality gap
#
# *How do images and their captions lie in the joint space, and what keeps them apart?*
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/-OWNER-/capdec-book/blob/v0.1.0/notebooks/01_geometry.ipynb)

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
from capdec_core import descriptions_geometry, figures_geometry, gallery, studies
from capdec_core.studies import geometry_prose, geometry_tables

study = studies.run("geometry", profile, device=device, seeds=seeds)
chapter = gallery.Gallery(chapter=1, profile=profile)
chapter.say(geometry_prose.in_short(study))

# %% [markdown]
# ## Background
#
# A joint encoder such as [CLIP](https://arxiv.org/abs/2103.00020) is trained to put an image next to its caption. It does
# not: [Liang et al. 2022](https://arxiv.org/abs/2203.02053) found that the two modalities lie in two separate regions of
# the unit sphere, and called the vector between their centroids the *modality gap*. Everything that this book asks follows
# from it, because a decoder that was trained in the one region is used in the other.
#
# For unit embeddings $x_i$ of images and $y_i$ of their captions, the gap is
#
# $$g = \frac{1}{n} \sum_i x_i - \frac{1}{n} \sum_i y_i,$$
#
# and the difference of a pair falls into that constant and a residual of its own, $x_i - y_i = g + r_i$. A method that
# shifts embeddings by $g$ deals with the first; noise in training has to deal with the second.

# %% tags=["remove-input"]
chapter.say(geometry_prose.sources(study))

# %% [markdown]
# ## How far apart
#
# [Figure 1.1](#fig-projection) shows the two modalities in the plane in which they vary most. [Table 1.1](#tab-distances)
# has the distances in all dimensions, with what they are good for: finding an image's caption among all captions, and a
# caption's image among all images. The calibrated variance $v^\ast = (1/c^2 - 1)/d$ is that of Gaussian noise which turns
# an embedding by the matched cosine $c$.

# %% tags=["hide-input"]
points = study.projection(shown=300)
chapter.figure(
    figures_geometry.projection(points),
    "projection",
    caption="Unit embeddings of images and of their first captions on the two principal components of both together, 300 "
    "of each at most. Thin lines join some matched pairs. A plane shows only part of the distances: of many dimensions, "
    "these two vary most.",
    alt=descriptions_geometry.of_projection(points),
)

# %% tags=["hide-input"]
distances, groups = geometry_tables.grouped(geometry_tables.distances(study))
chapter.table(
    distances,
    "distances",
    caption="Distances between images and captions. Cosines are means over pairs, with 95% bootstrap intervals over images; "
    "mismatched are all pairs of an image and another image's caption. R@1: the share of images whose own caption comes "
    "first among all captions, and of captions whose own image does. "
    "v* is a variance per coordinate; a dash where the matched cosine is not between 0 and 1.",
    groups=groups,
)

# %% tags=["remove-input"]
chapter.say(geometry_prose.apart(study))
chapter.say(geometry_prose.law(study))

# %% [markdown]
# ## What the gap is made of
#
# [Table 1.2](#tab-parts) takes the gap apart. *Half of it in* says how many coordinates together hold half of the squared
# gap. *A shift explains* is the share of the mean squared distance of matched pairs that the best constant shift removes.
# *Residual in* is the participation ratio $(\sum \lambda)^2 / \sum \lambda^2$ of the residual's spectrum: how many
# directions carry it.

# %% tags=["hide-input"]
parts, groups = geometry_tables.grouped(geometry_tables.parts(study))
chapter.table(
    parts,
    "parts",
    caption="What each gap is made of. Where only the two centres are known (CapDec's own, of RN50x4), a dash stands for "
    "what takes pairs.",
    groups=groups,
)

# %% tags=["hide-input"]
chapter.figure(
    figures_geometry.parts(study.trained),
    "parts",
    caption="How concentrated gap and residual are in trained networks. Left: the share of the squared gap in the largest "
    "coordinates. Right: the share of the residual's variance in its largest principal directions. Both cumulated, over "
    "a logarithmic count.",
    alt=descriptions_geometry.of_parts(study.trained),
)

# %% tags=["remove-input"]
chapter.say(geometry_prose.made_up(study))

# %% [markdown]
# Two more measures tell how well the space is used, of each modality by itself and of pairs. *Alignment* is the mean
# squared distance of matched pairs, *uniformity* $\log \mathrm{E} \exp(-2 \|x - x'\|^2)$ over pairs of one
# modality, both of [Wang and Isola 2020](https://arxiv.org/abs/2005.10242); lower is better. A modality in a narrow cone
# has a uniformity near 0.

# %% tags=["hide-input"]
spread, groups = geometry_tables.grouped(geometry_tables.spread(study))
chapter.table(
    spread,
    "spread",
    caption="Alignment and uniformity of unit embeddings; lower is better for both.",
    groups=groups,
)

# %% [markdown]
# ## What text alone knows of it
#
# CapDec had no images to measure a residual with. It took the spread of the captions that people write for one image as a
# stand-in for the distance that noise has to cover.

# %% tags=["remove-input"]
chapter.say(geometry_prose.clusters(study))

# %% [markdown]
# ## What makes the gap
#
# Liang et al. give two causes. A network maps whatever it is shown into a narrow cone, before it has learned anything;
# two networks, two cones. And the contrastive loss, which multiplies cosines by a scale (the inverse of a temperature)
# before it compares them, can rank the right caption first without bringing the cones together, if the scale is high.
#
# Both can be tried in seconds. Two small heads are trained on frozen features of other pairs, with CLIP's loss at a
# fixed scale, and judged on test pairs. Each modality's mean is taken from the features first, so any gap is of the
# heads' own making. Heads with a hidden layer begin in cones; linear heads hardly do.

# %% tags=["hide-input"]
chapter.figure(
    figures_geometry.scales(study.heads_table),
    "scales",
    caption="Trained heads against the scale of their contrastive loss: the norm of the gap (left; dotted: before training) "
    "and the matched cosine (right) of test pairs. Markers are means over training seeds, bars span them.",
    alt=descriptions_geometry.of_scales(study.heads_table),
)

# %% tags=["remove-input"]
chapter.say(geometry_prose.temperature(study))
chapter.say(geometry_prose.cone(study))

# %% [markdown]
# ## Verdicts

# %% tags=["remove-input"]
chapter.claims(
    study.claim_cards,
    "claims",
    caption="The verdicts, and the estimates that decide them: gap norms in hundredths, with 95% intervals over training "
    "seeds, p-values corrected for both tests. The codes name trainings, and lead to the chapter's last table.",
)

# %% [markdown]
# ## How this chapter was computed

# %% tags=["remove-input"]
chapter.say(geometry_prose.computed(study))

# %% tags=["remove-input"]
chapter.table(
    geometry_tables.heads(study),
    "heads",
    caption="Every training of heads, with the geometry of test pairs before and after it.",
    ids=geometry_tables.anchors(study),
)
