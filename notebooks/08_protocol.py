# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 8. How to choose
#
# *What does it do to a comparison to make it on the images where one of the systems is at its best?*
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/-OWNER-/capdec-book/blob/v0.1.0/notebooks/08_protocol.ipynb)

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
from capdec_core import descriptions_protocol, figures_protocol, gallery, studies
from capdec_core.studies import protocol_prose, protocol_tables, record

study = studies.run("protocol", profile, device=device, seeds=seeds)
chapter = gallery.Gallery(chapter=8, profile=profile)
chapter.say(protocol_prose.in_short(study))

# %% [markdown]
# Scores are in points of MiniLM, differences and their effects too, with 95% intervals in which the images are chosen
# anew in every resample.
#
# ## Background
#
# Study A judged its captioners by meaning: five captions $c$ are generated for an image, and each is compared with each
# of the image's references $r$ by the cosine of their embeddings $e$ in the space of a sentence encoder,
# all-MiniLM-L6-v2. An image's score is the mean over all pairs,
#
# $$s = \frac{1}{|C|\,|R|} \sum_{c \in C} \sum_{r \in R} \cos\bigl(e(c), e(r)\bigr).$$
#
# Then it compared its systems on the *15 images on which the pre-trained CapDec scored best*. The idea is reasonable at
# first sight: look where the method works. But the images are chosen by one of the scores that are then compared, and
# that favours whoever chooses, for two reasons.
#
# - *Luck.* A captioner scores high on an image because the image suits it, and because that training, on that image,
#   happened to hit on words that the references have. The first comes back in another training, the second does not.
#   Chosen images are rich in both, and so the baseline is compared by luck that the others were never given a chance
#   to have. Galton called what happens to a score once its luck is taken away *regression towards mediocrity*.
# - *Fit.* Even without luck, the chosen images are those that suit the baseline, and other systems have other strengths.
#
# If $x$ is the score that chooses and $y$ a score that is compared, and $y$ is linear in $x$, then on the chosen images
# $y$ is higher than on all by $\beta\,(\bar x_\text{chosen} - \bar x)$ with $\beta = \operatorname{cov}(x, y) /
# \operatorname{var}(x)$. The choice therefore adds
#
# $$(1 - \beta)\,(\bar x_\text{chosen} - \bar x)$$
#
# to the chooser's advantage. With another training of the same system as $y$, $\beta$ is the *reliability* of the score,
# and what is added is luck alone.
#
# ### Four ways to take the luck away
#
# The score that chooses must be independent of the score that is compared. That can be had in several ways:
#
# - *by other captions*: of the five captions of an image, some choose, and the baseline is compared by the others (all
#   ways to part the five, each part in each role);
# - *by other references*: some of the references choose, and all systems are compared by the others;
# - *by another seed*: the same sampler twice. One training of the baseline chooses, and the baseline is compared by
#   another, which has had the same texts, the same noise and other luck;
# - *all test images*: nothing is chosen. Only here is the fit gone, too.

# %% tags=["remove-input"]
chapter.say(protocol_prose.world(study))

# %% [markdown]
# ## The systems
#
# [Table 8.1](#tab-systems) has Study A's own systems from [chapter 2](02_noise_types.ipynb) (its noises as it wrote them),
# [chapter 3](03_heads_layers.ipynb) (heads and layers of the mapper) and [chapter 4](04_cosine_directed.ipynb) (the best of
# its cosine-directed grid), and a few that it did not have, to show where its baseline stands. No captioner was trained
# for this chapter.

# %% tags=["remove-input"]
chapter.say(protocol_prose.provenance(study))

# %% tags=["hide-input"]
chapter.table(
    protocol_tables.systems(study),
    "systems",
    caption="The systems, their trainings, and their CIDEr on all test images in points, with 95% intervals over images "
    "and seeds.",
    groups=[study.heading(condition) for condition in study.systems],
)

