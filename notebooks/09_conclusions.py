# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9. Conclusions: the claims ledger
#
# *Which claims of the two studies, and of the papers around them, hold, which do not, and why?*
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/-OWNER-/capdec-book/blob/v0.1.0/notebooks/09_conclusions.ipynb)

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
from capdec_core import descriptions_conclusions, figures_conclusions, gallery, studies
from capdec_core.studies import conclusions_prose, conclusions_tables

study = studies.run("conclusions", profile, device=device, seeds=seeds)
chapter = gallery.Gallery(chapter=9, profile=profile)
chapter.say(conclusions_prose.in_short(study))

# %% [markdown]
# This chapter has no experiment of its own. It collects the claims that the other chapters test, with the verdicts that
# they reach, and every verdict is computed from the scores of this run: other scores, other verdicts.
#
# ## How a verdict is reached
#
# Each chapter turns its claims into questions about differences. They stand in its code, with every margin, and are the
# same whatever the results. A claim is
#
# - *supported* where the differences that it implies are there beyond doubt, or, where it says that something does not
#   matter, where a difference worth having is ruled out;
# - *not supported* where the opposite is there beyond doubt;
# - *an artefact* where the difference is real, but owed to something other than what is claimed;
# - *undecided* where this test set and these trainings cannot tell.
#
# Beyond doubt means that the 95% interval over images and training seeds leaves out 0 and that the p-value, corrected
# by Holm's method over all tests of the chapter, is at most 5%. *Undecided* is not a polite form of *not supported*: a
# larger test set could decide either way.

# %% tags=["hide-input"]
chapter.table(
    conclusions_tables.counts(study),
    "counts",
    caption="How many claims of each study or paper have which verdict in this run. Answers to a question that a study left open, "
    "and what its protocol takes for granted, are counted with it.",
)

# %% [markdown]
# ## The ledger
#
# [Table 9.2](#tab-ledger) has one row a claim, with the estimate that decides it. The last column leads to the captioner
# behind that estimate, in the record of the chapter that examined the claim.

# %% tags=["hide-input"]
chapter.table(
    conclusions_tables.ledger(study),
    "ledger",
    caption="The claims ledger: verdict, deciding estimate in points with its interval, corrected p-value, and the "
    "equivalence margin in points where the p-value is for two one-sided tests (their interval is at 90%, all others "
    "at 95%). The code names the first captioner behind the estimate and leads to it.",
    groups=conclusions_tables.ledger_groups(study),
)

# %% [markdown]
# [Figure 9.1](#fig-estimates) draws the same estimates. They are of different metrics and differences of different things,
# so panels do not compare; what can be seen is how far each lies from 0, or within its margin, for its own interval.

# %% tags=["hide-input"]
chapter.figure(
    figures_conclusions.deciding_estimates(study.frame),
    "estimates",
    caption="The estimate that decides each claim, with its interval, one panel a metric; before each claim the number of "
    "its chapter. The mark is the verdict, which can rest on more than this one estimate. Shaded: the margin within "
    "which a difference counts as none.",
    alt=descriptions_conclusions.of_estimates(study.frame),
)

# %% tags=["remove-input"]
chapter.say(conclusions_prose.artefacts(study))
chapter.say(conclusions_prose.twice(study))

# %% [markdown]
# ## What each study got right and wrong, and why
#
# Both are student studies that asked good questions with few means, and said enough of what they did to be repeated. What
# follows is said of their claims in the world of this run and at its scale, not of their own numbers. The reasons are
# those that the chapters compute with their verdicts.
#
# ### Study A
#
# Study A replaced CapDec's Gaussian noise with other noises, changed the mapper's heads and layers, and compared all of it
# with a published checkpoint, by one metric, on fifteen chosen images.

# %% tags=["remove-input"]
chapter.say(conclusions_prose.of_study(study, "Study A"))

# %% [markdown]
# ### Study B
#
# Study B trained ClipCap with three prefix lengths, compared BLEU with the published score, and left open which way of
# decoding is best.

# %% tags=["remove-input"]
chapter.say(conclusions_prose.of_study(study, "Study B"))

# %% [markdown]
# ### The papers
#
# What chapters 1 and 7 test is what papers say of the modality gap and of the ways over it, and what this book supposed
# before it looked.

# %% tags=["remove-input"]
chapter.say(conclusions_prose.of_papers(study))

# %% [markdown]
# ## What it takes
#
# Whatever the verdicts of a particular run, the two studies show what such a comparison needs, and this book had to add
# it before it could say anything:
#
# - *One currency.* Noise is compared at a measured cosine, not by parameters that mean different things.
# - *Controls.* No noise, shuffled embeddings, a language model alone, a random direction of the same length: without them a
#   good score cannot be told from a high floor.
# - *One change at a time.* A prefix twice as long makes another mapper of another size; a deeper mapper is a larger one; a
#   published checkpoint differs from a captioner of one's own in more than its noise.
# - *Tests of absence.* "No impact" and "no trend" ask for an equivalence test with a margin stated in advance; a
#   difference that was not found is not one that is not there.
# - *Images that nobody chose.* A system that chooses its own test images has an advantage, and so would any other.
# - *Repetition.* With one training, what is luck cannot be told from what is not.
#
# ## How this chapter was computed

# %% tags=["remove-input"]
chapter.say(conclusions_prose.computed(study))

# %% tags=["remove-input"]
chapter.table(
    conclusions_tables.work(study),
    "work",
    caption="What each chapter rests on: its conditions, the cells (trained captioners, and other decodings of them) "
    "behind those, how many of them no earlier chapter has, the wall-clock seconds that these took, and its claims.",
)
