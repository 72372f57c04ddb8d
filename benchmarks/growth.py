"""How cost grows: time and memory of the project's own code against one size at a time, with fitted exponents.

Each exponent stands beside the one that theory gives; what grows faster is named (`growth_fit.MARGIN` says from
where on). One thread, so that exponents do not depend on when a library begins to use another.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.growth_curve import MEMORY_REPEATS, REPEATS, RESOLUTION, Curve, Samples, peaks, timed
from benchmarks.growth_figures import UNTOLD, Panel, alternative, caption, growth_figure
from benchmarks.growth_fit import MARGIN, fit_exponent
from benchmarks.growth_models import of_decoding, of_noise, of_training
from benchmarks.growth_tables import of_resamples, of_tables
from benchmarks.growth_texts import of_texts
from capdec_core.gallery import for_dark_page, svg_bytes

QUICK_SIZES = 2
COSTS = {"time": "Seconds a run", "memory": "Peak MiB beyond what was there before"}


def curves(quick: bool) -> list[Curve]:
    """Return every curve, by what grows; with `quick`, only its smallest sizes."""
    models = [replace(curve, on_device=True) for curve in (*of_training(), *of_noise(), *of_decoding())]
    found = [*models, *of_texts(), *of_tables(), *of_resamples()]
    if quick:
        found = [replace(curve, sizes=curve.sizes[:QUICK_SIZES]) for curve in found]
    order = list(dict.fromkeys(curve.group for curve in found))
    return sorted(found, key=lambda curve: order.index(curve.group))


def run(device: str, quick: bool) -> dict[str, Any]:
    """Measure every curve; return tables, figures and the raw repeats."""
    found, repeats = curves(quick), (1,) if quick else ()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = {curve.key: timed(curve, device, *repeats) for curve in found}
    finally:
        torch.set_num_threads(before)
    ours = [curve for curve in found if not curve.elsewhere]
    memory = peaks(ours, device, *repeats)
    panels = {
        "time": [_panel(curve, times[curve.key], "time") for curve in found],
        "memory": [_panel(curve, memory[curve.key], "memory") for curve in ours],
    }
    return {
        "tables": [_table(title, panels[title]) for title in COSTS],
        "notes": _notes(panels),
        "files": _files(panels, device),
        "curves": [_raw(panel, cost) for cost, drawn in panels.items() for panel in drawn],
    }


def _panel(curve: Curve, costs: Samples, cost: str) -> Panel:
    """Fit a curve; memory that never leaves what can be resolved has no exponent."""
    theory = curve.time if cost == "time" else curve.memory
    told = cost == "time" or np.median(costs[curve.sizes[-1]]) > RESOLUTION
    return Panel(curve, costs, fit_exponent(costs, np.random.default_rng(0)) if told else None, theory)


def _table(cost: str, panels: Sequence[Panel]) -> dict[str, Any]:
    columns = ["What", "grows with", "sizes", "at the largest", "exponent", "theory", "within", "why"]
    return {
        "title": f"How {cost} grows",
        "columns": columns,
        "rows": [_row(panel, cost) for panel in panels],
        "note": f"{COSTS[cost]} at the largest size; exponents over the upper half of the sizes, with 95% intervals.",
    }


def _row(panel: Panel, cost: str) -> list[Any]:
    sizes, unit = panel.curve.sizes, "s" if cost == "time" else "MiB"
    within = UNTOLD if panel.fit is None else "no" if panel.too_fast else "yes"
    return [
        panel.curve.name,
        panel.curve.size,
        f"{sizes[0]:,} to {sizes[-1]:,}",
        f"{panel.median(sizes[-1]):.2g} {unit}",
        str(panel.fit or "–"),
        str(panel.theory),
        within,
        panel.theory.why,
    ]


def _notes(panels: dict[str, list[Panel]]) -> list[str]:
    fast = {cost: [panel.curve.key for panel in drawn if panel.too_fast] for cost, drawn in panels.items()}
    verdicts = [
        f"Faster than theory in {cost}: {', '.join(names) if names else 'nothing'}."
        for cost, names in fast.items()
    ]
    return [
        *verdicts,
        f"Above theory means: the whole interval of the exponent is higher by more than {MARGIN:g}, which is what "
        "caches and allocators add to linear work.",
        f"Times: at most {REPEATS} repeats, the sizes in turn, one thread. Memory: {MEMORY_REPEATS} repeats, each in a "
        "fresh process, as the kernel counts resident memory (not of work that is mostly Java's). On a GPU, tensors "
        "are counted by its allocator.",
        "Models have the default profile's sizes, with random weights where nothing depends on them; texts are those "
        "of the generated world.",
    ]


def _files(panels: dict[str, list[Panel]], device: str) -> dict[str, str | bytes]:
    """Return each figure for light and for dark pages, and a JSON of captions and alternative texts."""
    files: dict[str, str | bytes] = {}
    texts = []
    for cost, drawn in panels.items():
        svg, name = svg_bytes(growth_figure(drawn, COSTS[cost])), f"growth_{cost}"
        pages = {"light": f"{name}.svg", "dark": f"{name}_dark.svg"}
        files |= {pages["light"]: svg, pages["dark"]: for_dark_page(svg)}
        words = {"caption": caption(COSTS[cost], device), "alt": alternative(drawn, COSTS[cost])}
        texts.append({"name": name, "files": pages} | words)
    return files | {"growth_figures.json": json.dumps(texts, indent=1, ensure_ascii=False) + "\n"}


def _raw(panel: Panel, cost: str) -> dict[str, Any]:
    return {
        "group": panel.curve.group,
        "name": panel.curve.name,
        "size": panel.curve.size,
        "cost": cost,
        "costs": {str(size): repeats for size, repeats in panel.costs.items()},
        "exponent": None if panel.fit is None else vars(panel.fit) | {"sizes": list(panel.fit.sizes)},
        "theory": vars(panel.theory),
        "too_fast": panel.too_fast,
    }
