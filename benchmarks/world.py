"""The default profile's captioner and its training captions, as its cells have them."""

from dataclasses import dataclass

from torch import Tensor

from benchmarks.data import TrainingData, from_corpus
from capdec_core.budget import Budget
from capdec_core.captioner import CaptionerConfig
from capdec_core.language_model import LanguageModelConfig
from capdec_core.mapper import MapperConfig
from capdec_core.material import captioner_settings, prepare
from capdec_core.profiles import load_profile


@dataclass(frozen=True)
class World:
    """A profile's captioner, training budget, most tokens of a caption, and all its captions with their unit rows."""

    profile: str
    config: CaptionerConfig
    budget: Budget
    max_tokens: int
    captions: list[list[int]]
    embeddings: Tensor

    def data(self, rows: list[int]) -> TrainingData:
        """Return the captions at these rows, padded by the reference as the whole corpus is."""
        source = f"{len(self.captions):,} training captions of the profile {self.profile}"
        return from_corpus(self.captions, rows, self.embeddings[rows], source)


def load_world(quick: bool, device: str) -> World:
    """Return the default profile's world; the smoke profile's with `quick`. Embeddings are made if missing."""
    profile = load_profile("smoke" if quick else "scenes")
    material = prepare(profile, device)
    mapper, language_model = captioner_settings(profile, material)
    packed = material.training_captions()
    flat = packed.flat.tolist()
    bounds = zip(packed.starts.tolist(), packed.lengths.tolist(), strict=True)
    return World(
        profile.name,
        CaptionerConfig(MapperConfig(**mapper), LanguageModelConfig(**language_model)),
        profile.training,
        profile.decoding.max_tokens,
        [flat[start : start + length] for start, length in bounds],
        material.training_embeddings("text"),
    )
