"""Published bridges by name: each with the setting that its source gives, and its noise in the book's one currency."""

from dataclasses import dataclass

from capdec_core.bridges.base import Bridge
from capdec_core.bridges.memory import MemoryProjection, NearestCaption
from capdec_core.bridges.moves import Collapse, LinearAdapter, MeanShift
from capdec_core.bridges.shaped import ShapedNoise
from capdec_core.noise import Gaussian, Perturbation

CLOSE_STD = 0.12
"""CLOSE's noise for captioning with one caption an image, a standard deviation (`train.py`, DEFAULT_NOISE "s-cap")."""
CAPDEC_VARIANCE = 0.016


@dataclass(frozen=True)
class Preset:
    """A published bridge.

    Attributes:
        bridge: the method, in this book's units: a variance per coordinate.
        source: paper, and the code that the setting was read in.
        published: the setting in the source's own units.
        encoder, dim: what it was published for.
    """

    bridge: Bridge
    source: str
    published: str
    encoder: str
    dim: int

    def currency(self, norm: float = 1.0) -> dict[str, float | None] | None:
        """Return variance, std, norm and cosine of the noise at the published dimension, as `Perturbation.describe`.

        `norm` is the length that the last move leaves to a row, where the noise is added before normalising
        (`unit_first` False); `FittedBridge.measure` finds it in data. None for noise of a learned shape, whose size
        only data tell.
        """
        noise = self.bridge.noise
        if not isinstance(noise, Perturbation):
            return None
        if not self.bridge.unit_first and isinstance(noise, Gaussian):
            noise = Gaussian(noise.variance / norm**2)
        return noise.describe(self.dim)


_CLOSE = "Gu et al. 2023, CLOSE; allenai/close, close/model/language_adapters.py"
_CAPDEC = "Nukrai et al. 2022, CapDec; DavidHuji/CapDec, train.py and others/modality_offset_calculator.py"
_C3 = "Zhang et al. 2024, C3; yuhui-zh15/C3, image_captioning/src/datasets/dataset_coco.py and run.py"
_DECAP = "Li et al. 2023, DeCap; dhg-wei/DeCap, inference_decap.ipynb"

PRESETS: dict[str, Preset] = {
    "capdec": Preset(
        Bridge(noise=Gaussian(CAPDEC_VARIANCE)), _CAPDEC, "noise variance .016", "CLIP RN50x4", 640
    ),
    "capdec shift": Preset(
        Bridge((MeanShift("text"),), Gaussian(CAPDEC_VARIANCE), unit_first=False),
        _CAPDEC,
        "modality offset added in training after noise of variance .016, before normalising",
        "CLIP RN50x4",
        640,
    ),
    "capdec shift of images": Preset(
        Bridge((MeanShift("image"),), Gaussian(CAPDEC_VARIANCE)),
        _CAPDEC,
        "noise variance .016, modality offset added to the unit image, which is not normalised again (here it is)",
        "CLIP RN50x4",
        640,
    ),
    "close": Preset(
        Bridge(noise=Gaussian(CLOSE_STD**2)), _CLOSE, "noise standard deviation .12", "CLIP ViT-L/14", 768
    ),
    "close shift": Preset(
        Bridge((MeanShift("text"),), Gaussian(CLOSE_STD**2), unit_first=False),
        _CLOSE,
        "mean shift, then noise of standard deviation .12 before normalising",
        "CLIP ViT-L/14",
        768,
    ),
    "close linear": Preset(
        Bridge((LinearAdapter(),), Gaussian(CLOSE_STD**2)),
        _CLOSE,
        "linear adapter, normalised, then noise of standard deviation .12",
        "CLIP ViT-L/14",
        768,
    ),
    "close covariance": Preset(
        Bridge(
            (MeanShift("text"),),
            ShapedNoise("full", "pairs", None, multiple=9.0, floor=CLOSE_STD**2),
            unit_first=False,
        ),
        _CLOSE,
        "mean shift, 3 times noise of the residual's covariance and noise of standard deviation .12",
        "CLIP ViT-L/14",
        768,
    ),
    "c3": Preset(
        Bridge((Collapse(),), Gaussian(CAPDEC_VARIANCE), unit_first=False),
        _C3,
        "means removed, then noise of standard deviation sqrt(.016) before normalising",
        "CLIP ViT-B/32",
        512,
    ),
    "decap": Preset(
        Bridge((MemoryProjection(size=10_000, temperature=0.01),)),
        _DECAP,
        "similarities times 100, 10,000 captions remembered, no noise",
        "CLIP ViT-B/32",
        512,
    ),
    "nearest caption": Preset(
        Bridge((NearestCaption(),)),
        "Su et al. 2022, MAGIC (CLIPRe); Li et al. 2023, DeCap (nearest-neighbour decoding)",
        "the training caption nearest to the image",
        "CLIP ViT-B/32",
        512,
    ),
}
"""Published bridges; none was published with noise at matched cosine, which studies build from the same parts."""
