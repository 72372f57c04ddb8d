# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6. Decoding
#
# *A captioner gives probabilities of next words. Which way of making a caption of them is best?*
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/-OWNER-/capdec-book/blob/v0.1.0/notebooks/06_decoding.ipynb)

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
from capdec_core import figures_decoding, gallery, studies
from capdec_core.studies import decoding_prose, decoding_tables, phrases, record

study = studies.run("decoding", profile, device=device, seeds=seeds)
chapter = gallery.Gallery(chapter=6, profile=profile)
chapter.say(decoding_prose.in_short(study))

# %% [markdown]
# "Better" and "worse" are said of CIDEr, where a 95% interval and a p-value that is corrected for all comparisons of the
# chapter agree.
#
# ## Background
#
# Study B, which reproduced [ClipCap](https://arxiv.org/abs/2111.09734), ends with a question: which decoding method is
# best? ClipCap's code offers two, beam search and nucleus sampling; [CapDec](https://arxiv.org/abs/2211.00575) took it
# over, and both report a beam of 5. A language model gives the probability of every next word,
# $p(v \mid x_{<t})$, with $x_{<t}$ the prefix that the mapper made of the image and the words so far. What is to be
# written is left open:
#
# - *Greedy search* writes the likeliest word, always. A *beam* of width $w$ keeps the $w$ likeliest beginnings, and ends
#   with the caption whose mean log-probability over its tokens is highest.
# - *Sampling* draws the next word. So that no draw falls into the long tail of unlikely words, it is drawn from the $k$
#   likeliest ([top-k](https://arxiv.org/abs/1805.04833)), or from the *nucleus*, the fewest words that together have the
#   probability $p$ ([Holtzman et al. 2020](https://arxiv.org/abs/1904.09751)).
# - *Contrastive search* ([Su et al. 2022](https://arxiv.org/abs/2202.06417)) wants a likely word that does not repeat what
#   is there already. Of the $k$ likeliest it writes the one with the highest
#
# $$(1 - \alpha)\, p(v \mid x_{<t}) - \alpha \max_{j < t} \cos(h_v, h_j),$$
#
# where $h_v$ is the last hidden state that the word $v$ would have, and $h_j$ are those of all positions before it. As in
# the paper, the prefix is among them; here it is not words but what the mapper made.
#
# - *Re-ranking* lets the joint encoder, CLIP's part, choose: of several candidates, the one whose text embedding has the
#   highest cosine with the embedding of the image.
#
# Re-ranking is another kind of method and stands apart throughout. It looks at the image twice, once to write and once to
# judge, and its judge is the encoder whose embedding the captioner was given. No score of this chapter is made by that
# encoder, so the judge does not grade itself; but what the encoder does not see in an image, neither writer nor judge
# can know.

# %% tags=["remove-input"]
chapter.say(decoding_prose.world(study))

# %% [markdown]
# ## What is compared
#
# Three captioners, one of each kind: *CapDec*, which has only read texts; *tuned ClipCap*, which is trained on images
# together with its language model, as CapDec is on texts; and *frozen ClipCap*, which trains the mapper alone. The first
# two are those of [chapter 2](02_noise_types.ipynb). Each trained captioner speaks in every way of
# [Table 6.1](#tab-grid), so all that differs within one captioner is the decoding. The settings are those in common use,
# fixed in advance, and not chosen on this corpus: another temperature or penalty may do better.

# %% tags=["hide-input"]
chapter.table(
    decoding_tables.grid(study),
    "grid",
    caption="The ways of decoding. Sampling draws several captions of an image; CIDEr, BLEU-4, METEOR and CHAIR read the "
    "first that was drawn, MiniLM all of them.",
)

# %% tags=["remove-input"]
chapter.say(decoding_prose.same(study))

# %% [markdown]
# ## Quality
#
# [Table 6.2](#tab-scores) has the scores, and [Figure 6.1](#fig-contrasts) what each way gains or loses against the beam
# that every other chapter decodes by. Both sides of a difference are the same trained captioners, so it is taken
# captioner by captioner, and what a training happens to be worth cancels.

# %% tags=["hide-input"]
chapter.figure(
    figures_decoding.contrasts_figure(study.contrast_table, study.compared_with),
    "contrasts",
    caption="What each way of decoding scores in CIDEr on test images beyond the default beam, one panel a captioner, with "
    "95% intervals over images and training seeds. A filled marker: interval and Holm-corrected p-value agree that the "
    "difference is not 0. Right of 0, the way is better than the beam. Re-ranking looks at the image twice.",
    alt=figures_decoding.contrasts_alt(study.contrast_table, study.compared_with),
)

# %% tags=["remove-input"]
chapter.say(decoding_prose.quality(study))

# %% tags=["hide-input"]
chapter.table(
    decoding_tables.scores(study),
    "scores",
    caption="Scores of captions of test images in points (100 times the metric's value), means over seeds; in brackets, "
    "95% intervals over images and seeds. CHAIRi, which should be low, is the share of the objects that a caption mentions "
    "and the image does not hold. MiniLM is the mean cosine with the reference captions; of sampling, over five captions "
    "an image, which is what one caption is expected to score.",
    groups=study.groups,
)

# %% tags=["remove-input"]
chapter.say(decoding_prose.widths(study))

# %% [markdown]
# Sampling and contrastive search are set against greedy search too, which like them goes through a caption once and does
# not search:

# %% tags=["remove-input"]
chapter.say(decoding_prose.greedy(study))

# %% [markdown]
# ## Quality and diversity
#
# A likely caption is a common one. [Figure 6.2](#fig-diversity) sets quality against how much a way of decoding repeats
# itself from image to image; [Table 6.3](#tab-diversity) has other measures, and for ways that give several captions of
# one image how much these are alike.

