"""The temperature experiment's heads, each trained once: what was measured of them is kept as files."""

from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from capdec_core.cell import fingerprint_of
from capdec_core.encoders.heads import Pairs
from capdec_core.files import digest, read_json, write_json
from capdec_core.gap.core import Geometry
from capdec_core.gap.heads import KINDS, HeadKind, HeadRun, train_heads
from capdec_core.profiles import GeometrySettings
from capdec_core.resume import tensor_digest

CODE = ("budget.py", "embeddings.py", "encoders/heads.py", "encoders/towers_heads.py", "gap")
"""Modules that decide what is measured."""


def kept_heads(folder: Path, train: Pairs, test: Pairs, settings: GeometrySettings) -> list[HeadRun]:
    """Return the heads of every kind, scale and seed, as `train_heads` makes them; those in `folder` are read.

    Each is written as soon as it is trained, under a name that tells features, settings and code.
    """
    common = [*(_digest(pairs) for pairs in (train, test)), settings.dim, settings.hidden]
    common += [asdict(settings.training), fingerprint_of(CODE)]
    runs = product(KINDS, settings.scales, range(settings.seeds))
    return [_kept(folder, train, test, run, settings, common) for run in runs]


def _kept(
    folder: Path,
    train: Pairs,
    test: Pairs,
    run: tuple[HeadKind, float, int],
    settings: GeometrySettings,
    common: list[Any],
) -> HeadRun:
    path = folder / f"{digest([*common, *run])[:16]}.json"
    if not path.is_file():
        found = train_heads(train, test, *run, settings)
        sides = {"before": _table(found.before), "after": _table(found.after)}
        write_json(path, {**vars(found), **sides})
    table = read_json(path)
    return HeadRun(**{**table, "before": _geometry(table["before"]), "after": _geometry(table["after"])})


def _table(found: Geometry) -> dict[str, Any]:
    """Return a geometry for JSON, which knows no nan."""
    variance = None if np.isnan(found.calibrated_variance) else found.calibrated_variance
    return {**vars(found), "calibrated_variance": variance}


def _geometry(table: dict[str, Any]) -> Geometry:
    """Return the geometry that `_table` was made of; JSON names things by words only."""
    recalls = {
        name: {int(k): share for k, share in table[name].items()}
        for name in ("image_to_text", "text_to_image")
    }
    variance = np.nan if table["calibrated_variance"] is None else table["calibrated_variance"]
    return Geometry(**{**table, **recalls, "calibrated_variance": variance})


def _digest(pairs: Pairs) -> str:
    return tensor_digest(*(torch.from_numpy(np.ascontiguousarray(part)) for part in pairs))
