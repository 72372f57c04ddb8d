"""Chapter 7, bridges over the modality gap, head to head: which way over it is best, and what may it look at?

One decoder, one corpus, every published way: noise (CapDec, CLOSE), a constant shift (DrML, CapDec), collapse and
corrupt (C3), a linear adapter (CLOSE), projection on a memory of captions (DeCap), retrieval (CLIPRe), noise shaped
like the gap, and training on images (ClipCap) as the ceiling. Sources stand with `capdec_core.bridges.PRESETS`;
DrML is Zhang et al. 2023, "Diagnosing and rectifying vision models using language".
"""

from capdec_core.encoders import embedding_dim
from capdec_core.errors import CapdecError
from capdec_core.material import prepare
from capdec_core.profiles import Profile
from capdec_core.studies import noise_types
from capdec_core.studies.bridges_grid import (
    GAUSSIAN,
    NONE,
    images_shifted,
    of_other_lengths,
    projected,
    published,
    reduced,
    retrieved,
    shaped,
    texts_moved,
    timed,
)
from capdec_core.studies.bridges_in_domain import in_domain
from capdec_core.studies.bridges_law import training_cosines
from capdec_core.studies.bridges_view import Bridges
from capdec_core.studies.conditions import Condition, wanted_by
from capdec_core.studies.results import Results


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return the chapter's grid; `seeds` trainings where a claim is decided, one for the rest.

    No noise, the Gaussians and the ceiling are those of chapter 2; images that are moved are read by them.
    """
    grid, dim = profile.bridges, embedding_dim(profile.encoder.model, profile.encoder.pretrained)
    none, *gaussians = _of_chapter_2(profile, seeds)
    images = noise_types.on_images(seeds)
    readers, seeds = [none, *gaussians], min(seeds, grid.seeds or seeds)
    found = [
        *readers,
        *images_shifted(readers),
        *texts_moved(grid, seeds),
        *projected(readers, grid),
        retrieved(),
        *shaped(grid, dim, seeds),
        images,
    ]
    reference = next(c for c in gaussians if c.parameter == grid.variance)
    others = [*published(found), timed(reference, profile.decoding)]
    lengths = of_other_lengths([*readers, images], _other_lengths(profile), profile.training)
    return [*found, *others, *reduced(profile.calibration), *lengths]


def _other_lengths(profile: Profile) -> list[int]:
    """Return `bridges.lengths`; CapdecError where one of them is the profile's own, stands twice or is no length."""
    lengths, own = profile.bridges.lengths, profile.training.steps
    wrong = {steps for steps in lengths if steps < 1 or steps == own or lengths.count(steps) > 1}
    if wrong:
        raise CapdecError(
            f"profile {profile.name}: bridges.lengths {min(wrong)} must be a number of steps from 1, named once, and "
            f"not training.steps, {own}, which every profile trains"
        )
    return lengths


def view(profile: Profile, results: Results, device: str) -> Bridges:
    """Return what the chapter shows."""
    material = prepare(profile, device, wanted_by(results.cells))
    dims = [None, *(dim for dim in profile.calibration.dims if dim in material.reduced)]
    spaces = {dim: training_cosines(material.at(dim)) for dim in dims}
    return Bridges(profile, results, spaces, in_domain(profile))


def _of_chapter_2(profile: Profile, seeds: int) -> list[Condition]:
    """Return no noise and the Gaussians of this chapter's variances.

    CapdecError where chapter 2 lacks one of the variances, or this chapter the variance that shapes are matched with.
    """
    wanted = profile.bridges.gaussian_variances
    known = profile.noise_types.gaussian_variances
    if missing := sorted(set(wanted) - set(known)):
        raise CapdecError(
            f"profile {profile.name}: bridges.gaussian_variances {missing[0]:g} is none of chapter 2's: {known}"
        )
    if profile.bridges.variance not in wanted:
        raise CapdecError(
            f"profile {profile.name}: bridges.variance {profile.bridges.variance:g} must be one of "
            f"bridges.gaussian_variances, {wanted}"
        )
    chapter_2 = noise_types.conditions(profile, seeds)
    gaussians = [c for c in chapter_2 if c.family == GAUSSIAN and c.parameter in wanted]
    return [next(c for c in chapter_2 if c.family == NONE), *gaussians]