# %% [markdown]
# ## Chosen images against all images
#
# [Figure 8.1](#fig-scores) shows every system on the chosen images and on all. The marks of the baseline are what to look
# at: its own captions chose the images of the first, another of its trainings those of the second.

# %% tags=["hide-input"]
chapter.figure(
    figures_protocol.scores_by_choice(study.scores),
    "scores",
    caption="MiniLM of every system on the images that the baseline's captions chose (diamonds) and on all test images "
    "(circles), and of the baseline on images that another of its trainings chose (square). Each seed of the baseline "
    "chooses in turn. Bars are 95% intervals; the images are chosen anew in each resample. Systems are ordered by their "
    "score on all test images.",
    alt=descriptions_protocol.of_scores(study.scores),
)

# %% tags=["remove-input"]
chapter.say(protocol_prose.luck(study))
chapter.say(protocol_prose.softer(study))

# %% tags=["hide-input"]
chapter.table(
    protocol_tables.scores(study),
    "scores",
    caption="MiniLM in points under each protocol, with 95% intervals. All seeds of the baseline choose in turn, so that "
    "where its own captions and where another seed's choose, the images are the same for all other systems.",
    groups=study.scores["group"].tolist(),
)

# %% [markdown]
# ## The effect of the choice
#
# What counts in a comparison is not the score but the difference. [Figure 8.2](#fig-effect) shows by how much the
# baseline's advantage over each system is larger on the images that it chose than on all. The dotted line is its luck.
# Right of it stand the systems that the chosen images suit less than they suit the baseline, left of it those that
# they suit more.

# %% tags=["hide-input"]
chapter.figure(
    figures_protocol.effect_of_choice(study.effect_table, study.luck),
    "effect",
    caption="By how much the choice of images enlarges the baseline's advantage over each system: measured, with 95% "
    "intervals, and as regression to the mean predicts it from the scores on all images. The dotted line with its band "
    "is the luck of the baseline's captions, measured by letting another seed choose; it is the same for every system.",
    alt=descriptions_protocol.of_effects(study.effect_table, study.luck),
)

# %% tags=["remove-input"]
chapter.say(protocol_prose.effect(study))

# %% [markdown]
# ### How many images are chosen
#
# [Figure 8.3](#fig-numbers) turns the number of chosen images from one to all. The fewer are chosen, the further out in
# the tail of the baseline's scores they lie, and the more luck there can be in them.

# %% tags=["hide-input"]
chapter.figure(
    figures_protocol.advantage_by_number(study.by_number, study.chosen, study.closest.label),
    "numbers",
    caption="The baseline's advantage over the alternative that scores highest on all test images, against the number of "
    "chosen images, where the baseline's own captions choose and where another of its seeds does. Ribbons are 95% "
    "intervals. The dotted line marks the number that Study A's protocol takes; at the right end all images are chosen.",
    alt=descriptions_protocol.of_numbers(study.by_number, study.chosen),
)

# %% tags=["remove-input"]
chapter.say(protocol_prose.number_of_images(study))

# %% [markdown]
# ## If others chose
#
# If choosing is an advantage, any system could have it. [Table 8.3](#tab-choosers) lets the strongest system of each group
# take the baseline's place as the one who chooses.

# %% tags=["hide-input"]
chapter.table(
    protocol_tables.choosers(study),
    "choosers",
    caption="Ranks of the baseline and of the strongest system of each of Study A's groups, one row by whose captions "
    "choose the images. In brackets, the share of resamples in which the chooser comes first.",
)

# %% tags=["remove-input"]
chapter.say(protocol_prose.choosers(study))
chapter.say(protocol_prose.overlap(study))

# %% [markdown]
# [Figure 8.4](#fig-chosen) shows the images at the top of the baseline's choice, with what the others say of them.

# %% tags=["hide-input"]
examples = study.chosen_examples(6)
chapter.panel(
    gallery.caption_panel(examples.images, examples.references, examples.systems),
    "chosen",
    caption="The six test images on which the first seed of the baseline scores best, each with one of its references and "
    "the captions of the baseline and of the strongest system of each group (first seed, best of the beam).",
)

