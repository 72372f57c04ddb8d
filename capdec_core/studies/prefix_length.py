"""Chapter 5, prefix length (Study B): how many vectors should an image become before the language model speaks?

ClipCap, trained on image embeddings: a mapper turns the embedding into k vectors, the prefix. In ClipCap's MLP
the number of weights grows with the square of k, so length and size cannot be told apart; an MLP of fixed hidden
width and a linear mapper grow with k alone. Sources: Mokady et al. 2021 (MLP and transformer, language model
frozen or tuned); Study B (k = 1, 10, 20).
"""

from dataclasses import replace

from capdec_core.errors import CapdecError
from capdec_core.profiles import MapperSettings, Profile
from capdec_core.studies.conditions import Condition
from capdec_core.studies.prefix_length_grid import FIXED_AT, MAPPERS, STUDY_B, TUNED, family_of, tuning_of
from capdec_core.studies.prefix_length_view import PrefixLength
from capdec_core.studies.results import Results


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return the chapter's grid; `seeds` trainings for Study B's lengths, one for the others.

    Raises CapdecError if the profile leaves out one of Study B's lengths.
    """
    lengths = profile.prefix_length.lengths
    if missing := sorted(set(STUDY_B) - set(lengths)):
        raise CapdecError(
            f"profile {profile.name}: prefix_length.lengths must hold Study B's {missing[0]}, not only {lengths}"
        )
    return [
        _condition(profile, mapper, k, tuned, seeds if k in STUDY_B else 1)
        for tuned in TUNED
        for mapper in MAPPERS
        for k in lengths
    ]


def view(profile: Profile, results: Results, device: str) -> PrefixLength:
    """Return what the chapter shows."""
    return PrefixLength(profile, results)


def _condition(profile: Profile, mapper: str, k: int, tuned: bool, seeds: int) -> Condition:
    return Condition(
        family_of(mapper, tuned),
        f"{MAPPERS[mapper]}, k = {k}, {tuning_of(tuned)}",
        parameter=k,
        train_on="image",
        seeds=seeds,
        splits=("test",),
        mapper=_settings(profile, mapper, k),
        tuned=tuned,
        training=profile.prefix_length.training,
        encoder=profile.prefix_length.encoder,
    )


def _settings(profile: Profile, mapper: str, k: int) -> MapperSettings:
    """Return a mapper's shape; where the fixed-width MLP is the MLP itself, it shares the MLP's cells."""
    clip_length = profile.prefix_length.clip_length or profile.mapper.clip_length
    base = replace(profile.mapper, prefix_length=k, clip_length=clip_length)
    if mapper != "fixed mlp":
        return replace(base, kind=mapper)
    hidden = None if k == FIXED_AT else profile.language_model.width * FIXED_AT // 2
    return replace(base, kind="mlp", hidden=hidden)
