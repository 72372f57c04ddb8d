"""Mappers of other depths with the parameters of a baseline, to tell depth from size.

In a transformer mapper, more layers mean more parameters. Here a deeper one is made narrower and a shallower
one wider, both in its vectors and in the hidden layers of its blocks, until the total is the baseline's.
"""

import bisect
import functools
import math
from dataclasses import replace

import torch

from capdec_core.errors import CapdecError
from capdec_core.mapper import MapperConfig, build_mapper

TOLERANCE = 0.01
"""A matched mapper's parameters differ from the baseline's by at most this share."""
LARGEST_CHANGE = 2.0
"""A matched mapper's `mlp_ratio` differs from the baseline's at most by this factor."""


@functools.cache
def parameter_count(config: MapperConfig) -> int:
    """Return the number of weights of the mapper, counted on one without memory."""
    with torch.device("meta"):
        return sum(weight.numel() for weight in build_mapper(config).parameters())


def matched_parameters(baseline: MapperConfig, layers: int) -> MapperConfig:
    """Return a transformer mapper of `layers` layers that has the parameters of `baseline`, within 1%.

    Its `inner_width` is a multiple of its heads, one of the two between which the baseline's own `mlp_ratio`
    would meet the baseline's count; `mlp_ratio` then makes up the rest, and that width is taken whose ratio is
    nearer to the baseline's. With the baseline's own number of layers it is the baseline itself.

    Raises:
        ValueError: the baseline is no transformer.
        CapdecError: no width comes near enough: the baseline is too small for so many layers.
    """
    if baseline.kind != "transformer":
        raise ValueError(f"only transformer mappers have layers to match, not {baseline.kind}")
    if layers == baseline.layers:
        return baseline
    target = parameter_count(baseline)
    near = (_filled(baseline, layers, width, target) for width in _widths(baseline, layers, target))
    found = [config for config in near if config is not None]
    if not found:
        raise CapdecError(
            f"no mapper of {layers} layers and {baseline.heads} heads has the {target} parameters of the baseline "
            f"(width {baseline.width}, {baseline.layers} layers): choose fewer layers or a wider baseline"
        )
    return min(found, key=lambda config: _change(config, baseline))


def _widths(baseline: MapperConfig, layers: int, target: int) -> tuple[int, ...]:
    """Return the multiples of the heads on either side of the width that meets `target` at the same ratio."""
    steps = range(1, 2 + target // (baseline.embedding_dim * baseline.heads))
    below = bisect.bisect_right(
        steps, target, key=lambda step: parameter_count(_of_width(baseline, layers, step * baseline.heads))
    )
    return tuple(step * baseline.heads for step in (below, below + 1) if step)


def _of_width(baseline: MapperConfig, layers: int, width: int) -> MapperConfig:
    return replace(baseline, layers=layers, inner_width=None if width == baseline.width else width)


def _filled(baseline: MapperConfig, layers: int, width: int, target: int) -> MapperConfig | None:
    """Return the mapper of this width whose blocks' hidden layers meet `target`; None where none comes near.

    Each hidden unit costs the same, so two counts tell how many are needed.
    """
    of_width = _of_width(baseline, layers, width)
    one, two = (parameter_count(replace(of_width, mlp_ratio=_ratio(n, width))) for n in (1, 2))
    hidden = 1 + round((target - one) / (two - one))
    if hidden < 1 or abs(one + (hidden - 1) * (two - one) - target) > TOLERANCE * target:
        return None
    config = replace(of_width, mlp_ratio=_ratio(hidden, width))
    return config if _change(config, baseline) <= math.log(LARGEST_CHANGE) else None


def _ratio(hidden: int, width: int) -> float:
    """Return the `mlp_ratio` that gives a hidden layer of `hidden` units, whatever the division rounds to."""
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else math.nextafter(ratio, math.inf)


def _change(config: MapperConfig, baseline: MapperConfig) -> float:
    return abs(math.log(config.mlp_ratio / baseline.mlp_ratio))
