"""Chapter 6, decoding (Study B's open question): which way of reading captions off a captioner is best?

Every way of decoding is tried on the same trained captioners, one of each kind; nothing is trained for it
but the captioners. The settings are fixed in the profile and not chosen on this corpus: beam widths around
the default of CapDec and ClipCap; top-k (Fan et al. 2018); the nucleus (Holtzman et al. 2020); contrastive
search at its authors' penalty (Su et al. 2022).
"""

from dataclasses import replace

from capdec_core.decoding import Beam, Contrastive, Decoding, Greedy, Reranked, Sampling
from capdec_core.errors import CapdecError
from capdec_core.profiles import Profile
from capdec_core.studies import noise_types
from capdec_core.studies.conditions import Condition
from capdec_core.studies.decoding_names import name
from capdec_core.studies.decoding_view import CAPDEC, CLIPCAP_FROZEN, CLIPCAP_TUNED, DecodingStudy
from capdec_core.studies.results import Results


def conditions(profile: Profile, seeds: int) -> list[Condition]:
    """Return the captioners as they were trained, and each of them under every way of decoding."""
    found = []
    for captioner in _captioners(profile, seeds):
        found += [captioner, *(_redecoded(captioner, way) for way in ways(profile))]
    return found


def view(profile: Profile, results: Results, device: str) -> DecodingStudy:
    """Return what the chapter shows."""
    return DecodingStudy(profile, results)


def ways(profile: Profile) -> list[Decoding]:
    """Return the grid: every way of decoding, those that look at the image twice last.

    CapdecError if the beam widths lack the profile's own, which all others are compared with.
    """
    grid, longest = profile.decoding_grid, profile.decoding.max_tokens
    if profile.decoding.beams not in grid.beams:
        raise CapdecError(
            f"profile {profile.name}: decoding_grid.beams must hold decoding.beams, {profile.decoding.beams}"
        )
    nucleus = Sampling(grid.samples, longest, grid.temperature, top_p=grid.top_p)
    return [
        Greedy(longest),
        *(Beam(width, longest) for width in sorted(grid.beams)),
        Sampling(grid.samples, longest, grid.temperature, top_k=grid.top_k),
        nucleus,
        Contrastive(grid.alpha, grid.contrastive_k, longest),
        Reranked(replace(nucleus, n=grid.pool)),
        Reranked(Beam(max(grid.beams), longest)),
    ]


def _captioners(profile: Profile, seeds: int) -> list[Condition]:
    """Return one captioner of each kind; the first two are chapter 2's and share its cells.

    CapdecError if chapter 2 has no Gaussian of the variance that the profile's `decoding_grid` names.
    """
    variance = profile.decoding_grid.variance
    chapter_2 = noise_types.conditions(profile, seeds)
    gaussians = [c for c in chapter_2 if c.family == "gaussian" and c.parameter == variance]
    if not gaussians:
        raise CapdecError(
            f"profile {profile.name}: decoding_grid.variance {variance:g} is none of gaussian_variances"
        )
    images = noise_types.on_images(seeds)
    named = {CAPDEC: gaussians[0], CLIPCAP_TUNED: images, CLIPCAP_FROZEN: replace(images, tuned=False)}
    return [
        replace(condition, family=name, label=f"{name}, as trained", parameter=None, seeds=seeds)
        for name, condition in named.items()
    ]


def _redecoded(captioner: Condition, way: Decoding) -> Condition:
    return replace(captioner, label=f"{captioner.family}: {name(way)}", decoding=way)
