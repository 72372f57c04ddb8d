"""Sentences of chapter 7 that set captions of another corpus beside the images' own; all return Markdown.

Differences are in points of CIDEr with their 95% interval, and exploratory: no test of the chapter's family.
"""

import math
from collections.abc import Hashable

from scipy import stats

from capdec_core.cell import code_fingerprint
from capdec_core.corpora import CROSS, corpus_of_images, trains_on_text
from capdec_core.studies.bridges_grid import GAUSSIAN, IMAGES, NONE
from capdec_core.studies.bridges_in_domain import InDomain
from capdec_core.studies.bridges_view import Bridges
from capdec_core.studies.phrases import number
from capdec_core.tables import with_interval

Row = dict[Hashable, float]


def in_short(study: Bridges) -> str:
    """Return what another corpus's captions cost plain Gaussian noise."""
    row = _rows(study)[GAUSSIAN]
    text, images = CROSS[study.profile.corpus.name]
    return (
        f"**Across corpora.** With plain Gaussian noise a decoder that has read the captions of {text} scores "
        f"{_score(row, 'here')} on images of {images}; one that has read those of {images} scores "
        f"{_score(row, 'there')}: {_difference(row)}."
    )


def beside(study: Bridges) -> str:
    """Return how the ways fare across corpora and in domain, and by what the two sides differ."""
    corpus = study.profile.corpus.name
    if not trains_on_text(corpus):
        others = " and ".join(f"`{name}`" for name, (_, images) in CROSS.items() if images == corpus)
        asked = f" What changes where they do not is asked with the profile {others}." if others else ""
        return f"Here training captions and test images come from one corpus, {corpus}.{asked}"
    if study.in_domain is None:
        return (
            f"The captions that the decoder has read are not of {corpus_of_images(corpus)}, whose images it is tested "
            f"on. The reference results of that profile are not in this copy, so nothing can be set beside its own."
        )
    return "\n\n".join([_what(study, study.in_domain), _scores(study), _provenance(study, study.in_domain)])


def _what(study: Bridges, there: InDomain) -> str:
    """Return what the two sides have read, and what they share."""
    profile, (text, images) = study.profile, CROSS[study.profile.corpus.name]
    encoder = f"the same encoder, {profile.encoder.model}"
    if profile.encoder.model == "towers":
        encoder += f", whose heads have seen the training pairs of {images}: foreign are the captions, not the images"
    return (
        f"The decoder of this copy has read {study.memories.captions.max():,} captions of "
        f"{profile.corpus.sizes['train']:,} images of {text}, with none of {images} among them; in domain it has read "
        f"those of {there.manifest['settings']['corpus']['sizes']['train']:,} images of {images}. Its vocabulary and "
        f"its language model come from the same captions. Here it is trained for {profile.training.steps:,} batches of "
        f"{profile.training.batch_size}. Both sides read the same test images through {encoder}."
    )


def _scores(study: Bridges) -> str:
    """Return the scores of plain noise on either side, their share of the ceiling, and whether the ways rank alike."""
    rows = _rows(study)
    gaussian, none, ceiling = rows[GAUSSIAN], rows[NONE], rows[IMAGES]
    shares = [f"{gaussian[side] / ceiling['there']:.0%}" for side in ("here", "there")]
    table = study.beside.dropna(subset=["here", "there"])
    alike = float(stats.spearmanr(table.here, table.there).statistic)
    ranked = f" Spearman's correlation of the two rankings of {len(table)} ways is {number(alike)}."
    return (
        f"Plain Gaussian noise scores {_score(gaussian, 'here')} across corpora and {_score(gaussian, 'there')} in "
        f"domain, {_difference(gaussian)}; no noise {_score(none, 'here')} and {_score(none, 'there')}. Validation "
        f"images choose “{gaussian['label']}” here and “{gaussian['label there']}” in domain. The captioner trained on "
        f"images in domain scores {_score(ceiling, 'there')}, of which plain noise reaches {shares[0]} across corpora "
        f"and {shares[1]} in domain.{'' if math.isnan(alike) else ranked} All of this is exploratory."
    )


def _provenance(study: Bridges, there: InDomain) -> str:
    """Return where the numbers in domain come from, and whether code or settings differ."""
    manifest, ours = there.manifest, code_fingerprint()
    same = manifest["code"] == ours
    code = "which is this copy's too" if same else f"while this copy's is {ours[:8]}"
    differing = there.differing(study.profile)
    settings = f" Other settings differ too: {'; '.join(differing)}." if differing else ""
    return (
        f"The numbers in domain are the reference results of the profile `{manifest['profile']}`, version "
        f"{manifest['version']}, trained by code {manifest['code'][:8]}, {code}.{settings} A reference keeps no scores "
        f"by image, so that the intervals of differences are made of the two intervals alone; for the same images they "
        f"are too wide rather than too narrow."
    )


def _rows(study: Bridges) -> dict[str, Row]:
    return {str(row["family"]): row for row in study.beside.to_dict("records")}


def _score(row: Row, side: str) -> str:
    return f"{with_interval(row[side], row[f'{side}_low'], row[f'{side}_high'])} points"


def _difference(row: Row) -> str:
    triple = (row[f"difference{end}"] for end in ("", "_low", "_high"))
    text = with_interval(*triple, signed=True)
    holds = row["difference_low"] <= 0 <= row["difference_high"]
    return f"a difference of {text} points{', an interval that holds 0' if holds else ''}"
