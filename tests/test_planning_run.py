"""What a run says before it starts: a timing, downloads, the disk, and which scale a machine can carry."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
import torch
from hypothesis import given
from hypothesis import strategies as st

from capdec_core import downloads, paths
from capdec_core.encoders.weights import PINS, WEIGHTS
from capdec_core.errors import CapdecError
from capdec_core.planning import choice, command, fetching, plan, speed, tell, timings
from capdec_core.planning.cluster import GPU, Campaign, assumed
from capdec_core.planning.fetching import Missing
from capdec_core.planning.grid import Grid, grid
from capdec_core.planning.plan import Plan
from capdec_core.planning.speed import Speed, Timing
from capdec_core.planning.work import Work
from capdec_core.profiles import load_profile

SMOKE, COCO = load_profile("smoke", "cpu"), load_profile("coco", "cuda")
NOTHING = Missing([], [], 0, reachable=True)
SLOW = Speed("a machine", [[0.0, 0.01], [1e9, 0.11], [3e9, 0.51]], 1e9, 9, [90.0, 100.0, 120.0])


@pytest.fixture(scope="module")
def smoke() -> Grid:
    return grid(SMOKE)


@pytest.fixture(scope="module")
def paper() -> Grid:
    return grid(COCO)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is on this machine, and no server answers."""
    monkeypatch.setattr(paths, "REAL_DATA", [tmp_path / "data"])
    monkeypatch.setattr(paths, "MODELS", tmp_path / "models")
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(paths, "CELLS", tmp_path / "results" / "cells")
    monkeypatch.setattr(fetching, "try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setattr(requests, "head", refused)
    monkeypatch.setattr(requests, "get", refused)


def refused(*_: object, **__: object) -> None:
    raise requests.ConnectionError("no network")


positive = st.floats(1e-3, 1e3)


@given(positive, positive, positive, positive)
def test_a_speed_goes_through_both_timings_or_the_first(a: float, b: float, c: float, d: float) -> None:
    own, other = Timing([a], b, 8, 5), Timing([c], d, 8, 5)
    found = Speed("m", speed.points(own, other), 1.0)
    assert found.step(b) == pytest.approx(a)
    if d > b and c > a:
        assert found.step(d) == pytest.approx(c)
    steps = [found.step(share * max(b, d)) for share in (0, 0.1, 0.5, 1, 2, 10)]
    assert steps == sorted(steps)
    assert steps[0] >= 0


def test_work_takes_its_steps_and_its_decoding() -> None:
    assert SLOW.seconds(Work()) == 0
    assert SLOW.seconds(Work(10, 10e9, 0)) == pytest.approx(1.1)
    assert SLOW.seconds(Work(10, 50e9, 2e9)) == pytest.approx(10 * 0.91 + 2)


def test_a_timing_trains_and_decodes(smoke: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "ENOUGH", 0.05)
    found = speed.measure(smoke.trained, "cpu")
    assert found.captions is not None
    least, middle, most = found.captions
    assert 0 < least <= middle <= most
    assert found.steps >= 2 * speed.BLOCKS
    assert found.decoding > 0
    assert found.points == sorted(found.points)


def test_a_gpu_that_is_too_small_says_so(smoke: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    """The common captioner must fit; where the costliest alone does not, speed is that of the common one."""
    fitting = Timing([0.1], 1e9, 8, 5)
    answers = [fitting, torch.cuda.OutOfMemoryError("no"), torch.cuda.OutOfMemoryError("no")]

    def steps(*_: object) -> Timing:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(speed, "time_steps", steps)
    monkeypatch.setattr(speed, "_decoding_speed", lambda *_: 1.0)
    assert speed.measure(smoke.trained, "cpu").points == [[0.0, 0.0], [1e9, 0.1]]
    with pytest.raises(CapdecError, match="too little memory for a training of batches of 32"):
        speed.measure(smoke.trained, "cpu")


def test_a_cpu_is_given_no_step_that_takes_long(monkeypatch: pytest.MonkeyPatch, smoke: Grid) -> None:
    asked = []

    def steps(shape: object, batch_size: int, device: str, count: int) -> list[float]:
        asked.append(batch_size)
        return [speed.ENOUGH] * speed.BLOCKS

    monkeypatch.setattr(speed, "_seconds_of_steps", steps)
    shape = speed.shape_of(smoke.trained[0])
    monkeypatch.setattr(speed, "training_flops", lambda *_: 1e10)
    assert speed.time_steps(shape, 34, "cpu").captions == 4
    assert speed.time_steps(shape, 34, "cuda").captions == 34
    assert asked == [4, 34]


def test_a_machine_is_timed_once(smoke: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    timed = []
    monkeypatch.setattr(timings, "measure", lambda cells, device: timed.append(device) or SLOW)
    for _ in range(2):
        assert timings.speed_of("smoke", smoke.trained, "cpu") == SLOW
    assert timed == ["cpu"]
    file = paths.RESULTS / "timings" / "smoke-cpu.json"
    for text in ("[]", "{", json.dumps(json.loads(file.read_text()) | {"speed": {"machine": 1}})):
        file.write_text(text)
        assert timings.speed_of("smoke", smoke.trained, "cpu") == SLOW
    monkeypatch.setattr(timings, "code_fingerprint", lambda: "another")
    timings.speed_of("smoke", smoke.trained, "cpu")
    assert len(timed) == 5


def test_what_a_generated_world_needs_is_here() -> None:
    assert fetching.missing(SMOKE, training_images=True) == NOTHING
    assert fetching.parts_of("scenes", training_images=True) == []


def test_what_paper_scale_fetches_without_a_network() -> None:
    lean, whole = (fetching.missing(COCO, images) for images in (False, True))
    assert not lean.reachable
    assert lean.parts == ["coco/captions", "coco/val", "coco/test"]
    assert whole.parts == [*lean.parts, "coco/train"]
    assert set(lean.weights) >= {pin.hub for pin in PINS.values()} | {"openai-community/gpt2"}
    photographs = downloads.PARTS["coco/train"].size
    assert whole.size - lean.size == photographs > 18e9
    assert lean.size > 1.6e9 + len(lean.weights) * fetching.UNKNOWN


def test_weights_that_are_here_are_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    pin = PINS["RN50x4", "openai"]
    (paths.MODELS / pin.hub).mkdir(parents=True)
    (paths.MODELS / "gpt2").mkdir()
    monkeypatch.setattr(
        fetching, "try_to_load_from_cache", lambda hub, *_, **__: "a file" if "johko" in hub else None
    )
    assert fetching.missing(COCO, training_images=False).weights == [PINS["ViT-B-32", "openai"].hub]


def test_a_server_says_how_large_weights_are(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def head(address: str, **_: object) -> SimpleNamespace:
        asked.append(address)
        return SimpleNamespace(ok="openai-community" not in address, headers={"Content-Length": "1000"})

    monkeypatch.setattr(requests, "head", head)
    monkeypatch.setattr(downloads, "bytes_missing", lambda parts: 0)
    monkeypatch.setattr(downloads, "reachable", lambda parts: True)
    found = fetching.missing(COCO, training_images=False)
    pin = PINS["RN50x4", "openai"]
    assert any(address.endswith(f"{pin.hub}/resolve/{pin.revision}/{WEIGHTS}") for address in asked)
    assert not found.reachable
    assert found.size == 1000 * (len(found.weights) - 1) + fetching.UNKNOWN


@dataclass(frozen=True)
class Machine:
    """What a machine has: a GPU, what it lacks of paper scale, free bytes."""

    gpu: bool
    lacking: Missing
    room: float = 1e12
    memory: float = 80e9


FETCHABLE = Missing(["coco/val"], [], 20_000_000_000, reachable=True)


@pytest.mark.parametrize(
    ("machine", "profile", "device", "words"),
    [
        (Machine(False, NOTHING), "scenes", "cpu", "needs no GPU"),
        (Machine(True, NOTHING), "coco", "cuda", "the data and the weights"),
        (
            Machine(True, NOTHING, memory=6e9),
            "scenes",
            "cuda",
            "8.4 GB of a GPU's memory, and this one has 6.0 GB",
        ),
        (Machine(True, FETCHABLE), "coco", "cuda", "can be fetched"),
        (Machine(True, FETCHABLE, room=19e9), "scenes", "cuda", "20.0 GB are missing, and 19.0 GB"),
        (Machine(True, replace(FETCHABLE, reachable=False)), "scenes", "cuda", "not all of their servers"),
    ],
)
def test_the_machine_chooses_what_it_can_carry(
    monkeypatch: pytest.MonkeyPatch, paper: Grid, machine: Machine, profile: str, device: str, words: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: machine.gpu)
    monkeypatch.setattr(choice.fetching, "missing", lambda *_: machine.lacking)
    monkeypatch.setattr(choice.space, "free", lambda _: machine.room)
    monkeypatch.setattr(choice, "grid", lambda _: paper)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (0, machine.memory))
    found = choice.choose("auto", "auto")
    assert (found.profile, found.device) == (profile, device)
    assert words in found.why
    assert choice.choose("flickr8k", "auto") == choice.Choice("flickr8k", device)
    assert choice.choose("auto", "cpu").profile == "scenes"


def planned(smoke: Grid, missing: Missing = NOTHING, took: bool = False) -> Plan:
    seconds = {cell.id: 2.0 for cell in smoke.cells} if took else {}
    return Plan(SMOKE, "cpu", smoke, seconds, None if took else SLOW, missing, 5_000_000)


def test_a_plan_adds_up(smoke: Grid) -> None:
    found = planned(smoke)
    assert len(found.seconds) == len(found.todo) == len(smoke.cells)
    assert sum(found.schedule.loads) == pytest.approx(sum(found.seconds))
    assert found.wall >= found.pretraining + max(found.seconds) > found.pretraining > 0
    half = replace(found, took={cell.id: 1.0 for cell in smoke.cells[::2]})
    assert len(half.todo) == len(smoke.cells) // 2
    assert sum(half.seconds) < sum(found.seconds)


def test_a_plan_is_told_with_the_way_to_choose_otherwise(
    smoke: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = planned(smoke, FETCHABLE)
    text = tell.as_text(found, "it needs no GPU")
    for words in (
        "Profile smoke", "on cpu: it needs no GPU.", f"{len(smoke.cells)} of {len(smoke.cells)} are missing",
        "of one core", "9 steps", "100 captions a second, 90 to 120", "5 MB", "20 GB: coco/val", "PROFILE=coco|",
    ):  # fmt: skip
        assert words in text
    assert "NOT ALL" not in text
    assert "NOT ALL" in tell.as_text(planned(smoke, replace(FETCHABLE, reachable=False)))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (0, 1e5))
    _, cells, time, *_ = tell.as_text(replace(found, device="cuda")).splitlines()
    assert "TOO LARGE: its costliest training takes" in cells
    assert re.search(r"at most .* of one GPU", time)
    some = replace(found, took={cell.id: 30.0 for cell in smoke.cells[:4]})
    assert (
        f"{len(smoke.cells) - 4} of {len(smoke.cells)} are missing; the others took 2 minutes:"
        in tell.as_text(some)
    )
    done = tell.as_text(planned(smoke, took=True))
    assert f"all {len(smoke.cells)} are in the store" in done
    assert "captions a second" not in done
    assert "downloads  none" in done


def test_a_plan_as_json(smoke: Grid) -> None:
    told = json.loads(tell.as_json(planned(smoke, FETCHABLE)))
    assert told["missing"] == told["cells"] == len(smoke.cells)
    assert told["to_fetch"] == ["coco/val"]
    assert told["wall_seconds"] > told["longest_cell_seconds"] > 0
    assert json.loads(tell.as_json(planned(smoke, took=True)))["took_seconds"] == 2.0 * len(smoke.cells)


def test_cells_that_do_not_fit_the_disk_are_said(smoke: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tell.space, "free", lambda _: 1_000_000)
    assert "TOO LITTLE" in tell.as_text(planned(smoke))


def test_a_download_larger_than_the_disk_is_refused_before_anything_else(
    smoke: Grid, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "make_plan", lambda *_: planned(smoke, FETCHABLE))
    monkeypatch.setattr(plan.space, "free", lambda _: 19_000_000_000)
    with pytest.raises(
        CapdecError, match=r"20\.0 GB to fetch, and .* has 19\.0 GB free\. Nothing was fetched"
    ):
        command.announced("smoke", "cpu")
    assert "20 GB: coco/val" in capsys.readouterr().out
    monkeypatch.setattr(plan.space, "free", lambda _: 21_000_000_000)
    assert command.announced("smoke", "cpu").profile == SMOKE


def test_a_run_is_planned_by_a_timing_and_nothing_is_timed_where_nothing_is_missing(
    smoke: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "speed_of", lambda *_: SLOW)
    assert plan.make_plan(SMOKE, "cpu").speed == SLOW
    monkeypatch.setattr(plan, "measured", lambda cells, _: {cell.id: 1.0 for cell in cells})
    found = plan.make_plan(SMOKE, "cpu")
    assert (found.speed, found.seconds, found.todo, found.wall) == (None, [], [], 0)


@pytest.mark.parametrize(("profile", "device"), [("paper", "cpu"), ("smoke", "tpu"), ("auto", "tpu")])
def test_a_wrong_name_is_refused(profile: str, device: str) -> None:
    with pytest.raises(CapdecError, match=r"(PROFILE|DEVICE) is one of"):
        command.planned(profile, device)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "0.5 seconds"),
        (90, "90 seconds"),
        (600, "10 minutes"),
        (7200, "2 hours"),
        (6540, "110 minutes"),
        (200_000, "2.3 days"),
    ],
)
def test_durations_in_the_unit_that_suits_them(seconds: float, words: str) -> None:
    assert tell.duration(seconds) == words


def test_a_campaign_takes_measured_cells_at_what_they_took(smoke: Grid) -> None:
    cell = smoke.trained[0]
    found = Campaign(SMOKE, smoke, assumed(), {cell.id: 1e6, "of another grid": 5.0})
    assert found.seconds[cell.id] == 1e6
    assert set(found.seconds) == {each.id for each in smoke.cells}
    assert found.schedule(64).wall == 1e6
    halved = found.at(assumed(GPU, 0.4)).seconds
    assert found.at(assumed(GPU, 0.2)).seconds[cell.id] == pytest.approx(2 * halved[cell.id])
