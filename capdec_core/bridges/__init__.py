"""Bridges over the modality gap: what the decoder reads in training and at inference, fitted on training material.

    bridge = Bridge((Collapse(),), Gaussian(0.004))
    fitted = bridge.fit(texts, images, clusters)
    fitted.perturb(texts[:32], generator=generator)  # unit rows: moved, then perturbed
    fitted.infer_side(test_images)            # unit rows

Every bridge says where it depends on training images (`Sight`), and is JSON (`to_dict`, `bridge_from_dict`).
"""

from capdec_core.bridges.base import Bridge
from capdec_core.bridges.covariance import covariance, ledoit_wolf
from capdec_core.bridges.fitted import FittedBridge
from capdec_core.bridges.material import Material, Sight
from capdec_core.bridges.memory import MemoryProjection, NearestCaption
from capdec_core.bridges.moves import Collapse, LinearAdapter, MeanShift, Move
from capdec_core.bridges.presets import PRESETS, Preset
from capdec_core.bridges.serial import MOVES, bridge_from_dict, load_bridge
from capdec_core.bridges.shaped import SHAPES, SOURCES, ShapedNoise

__all__ = [
    "MOVES",
    "PRESETS",
    "SHAPES",
    "SOURCES",
    "Bridge",
    "Collapse",
    "FittedBridge",
    "LinearAdapter",
    "Material",
    "MeanShift",
    "MemoryProjection",
    "Move",
    "NearestCaption",
    "Preset",
    "ShapedNoise",
    "Sight",
    "bridge_from_dict",
    "covariance",
    "ledoit_wolf",
    "load_bridge",
]
