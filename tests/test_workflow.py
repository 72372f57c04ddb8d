"""The workflow, by the real Snakemake and the real `capdec cell`: jobs that are killed and that fail, then the rest."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_workflow import quick_capdec, write_profile, write_scheduler

from capdec_core import paths
from capdec_core.errors import CapdecError
from capdec_core.store import CAPTIONER
from capdec_core.workflow import start as module
from capdec_core.workflow.plan import Plan, Program, read_plan
from capdec_core.workflow.start import start


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workflow")


@pytest.fixture(scope="module")
def capdec(place: Path) -> Iterator[Path]:
    write_profile(place / "profiles")
    with quick_capdec(place) as command:
        yield command


@pytest.fixture
def results(place: Path, capdec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of results, for the door here and for the jobs that it starts."""
    (place / "books").unlink(missing_ok=True)
    (tmp_path / "faults").mkdir()
    monkeypatch.setenv("CAPDEC_RESULTS", str(tmp_path))
    monkeypatch.setenv("CAPDEC_PROFILES", str(place / "profiles"))
    monkeypatch.setattr(paths, "OWN_PROFILES", place / "profiles")
    monkeypatch.setattr(paths, "WORKFLOW", tmp_path / "workflow")
    monkeypatch.setattr(module, "CAPDEC", capdec)
    return tmp_path


def plan_of(results: Path) -> Plan:
    return read_plan(results / "workflow" / "tiny" / "plan.json")


def log_of(results: Path, program: str) -> str:
    return (results / "workflow" / "tiny" / "logs" / f"{program}.log").read_text()


def finished(results: Path) -> set[str]:
    return {path.name for path in (results / "cells").iterdir() if (path / "captions.json").is_file()}


def stamps(results: Path, cells: set[str]) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for name in cells for path in (results / "cells" / name).iterdir()}


def call(capdec: Path, *arguments: str, results: Path) -> subprocess.Popen[str]:
    """Start a command with its results in a folder; what it says can be read."""
    environment = os.environ | {"CAPDEC_RESULTS": str(results)}
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen([capdec, *arguments], env=environment, stdout=pipe, stderr=both, text=True)


def foresee(results: Path, capdec: Path) -> list[Program]:
    """The programs of an empty store: three trainings, and what each is decoded in other ways, in the same order."""
    path = results / "foreseen.json"
    assert call(capdec, "workflow-plan", str(path), "--profile", "tiny", results=results).wait() == 0
    trainings, decodings = (read_plan(path).programs[part] for part in (slice(3), slice(3, 6)))
    return [*trainings, *sorted(decodings, key=lambda each: [t.name for t in trainings].index(each.after[0]))]


def test_a_killed_job_is_tried_again_a_failing_one_stops_no_other_and_a_rerun_does_the_rest(
    results: Path, capdec: Path, place: Path
) -> None:
    killed, failing, whole, *decodings = foresee(results, capdec)
    assert [len(each.cells) for each in (killed, failing, whole)] == [1, 1, 1]
    assert all(len(each.cells) > 1 for each in decodings)
    for program, fault in ((killed, "kill"), (failing, "fail")):
        (results / "faults" / program.cells[0]).write_text(fault)

    with pytest.raises(
        CapdecError, match=rf"2 of 6 programs .*\n.*logs/{failing.name}\.log\n.*{decodings[1].name}"
    ):
        start("tiny", "cpu")
    done = finished(results)
    assert done == {*killed.cells, *whole.cells, *decodings[0].cells, *decodings[2].cells}
    assert not (place / "books").exists()
    assert not (results / "faults" / killed.cells[0]).exists(), "nothing was killed"
    tries = log_of(results, failing.name).split("Traceback")
    assert len(tries) == 3, "a failing job is tried once more, and the logs of both tries are kept"
    assert all(
        "RuntimeError: broken in the middle" in told and failing.cells[0] in told for told in tries[1:]
    )
    assert not (results / "workflow" / "tiny" / "logs" / f"{decodings[1].name}.log").exists()

    before = stamps(results, done)
    (results / "faults" / failing.cells[0]).unlink()
    start("tiny", "cpu")
    assert [program.name for program in plan_of(results).programs] == [failing.name, decodings[1].name]
    assert finished(results) == done | {*failing.cells, *decodings[1].cells}
    assert stamps(results, done) == before, "what was finished was done again"
    assert (place / "books").read_text() == "reproduce --profile tiny --device cpu\n"
    assert tries[1] in log_of(results, failing.name)


def test_a_scheduler_gets_the_jobs_and_what_it_loses_is_submitted_again(
    results: Path, capdec: Path, tmp_path: Path
) -> None:
    """Jobs have no environment but what the workflow gives them; a cell that was lost on the way is as any other."""
    training, _, _, decoding, *_ = foresee(results, capdec)
    (results / "faults" / training.cells[0]).write_text("kill")
    cluster = write_scheduler(tmp_path / "cluster")
    start("tiny", "cpu", str(cluster), options=[f"done/{training.name}"])
    endings = sorted(path.read_text() for path in cluster.glob("*.code"))
    assert endings == ["0\n", "0\n", "1\n"], "plan, and a training that was lost and done again"
    assert finished(results) == set(training.cells)
    assert not list((results / "cells").glob(".*")), "a part of a cell was left"

    alone = tmp_path / "alone"
    asked = call(capdec, "cell", decoding.cells[0], "--profile", "tiny", results=alone)
    assert asked.wait() == 0
    assert finished(alone) == {training.cells[0], decoding.cells[0]}, "a decoding brings its training"
    for name in (CAPTIONER, "captions.json"):
        there, here = (folder / "cells" / training.cells[0] / name for folder in (results, alone))
        assert there.read_bytes() == here.read_bytes()


def test_a_cell_that_two_jobs_are_asked_for_is_trained_by_one_of_them(results: Path, capdec: Path) -> None:
    """As when a workflow is killed and started again while a scheduler still runs its jobs."""
    training, *_ = foresee(results, capdec)
    jobs = [call(capdec, "cell", *training.cells, "--profile", "tiny", results=results) for _ in range(2)]
    told = [job.communicate()[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], told
    assert sorted("1/1" in each for each in told) == [False, True], told
    assert finished(results) == set(training.cells)
