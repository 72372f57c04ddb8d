# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10. The full grid
#
# *What does the whole grid take at paper scale, on one GPU, on 8 and on 64, and what limits it?*
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/-OWNER-/capdec-book/blob/v0.1.0/notebooks/10_scaling.ipynb)

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
from capdec_core import figures_scaling, gallery, studies
from capdec_core.studies import scaling_prose, scaling_tables

study = studies.run("scaling", profile, device=device, seeds=seeds)
chapter = gallery.Gallery(chapter=10, profile=profile)
chapter.say(scaling_prose.in_short(study))

# %% [markdown]
# `make reproduce` prints what a run will take before it starts: how many cells are missing, how long they take by a timing
# of some seconds, what they fill and what they fetch (`make plan` prints that alone). This chapter sets the prediction
# against what the cells of this run took, and plans with it what nobody has run yet: the whole grid of both studies with
# COCO, CLIP and GPT-2.
#
# ## How good is the prediction?
#
# A cell is so many steps, each of so many operations, and then a beam search over so many images. The operations are
# known by formula. What a step takes beside them, and how many a machine does in a second, is read off two captioners that
# are trained for some steps on random captions: the one that most cells have, and the costliest.

# %% tags=["remove-input"]
chapter.say(scaling_prose.predicted(study))

# %% tags=["hide-input"]
chapter.figure(
    figures_scaling.cost_figure(study.shapes),
    "costs",
    caption="Measured against predicted seconds of a trained cell. A point is one shape of captioner with one budget: the "
    "median of its cells, with a line from the fastest to the slowest.",
    alt=figures_scaling.cost_alt(study.shapes),
)

# %% [markdown]
# ## The grid of paper scale
#
# [Table 10.1](#tab-grid) counts it. Chapters share cells, and a row's hours and bytes are of those that no earlier chapter
# has.

# %% tags=["hide-input"]
chapter.table(
    scaling_tables.grid(study),
    "grid",
    caption="The cells of profile coco by chapter, how many of them no earlier chapter has, how many of those are trained, "
    "and what those take: hours of one GPU, and bytes on disk.",
)

# %% tags=["remove-input"]
chapter.say(scaling_prose.source(study))

# %% tags=["hide-input"]
chapter.table(
    scaling_tables.speeds(study),
    "speeds",
    caption="Hours of training and decoding of all cells on 1, 8 and 64 GPUs, at different speeds of one GPU. Peaks are "
    "those of dense bfloat16 operations on the makers' data sheets.",
)

# %% [markdown]
# ## On 8 and on 64 GPUs
#
# Cells need nothing of each other, so they are dealt to the GPUs, the longest first, one at a time each. What comes before
# them (data, weights, embeddings) and after them (scores) is done once, on one host.

# %% tags=["hide-input"]
chapter.table(
    scaling_tables.plan(study),
    "plan",
    caption="The whole grid, from nothing, by the number of GPUs: what each part takes, all of it, the share of time that "
    "GPUs wait for the last cell, and the part that takes most.",
)

# %% tags=["hide-input"]
chapter.figure(
    figures_scaling.hours_figure(study.walls, study.costliest, scaling_tables.GPUS),
    "hours",
    caption="Hours of the whole grid against the number of GPUs; 8 and 64 are marked. Shaded: a GPU that is twice as fast "
    "or half as fast as was assumed, where its speed is an assumption.",
    alt=figures_scaling.hours_alt(study.walls, study.costliest),
)

# %% tags=["remove-input"]
chapter.say(scaling_prose.limits(study))

# %% [markdown]
# ## Storage

# %% tags=["hide-input"]
chapter.table(
    scaling_tables.storage(study),
    "storage",
    caption="What the whole grid takes on disk. A tuned language model is stored with its cell.",
)

# %% [markdown]
# ## How this chapter was computed
#
# The plan takes this for granted:

# %% tags=["remove-input"]
chapter.say(scaling_prose.assumptions(study))
