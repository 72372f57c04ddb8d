"""Chapter 3, heads and layers (Study A): does the mapper's number of heads or of layers matter?

Every other value of the grid is trained beside one baseline (Study A's and CapDec's: 8 heads, 8 layers), text
only, with Gaussian noise (Nukrai et al. 2022). Layers confound depth with size, so each number of layers is
trained twice: as it comes, and with the baseline's parameters (`capdec_core.matching`). A control trains the
baseline's mapper on shuffled embeddings: where captioners have learnt nothing, all are equivalent.
"""

from dataclasses import asdict, replace

from capdec_core.encoders import embedding_dim
from capdec_core.mapper import MapperConfig
from capdec_core.matching import matched_parameters
from capdec_core.noise import Gaussian, Perturbation, Shuffled
from capdec_core.profiles import MapperSettings, Profile
from capdec_core.studies.conditions import Condition
from capdec_core.studies.heads_layers_view import (
    BASELINE,
    CONTROL,
    HEADS,
    LAYERS,
    MATCHED,
    HeadsLayers,
    counted,
)
from capdec_core.studies.pretrained_capdec import pretrained_capdec
from capdec_core.studies.results import Results


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return the chapter's grid with `seeds` trainings for every condition, and Study A's baseline as published.

    CapdecError where a number of layers cannot have the baseline's parameters.
    """
    dim = embedding_dim(profile.encoder.model, profile.encoder.pretrained)
    return [*grid(profile, seeds, dim), *pretrained_capdec(profile)]


def view(profile: Profile, results: Results, device: str) -> HeadsLayers:
    """Return what the chapter shows."""
    return HeadsLayers(profile, results)


def grid(profile: Profile, seeds: int, dim: int) -> list[Condition]:
    """Return the grid for a joint embedding of dimension `dim`: control, baseline, and the arms around it."""
    values = profile.heads_layers
    base = replace(profile.mapper, heads=values.baseline_heads, layers=values.baseline_layers)
    other_heads = [n for n in values.heads if n != base.heads]
    other_layers = [n for n in values.layers if n != base.layers]
    noise = Gaussian(values.variance)
    told = f"{counted(base.heads, 'head')}, {counted(base.layers, 'layer')}"
    shapes: list[tuple[str, str, int | None, MapperSettings, Perturbation]] = [
        (CONTROL, f"{told}, shuffled embeddings", None, base, Shuffled()),
        (BASELINE, f"{told} (baseline)", None, base, noise),
        *((HEADS, counted(n, "head"), n, replace(base, heads=n), noise) for n in other_heads),
        *((LAYERS, counted(n, "layer"), n, replace(base, layers=n), noise) for n in other_layers),
        *(
            (MATCHED, f"{counted(n, 'layer')}, matched size", n, _matched(base, n, dim, profile), noise)
            for n in other_layers
        ),
    ]
    return [
        Condition(
            family,
            label,
            perturbation,
            parameter,
            seeds=seeds,
            splits=("test",),
            mapper=mapper,
            training=values.training,
        )
        for family, label, parameter, mapper, perturbation in shapes
    ]


def _matched(base: MapperSettings, layers: int, dim: int, profile: Profile) -> MapperSettings:
    config = MapperConfig(**asdict(base), embedding_dim=dim, width=profile.language_model.width)
    found = matched_parameters(config, layers)
    return replace(base, layers=layers, inner_width=found.inner_width, mlp_ratio=found.mlp_ratio)
