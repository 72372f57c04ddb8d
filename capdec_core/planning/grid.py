"""A profile's grid counted before its data and weights are there: its cells, with the shapes that decide their cost.

A cell's name hashes its corpus, encoder and tokenizer, which only the files themselves tell. Which conditions share a
cell does not depend on what these hashes are, only on which are equal: with fixed words in their place the cells are
as many as they will be, each of the shape that it will have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

from capdec_core import paths
from capdec_core.cell import CellConfig, Decoded, StoredCell
from capdec_core.encoders import embedding_dim
from capdec_core.errors import CapdecError
from capdec_core.language_model import LanguageModelConfig
from capdec_core.material import Material, Wanted, corpus_of
from capdec_core.planning.work import Work, common, shape_of, work_of
from capdec_core.pretrained import pretrained_config
from capdec_core.profiles import EncoderSettings, NamedLanguageModelSettings, Profile
from capdec_core.studies import conclusions, grid_of
from capdec_core.studies.conditions import Condition, all_cells, wanted_by
from capdec_core.tokenizer import CaptionTokenizer

GPT2_SMALL = LanguageModelConfig(50257, 768, 12, 12, 1024, tuned=True, dropout=0.1)
"""The shape of "gpt2" (Radford et al. 2019), whose weights need not be here to know it."""
VOCABULARY = 3000
"""Words that are taken for those of a corpus that is not here to be read: about Flickr8k's."""


@dataclass(frozen=True)
class Shape:
    """A named language model's shape, which stands in a profile where its name stood."""

    width: int
    layers: int
    heads: int
    positions: int
    dropout: float
    tuned: bool
    rare: int = 1


@dataclass(frozen=True)
class Grid:
    """The cells of a profile's book, by its studies' names, in the book's order; studies share cells.

    `wanted` is what they read of training images.
    """

    chapters: Mapping[str, Sequence[StoredCell]]
    wanted: Wanted

    @cached_property
    def cells(self) -> list[StoredCell]:
        """Every cell once, those whose captioners are only decoded otherwise among them."""
        cells = [cell for chapter in self.chapters.values() for cell in chapter]
        speakers = [cell.cell for cell in cells if isinstance(cell, Decoded)]
        return list({cell.id: cell for cell in chain(cells, speakers)}.values())

    @property
    def trained(self) -> list[CellConfig]:
        """The cells that are trained."""
        return [cell for cell in self.cells if isinstance(cell, CellConfig)]

    @cached_property
    def works(self) -> dict[str, Work]:
        """What each cell has to do, by its id; a published captioner counts as one of the common shape."""
        published = shape_of(common(self.trained)) if self.trained else None
        return {cell.id: work_of(cell, published) for cell in self.cells}


def grid(profile: Profile) -> Grid:
    """Return the cells of a profile's book, under names that stand for the real ones.

    Of an encoder that open_clip knows by its architecture, and of "gpt2", nothing is fetched. A model of the hub by its
    full name is, since nothing else tells its shape: CapdecError where it is not to be had.
    """
    shaped, vocabulary = _without_weights(profile)
    material = _stand_in(profile, vocabulary)
    chapters: dict[str, list[StoredCell]] = {}
    everything: list[Condition] = []
    for name in conclusions.chapters(profile):
        conditions = grid_of(name, shaped, profile.seeds)
        published = [condition for condition in conditions if condition.checkpoint]
        ours = [condition for condition in conditions if not condition.checkpoint]
        chapters[name] = [*all_cells(ours, shaped, material), *all_cells(published, profile, material)]
        everything += conditions
    return Grid(chapters, wanted_by(everything))


def _without_weights(profile: Profile) -> tuple[Profile, int]:
    """Return the profile with its language model's shape in place of a name, and the size of the vocabulary."""
    model = profile.language_model
    if not isinstance(model, NamedLanguageModelSettings):
        return profile, _vocabulary(profile, model.rare)
    own = GPT2_SMALL if _is_elsewhere(model.name) else pretrained_config(model.name, model.tuned)
    shape = Shape(own.width, own.layers, own.heads, own.positions, own.dropout, model.tuned)
    return replace(profile, language_model=shape), own.vocab_size  # type: ignore[arg-type]


def _is_elsewhere(name: str) -> bool:
    """Tell whether a model is GPT-2 small as the hub has it, and not of this name in a local folder."""
    return name == "gpt2" and not (Path(paths.MODELS) / name).is_dir()


def _vocabulary(profile: Profile, rare: int) -> int:
    try:
        captions = corpus_of(profile).split("train").captions
    except CapdecError:
        return VOCABULARY
    return CaptionTokenizer.train(chain.from_iterable(captions), rare).vocab_size


def _stand_in(profile: Profile, vocabulary: int) -> Material:
    """Return material without files: words for its fingerprints, and the numbers that decide a captioner's shape."""
    own = _embedded(profile.encoder, vocabulary)
    reduced = {
        dim: replace(own, encoder=f"{own.encoder} in {dim}", dim=dim) for dim in profile.calibration.dims
    }
    other = profile.prefix_length.encoder
    others = {} if other in (None, profile.encoder) else {other: _embedded(other, vocabulary)}
    return replace(own, reduced=reduced, others=others)


def _embedded(encoder: EncoderSettings, vocabulary: int) -> Material:
    dim = embedding_dim(encoder.model, encoder.pretrained)
    return Material(
        corpus="corpus",
        encoder=str(encoder),
        tokenizer="tokenizer",
        dim=dim,
        vocab_size=vocabulary,
        banks={},
        folder=Path(),
        encoder_settings=encoder,
    )
