"""The gap of a profile's own encoder, on its test split."""

import numpy as np

from capdec_core.device import check_device
from capdec_core.embeddings import bank
from capdec_core.encoders import load_encoder
from capdec_core.gap.apart import Anatomy, anatomy
from capdec_core.gap.core import Geometry, geometry
from capdec_core.gap.files import Pairs
from capdec_core.material import corpus_of
from capdec_core.paths import BANKS
from capdec_core.profiles import Profile, load_profile


def of_profile(name: str, device: str) -> Geometry:
    """Measure a profile's encoder on its test split, every caption with its image."""
    return geometry(*embedded_pairs(load_profile(name), device))


def anatomy_of_profile(name: str, device: str) -> Anatomy:
    """Take apart the gap of a profile's encoder on its test split, every caption with its image."""
    profile = load_profile(name)
    return anatomy(*embedded_pairs(profile, device), statistics=profile.statistics)


def embedded_pairs(profile: Profile, device: str, split: str = "test") -> Pairs:
    """Return a profile's raw embeddings of one split; CapdecError for a device that is not there."""
    check_device(device)
    corpus = corpus_of(profile)
    encoder = load_encoder(profile.encoder.model, profile.encoder.pretrained, device)
    images, texts = (np.asarray(bank(BANKS, corpus, encoder, split, kind)) for kind in ("image", "text"))
    owners = np.repeat(np.arange(len(images)), [len(group) for group in corpus.split(split).captions])
    return images, texts, owners
