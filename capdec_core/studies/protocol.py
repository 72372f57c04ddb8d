"""Chapter 8, how to choose (Study A's protocol): what does it do to compare on the images where one system is best?

Study A scores five captions an image by their mean MiniLM cosine with the references, on the 15 images on
which its baseline scored best. All systems are those of chapters 2, 3 and 4; nothing is trained for this
chapter.
"""

from dataclasses import replace

from capdec_core.profiles import Profile
from capdec_core.studies import cosine_directed, heads_layers, noise_types
from capdec_core.studies.conditions import Condition
from capdec_core.studies.pretrained_capdec import BASELINE_VARIANCE
from capdec_core.studies.protocol_systems import of_cosine_directed, of_heads_layers, of_noise_types
from capdec_core.studies.protocol_view import ProtocolStudy
from capdec_core.studies.results import Results

SAMPLER_TWICE = 2
"""Trainings of what is trained as the baseline was, without which one cannot choose and another be compared."""


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return the conditions of chapters 2 to 4 that Study A has, or that its baseline is judged by.

    What is trained as the baseline was has two trainings even where `seeds` is 1.
    """
    found = [
        *of_noise_types(noise_types.conditions(profile, seeds), profile),
        *of_cosine_directed(cosine_directed.conditions(profile, seeds)),
        *of_heads_layers(heads_layers.conditions(profile, seeds)),
    ]
    return [_twice(c) if c.parameter == BASELINE_VARIANCE and c.family == "gaussian" else c for c in found]


def view(profile: Profile, results: Results, device: str) -> ProtocolStudy:
    """Return what the chapter shows."""
    return ProtocolStudy(profile, results)


def _twice(sampler: Condition) -> Condition:
    return replace(sampler, seeds=max(SAMPLER_TWICE, sampler.seeds))
