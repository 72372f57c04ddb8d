"""A small made world of pairs with a gap between them, shared by the tests of the bridges."""

import torch
import torch.nn.functional as F
from torch import Tensor

from capdec_core.bridges import (
    Bridge,
    Collapse,
    LinearAdapter,
    MeanShift,
    MemoryProjection,
    NearestCaption,
    ShapedNoise,
)
from capdec_core.noise import FixedCosine, Gaussian


def world(
    images: int = 60, captions: int = 4, d: int = 12, seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Unit texts (images * captions, d), unit images (images, d), and each text's image, in mixed order."""
    generator = torch.Generator().manual_seed(seed)
    meaning = torch.randn(images, d, generator=generator, dtype=torch.float64)
    clusters = torch.arange(images).repeat_interleave(captions)
    clusters = clusters[torch.randperm(len(clusters), generator=generator)]
    stretch, offset = (
        torch.linspace(0.2, 1, d, dtype=torch.float64),
        torch.linspace(-1, 2, d, dtype=torch.float64),
    )
    texts = meaning[clusters] + stretch * torch.randn(
        len(clusters), d, generator=generator, dtype=torch.float64
    )
    seen = meaning.flip(1) * 0.3 + meaning - offset
    return F.normalize(texts + offset, dim=1).to(dtype), F.normalize(seen, dim=1).to(dtype), clusters


BRIDGES: dict[str, Bridge] = {
    "plain": Bridge(noise=Gaussian(0.02)),
    "nothing": Bridge(),
    "shift texts": Bridge((MeanShift("text"),), Gaussian(0.02)),
    "shift texts, noise first": Bridge((MeanShift("text"),), Gaussian(0.02), unit_first=False),
    "shift images": Bridge((MeanShift("image"),), FixedCosine(0.6)),
    "collapse": Bridge((Collapse(),), Gaussian(0.02), unit_first=False),
    "linear": Bridge((LinearAdapter(),), Gaussian(0.02)),
    "projection": Bridge((MemoryProjection(size=30),)),
    "nearest": Bridge((NearestCaption(),)),
    "collapsed projection": Bridge((Collapse(), MemoryProjection(temperature=0.05)), Gaussian(0.01)),
    "full, pairs": Bridge(noise=ShapedNoise("full", "pairs", 0.5)),
    "shrunk, pairs": Bridge(noise=ShapedNoise("shrunk", "pairs", 0.5)),
    "shift, shrunk, clusters": Bridge((MeanShift("text"),), ShapedNoise("shrunk", "clusters", 0.5)),
    "diagonal": Bridge(noise=ShapedNoise("diagonal", "clusters", 0.5)),
    "subspace": Bridge(noise=ShapedNoise("subspace", "clusters", 0.5, rank=3)),
    "complement": Bridge((Collapse(),), ShapedNoise("complement", "clusters", 0.5, rank=3)),
    "as measured": Bridge(
        (MeanShift("text"),), ShapedNoise("full", "pairs", None, multiple=9.0, floor=0.01), unit_first=False
    ),
}
"""One bridge of each kind, and combinations."""