# %% [markdown]
# ## Rankings
#
# [Figure 8.5](#fig-ranks) follows every system's rank from Study A's protocol to all test images.

# %% tags=["hide-input"]
chapter.figure(
    figures_protocol.rank_slopes(study.scores),
    "ranks",
    caption="Rank of every system by MiniLM, on the images that the baseline's captions chose, on images that another of "
    "its seeds chose, and on all test images. The thick line is the baseline. Ranks of systems whose scores are close "
    "are not to be relied on; Table 8.2 has the intervals.",
    alt=descriptions_protocol.of_ranks(study.scores),
)

# %% tags=["remove-input"]
chapter.say(protocol_prose.ranking(study))
chapter.say(protocol_prose.halves(study))

# %% [markdown]
# ## The comparisons
#
# The chapter's family of tests stands in its code and is the same whatever the results: the baseline against each of
# Study A's alternatives under three protocols, the effect of the choice on each, and the gradient against the other
# injected noises under two. The p-values are corrected by Holm's method over all of them. They come from the bootstrap
# over images and seeds, in which the images are chosen anew, and not from swapping captions between systems as in other
# chapters: whoever swaps the baseline's captions changes the images that it chooses.

# %% tags=["hide-input"]
chapter.table(
    protocol_tables.advantages(study),
    "advantages",
    caption="The baseline's advantage over each of Study A's alternatives in points of MiniLM, with 95% intervals, where "
    "its own captions choose the images, where another seed's do, and on all images; the effect of the choice is the "
    "first minus the third. A star: interval and corrected p-value agree that the difference is not 0. The last columns "
    "have the corrected p-values on all images and of the effect.",
    groups=protocol_tables.advantage_groups(study),
)

# %% tags=["remove-input"]
chapter.say(protocol_prose.closing(study))

# %% [markdown]
# ## What this says of Study A's claims
#
# The first two claims are those of [chapter 2](02_noise_types.ipynb), this time by the study's own measure and against all
# of its systems; there they are judged by CIDEr, with the controls that it takes. *Artefact* means here: on the images
# that it chose the baseline beats every alternative, on all images it is not the best, and the choice makes the
# difference. The third is not a claim that Study A states; its protocol takes it for granted.

# %% tags=["remove-input"]
chapter.claims(
    study.claim_cards,
    "claims",
    caption="The verdicts, and the comparisons that decide them, in points of MiniLM with 95% intervals. Of each group "
    "the strongest system on all test images is shown; the family of tests has them all. The codes name the cells behind "
    "each side; they lead to Table 8.7.",
)

# %% [markdown]
# ## How to choose instead
#
# - Compare on all test images, and say how many there are.
# - Where a smaller set is needed (a reader's time is short), draw it at random, before any system has been scored.
# - Where a hard or an easy subset is of interest, choose it by something that none of the compared scores had a part in:
#   properties of the images, or a system that is not compared.
# - Where a system must choose, let one of its trainings choose and compare another, and say that the images suit it.
#
# ## How this chapter was computed

# %% tags=["remove-input"]
chapter.say(record.footer(study))

# %% tags=["remove-input"]
chapter.table(
    record.costs(study),
    "costs",
    caption="What the cells cost, in the chapters that trained them: seconds are wall-clock time of training and decoding, "
    "with other cells beside them on the same machine; peak memory is that of the process on a CPU and of the device on "
    "a GPU.",
)

# %% tags=["remove-input"]
chapter.table(
    record.cells(study),
    "cells",
    caption="Every cell of the chapter, by its folder in results/cells: one trained captioner with its captions and "
    "per-image scores. CIDEr in points, of captions of test images. Of the cosine-directed grid all rows are listed "
    "among which the best was chosen.",
    ids=record.anchors(study),
)
