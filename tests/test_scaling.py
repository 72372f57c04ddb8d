"""Chapter 10: predicted costs beside measured ones, and a plan of paper scale that adds up, in every word."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from capdec_core import figures_scaling as figures
from capdec_core.gallery import svg_bytes
from capdec_core.planning.cluster import Campaign, assumed
from capdec_core.planning.grid import grid
from capdec_core.planning.speed import Speed
from capdec_core.planning.work import work_of
from capdec_core.profiles import load_profile
from capdec_core.store import CellStore
from capdec_core.studies import GATHERING, conclusions, scaling, study_named
from capdec_core.studies import scaling_prose as prose
from capdec_core.studies import scaling_tables as tables
from capdec_core.studies.scaling_view import Scaling

SMOKE = load_profile("smoke", "cpu")
TIMED = Speed("a CPU", [[0.0, 0.001], [1e8, 0.01], [1e9, 0.1]], 1e10, 60, [80.0, 100.0, 110.0])
SLOWER = 1.5
"""How many times longer than predicted a cell took, its seed aside."""


def seconds_of(cell: Any) -> float:
    return SLOWER * (1 + cell.seed / 10) * TIMED.seconds(work_of(cell))


@pytest.fixture(scope="module")
def study() -> Scaling:
    """The chapter of a run whose cells took a known multiple of what was predicted, with an assumed GPU."""
    cells = grid(SMOKE).trained
    store = SimpleNamespace(record=lambda cell: {"seconds": seconds_of(cell)})
    results: Any = SimpleNamespace(
        cells={str(i): [cell] for i, cell in enumerate([*cells, cells[0]])}, store=store
    )
    paper = load_profile("coco", "cuda")
    return Scaling(SMOKE, results, TIMED, Campaign(paper, grid(paper), assumed(), {}))


@pytest.fixture(scope="module")
def timed(study: Scaling) -> Scaling:
    """The same where a GPU was timed."""
    speed = Speed("a GPU", [[0.0, 0.0], [1e12, 0.01]], 1e13, 40, [1.0, 2.0, 3.0])
    return replace(study, campaign=study.campaign.at(speed))


def test_it_has_no_experiment_of_its_own() -> None:
    assert study_named("scaling") is scaling
    assert scaling.conditions(SMOKE, 2) == conclusions.conditions(SMOKE, 2)
    assert set(GATHERING).isdisjoint(conclusions.chapters(SMOKE))


def test_costs_are_compared_cell_by_cell(study: Scaling) -> None:
    assert len(study.costs) == len(study.results.cells) - 1, "each cell once"
    assert study.costs.ratio.between(SLOWER - 1e-9, SLOWER * 1.1 + 1e-9).all()
    middle, low, high = study.ratio
    assert SLOWER <= low <= middle <= high <= SLOWER * 1.1 + 1e-9
    assert study.shapes.cells.sum() == len(study.costs)
    assert (study.shapes.measured_low <= study.shapes.measured).all()
    assert (study.shapes.measured <= study.shapes.measured_high).all()
    assert study.claims == []


def test_a_shape_has_one_prediction(study: Scaling) -> None:
    spread = study.costs.groupby("shape").predicted.agg(np.ptp)
    assert spread.max() < 1e-9
    assert len(study.shapes) > 20


def test_the_tables_add_up(study: Scaling) -> None:
    table = tables.grid(study)
    parts, whole = table.iloc[:-1], table.iloc[-1]
    campaign = study.campaign
    assert whole["Cells"] == len(campaign.grid.cells) == whole["First used here"]
    assert whole["Trained"] == len(campaign.grid.trained)
    hours = sum(campaign.seconds.values()) / 3600
    assert float(whole["GPU hours"]) == pytest.approx(hours, abs=0.06)
    assert parts["First used here"].sum() <= whole["Cells"]
    assert parts["GPU hours"].astype(float).sum() == pytest.approx(hours, rel=0.05)
    walls = tables.plan(study)
    assert list(walls["GPUs"]) == [1, 8, 64]
    for _, row in walls.iterrows():
        assert row["Limit"] in {*tables.PHASES.values(), "the costliest cell"}


def test_more_gpus_take_no_longer_and_never_less_than_the_costliest_cell(study: Scaling) -> None:
    walls = study.walls
    assert (walls.whole.diff().dropna() <= 1e-9).all()
    assert (walls.cells >= study.costliest - 1e-9).all()
    assert (walls.low < walls.whole).all()
    assert (walls.whole < walls.high).all()
    assert walls.cells[0] == pytest.approx(sum(study.campaign.seconds.values()) / 3600)


def test_the_costliest_cell_limits_many_gpus_that_have_nothing_else_to_wait_for(study: Scaling) -> None:
    campaign = study.campaign.at(assumed(utilisation=1e-3))
    assert tables.limit(campaign, campaign.phases(1)) == "cells"
    assert tables.limit(campaign, campaign.phases(100_000)) == "the costliest cell"
    fast = study.campaign.at(assumed(utilisation=1000.0))
    assert tables.limit(fast, fast.phases(64)) == "scores"


def test_an_assumption_is_called_one_and_a_timing_is_not(study: Scaling, timed: Scaling) -> None:
    assert study.assumes
    assert not timed.assumes
    assert "assumption, not a result" in prose.source(study)
    assert "assum" not in prose.source(timed)
    assert "40 timed steps" in prose.source(timed)
    assert (timed.walls.low == timed.walls.high).all()
    own = tables.speeds(timed).iloc[0]
    assert (own["GPU"], own["Speed"]) == ("a GPU", "measured here")
    assert tables.speeds(study)["Speed"].str.endswith("assumed").all()


def test_twice_the_share_takes_half_the_hours(study: Scaling) -> None:
    table = tables.speeds(study).set_index("Speed")
    hours = {
        share: float(table.loc[f"{share}% of 989 Tflop/s, assumed", "Hours on 1"]) for share in (10, 20, 40)
    }
    assert hours[10] == pytest.approx(2 * hours[20], abs=0.2)
    assert hours[20] == pytest.approx(2 * hours[40], abs=0.2)


def test_prose_says_the_numbers(study: Scaling) -> None:
    text = prose.in_short(study)
    campaign = study.campaign
    for words in (
        f"{len(campaign.grid.cells)} cells", f"{len(campaign.grid.trained)} are trained",
        f"about {sum(campaign.seconds.values()) / 3600:.0f} hours", "On 8 GPUs", "On 64 GPUs",
        f"{len(study.costs)} captioners", f"{study.ratio[0]:.2f} times",
    ):  # fmt: skip
        assert words in text
    assert "100 captions a second (80 to 110" in prose.predicted(study)
    useful = re.search(r"beyond (\d+) GPUs", prose.limits(study))
    assert useful is not None
    assert int(useful[1]) == pytest.approx(sum(campaign.seconds.values()) / 3600 / study.costliest, abs=0.51)
    assert "tokens on the mean" in prose.assumptions(study)


def test_storage_is_summed(study: Scaling) -> None:
    table = tables.storage(study)
    assert list(table["What"])[-1] == "All"
    campaign = study.campaign
    whole = campaign.data + campaign.weights + campaign.banks + campaign.kept
    assert table["On disk"].iloc[-1] == f"{whole / 1e9:.3g} GB"
    assert campaign.data > 20e9
    assert campaign.kept > 4 * 181e6 * 100


def test_charts_and_what_is_said_of_them(study: Scaling) -> None:
    assert svg_bytes(figures.cost_figure(study.shapes)) == svg_bytes(figures.cost_figure(study.shapes))
    assert svg_bytes(figures.hours_figure(study.walls, study.costliest, (8, 64)))
    alt = figures.cost_alt(study.shapes)
    for mapper in ("mlp", "linear", "transformer"):
        assert f"{mapper}: {(study.shapes.mapper == mapper).sum()} shapes" in alt
    told = figures.hours_alt(study.walls, study.costliest)
    assert f"64 GPUs: {study.walls.set_index('gpus').whole[64]:.3g}" in told


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_gpu_is_timed_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, study: Scaling, tmp_path: Path, device: str
) -> None:
    asked = []
    monkeypatch.setattr(scaling, "speed_of", lambda *told: asked.append((told[0], told[2])) or TIMED)
    monkeypatch.setattr(scaling, "grid", lambda profile: study.campaign.grid)
    results: Any = SimpleNamespace(cells={}, store=CellStore(tmp_path))
    found = scaling.view(SMOKE, results, device)
    assert found.speed == TIMED
    assert asked == [("smoke", device)] + [("coco", device)] * (device == "cuda")
    assert found.assumes == (device == "cpu")
    assert found.campaign.took == {}