# %% tags=["hide-input"]
chapter.figure(
    figures_decoding.diversity_figure(study.table),
    "diversity",
    caption="CIDEr against diversity, one panel a captioner: distinct pairs of neighbouring words as a share of all that are "
    "written, one caption an image. Vertical bars are 95% intervals over images and seeds; horizontal bars span the "
    "training seeds. The line joins the beams in the order of their width; a beam of 1 is greedy search. Hollow markers "
    "but the ring of greedy search look at the image twice.",
    alt=figures_decoding.trade_off_alt(study.table, "distinct-2", "Distinct bigrams in percent", 100),
)

# %% tags=["remove-input"]
chapter.say(decoding_prose.diversity(study))

# %% tags=["hide-input"]
chapter.table(
    decoding_tables.diversity(study),
    "diversity",
    caption="Diversity: means over training seeds, in brackets the least and the most. Distinct-1 and distinct-2 are "
    "distinct words and distinct pairs of neighbouring words in percent of all that are written; these, the vocabulary, "
    "the percentage of images whose caption another image has too, and the length in words are of one caption an image. "
    "Self-BLEU compares an image's five captions with each other, in points: of sampling those drawn, of the default beam "
    "all it ends with. An arrow marks what should be low.",
    groups=study.groups,
)

# %% [markdown]
# These differences are exploratory: no test was made of them. What a caption gains in distinct words is no gain where the
# words are wrong, which CHAIRi counts where the images' objects are known.
#
# ## Quality and speed
#
# [Figure 6.3](#fig-speed) and [Table 6.4](#tab-speed) have the price in time.

# %% tags=["hide-input"]
chapter.figure(
    figures_decoding.speed_figure(study.table),
    "speed",
    caption="CIDEr against captions a second (a log scale), one panel a captioner. Vertical bars are 95% intervals over "
    "images and seeds; horizontal bars span the training seeds, each measured by itself. The line joins the beams in the "
    "order of their width.",
    alt=figures_decoding.trade_off_alt(study.table, "speed", "Captions a second", 1),
)

# %% tags=["remove-input"]
chapter.say(decoding_prose.measured(study))
chapter.say(decoding_prose.speed(study))

# %% tags=["hide-input"]
chapter.table(
    decoding_tables.speed(study),
    "speed",
    caption="Captions a second: means over training seeds, in brackets the slowest and the fastest.",
)

# %% [markdown]
# ## A second look
#
# Re-ranking may choose among the captions that the nucleus drew or among all that the widest beam ended with.

# %% tags=["remove-input"]
chapter.say(decoding_prose.second_look(study))

# %% [markdown]
# What re-ranking gains is not decoding's merit alone. A captioner is trained to say what is *said* of images, the encoder
# to tell which caption belongs to which image, and the second look brings that knowledge in. The captioner got the same
# embedding, so nothing but its training keeps it from using what the judge sees.
#
# ## The same images, every way
#
# [Figure 6.4](#fig-captions) has one captioner's answers.

# %% tags=["hide-input"]
examples = study.panel("CapDec")
chapter.panel(
    gallery.caption_panel(examples.images, examples.references, examples.systems),
    "captions",
    caption="Half a dozen test images, evenly spaced over the test set and not selected, each with one of its reference "
    "captions and what CapDec (first seed) says under every way of decoding; of sampling, the first caption drawn.",
)

# %% [markdown]
# ## The contrasts
#
# The questions stand in the chapter's code and are the same whatever the results: every way but the beam of 1 against
# the default beam, and sampling and contrastive search against greedy search, on each captioner. They were settled while
# the default scale was tried out, so a run with other seeds or at another scale tests them more strictly. The interval draws
# images and training seeds of the differences; the p-value is that of paired approximate randomisation over images,
# corrected by Holm's method over all rows of [Table 6.5](#tab-contrasts).

# %% tags=["hide-input"]
chapter.table(
    decoding_tables.contrasts(study),
    "contrasts",
    caption="The contrasts as questions: first minus second, points of CIDEr, with 95% intervals and corrected p-values.",
    groups=study.contrast_table.captioner.tolist(),
)

# %% tags=["remove-input"]
chapter.say(phrases.detectable(study.contrasts))

# %% [markdown]
# ## What this says of Study B's question
#
# Study B asks and does not answer, so there is no claim of its own to test. The statements of [Table 6.6](#tab-claims) are
# the answers that common practice would give. Each is *supported* if it holds on all three captioners, *not supported*
# where a comparison says the contrary on any of them, else *undecided*.

# %% tags=["remove-input"]
chapter.claims(
    study.claim_cards,
    "claims",
    caption="Answers to Study B's open question, the verdicts, and the contrasts that decide them, in points of CIDEr "
    "with 95% intervals; the one that the verdict hangs on stands first. The codes name the cells behind each side; they "
    "lead to Table 6.8.",
)

# %% [markdown]
# ## How this chapter was computed

# %% tags=["remove-input"]
chapter.say(record.footer(study))

# %% tags=["remove-input"]
chapter.table(
    record.costs(study),
    "costs",
    caption="What the cells cost. A captioner as it was trained: seconds of training and decoding, wall-clock, with other "
    "cells beside it; decoded anew: seconds of one decoding of the test images. Peak memory is that of the process on a "
    "CPU and of the device on a GPU.",
)

# %% tags=["remove-input"]
chapter.table(
    record.cells(study),
    "cells",
    caption="Every cell of the chapter, by its folder in results/cells: a trained captioner, or its captions under another "
    "way of decoding. CIDEr in points, of captions of test images.",
    ids=record.anchors(study),
)
