"""A workflow's plan, its door and its Snakefile where no cell is computed: what is asked for, dealt, refused, told."""

import dataclasses
import fcntl
import importlib.util
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_workflow import write_script
from test_programs import cell

from capdec_core import paths
from capdec_core.captioner import CaptionerConfig
from capdec_core.cell import CellConfig, Decoded, Imported, Retrieved, StoredCell
from capdec_core.decoding import Greedy
from capdec_core.errors import CapdecError
from capdec_core.files import file_digest
from capdec_core.imported.settings import PublishedSettings, StatedShape
from capdec_core.memory import parameter_counts, training_memory
from capdec_core.workflow import jobs, start
from capdec_core.workflow.held import held
from capdec_core.workflow.jobs import plan_of
from capdec_core.workflow.plan import Plan, Program, read_plan, write_plan
from capdec_core.workflow.program import named

TRAINED = [cell(seed=seed) for seed in range(3)]
BANK, CAPTIONS, MIB = 1000, 7, 2**20


def anew(trained: CellConfig, tokens: int) -> Decoded:
    return Decoded(trained, Greedy(tokens).to_dict(), trained.evaluations)


def retrieved(seed: int) -> Retrieved:
    return Retrieved("corpus", "encoder", "tokenizer", {}, TRAINED[0].evaluations, seed)


def plan(
    trainings: list[list[CellConfig]], others: list[StoredCell], tmp_path: Path, device: str = "cpu"
) -> list[Program]:
    """The plan where the store lacks these programs of trainings and these other cells."""
    (tmp_path / "bank").write_bytes(b"0" * BANK)
    captions = SimpleNamespace(lengths=range(CAPTIONS))
    material = SimpleNamespace(
        banks={"train/text": tmp_path / "bank", "test/text": "not counted"},
        training_captions=lambda: captions,
    )
    runner: Any = SimpleNamespace(device=device, longest=12, material=material)
    runner.missing = lambda cells: (trainings, [[other] for other in others])
    return plan_of(runner, []).programs


def test_decodings_wait_for_their_own_training_and_what_one_captioner_tells_is_one_job(
    tmp_path: Path,
) -> None:
    first, second, third = TRAINED
    decodings = [anew(second, 3), anew(first, 3), anew(second, 4), anew(third, 3), retrieved(0), retrieved(1)]
    found = plan([[first, second]], decodings, tmp_path)
    together, of_second, of_first, of_third, *memories = found
    assert together.cells == [first.id, second.id]
    assert of_second.cells == [decodings[0].id, decodings[2].id]
    assert of_first.after == of_second.after == [together.name] == [f"train-{first.id}"]
    assert of_third.after == [], "the store has its captioner"
    assert [program.cells for program in memories] == [[decodings[4].id], [decodings[5].id]]
    assert len({program.name for program in found}) == len(found)


def test_memory_is_predicted_for_the_place_where_it_is_taken(tmp_path: Path) -> None:
    shape = CaptionerConfig.from_dict(vars(TRAINED[0]))
    alone = jobs.PROCESS + CAPTIONS * jobs.CAPTION + 2 * BANK
    weights = 2 * 4 * sum(parameter_counts(shape))
    for device in ("cpu", "cuda"):
        training, decoding = plan([TRAINED[:2]], [anew(TRAINED[0], 3)], tmp_path, device)
        taken = training_memory(shape, TRAINED[0].training["batch_size"], 12, runs=2)
        on_gpu = device == "cuda"
        for program, tensors, copies in ((training, taken, 2 * weights), (decoding, weights, weights)):
            host = alone + (jobs.ON_GPU + copies if on_gpu else tensors)
            assert 0 <= program.memory_mb * MIB - host < MIB
            assert 0 <= program.gpu_mb * MIB - (tensors if on_gpu else 0) < MIB


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_published_captioner_takes_its_file_twice(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, size = tmp_path / "owner" / "capdec" / "model.pt", 40 * MIB
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(size))
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    wanted = PublishedSettings(
        "owner/capdec", "1" * 40, file.name, file_digest(file), 0.05, ".", StatedShape()
    )
    told = dataclasses.asdict(wanted)
    imported = Imported("corpus", "encoder", "tokenizer", told, "gpt2", {}, TRAINED[0].evaluations)
    (program,) = plan([], [imported], tmp_path, device)
    (nothing,) = plan([], [retrieved(0)], tmp_path, device)
    assert program.memory_mb - nothing.memory_mb == 80
    assert program.gpu_mb == (80 if device == "cuda" else 0)


def programs(count: int, **changes: Any) -> list[Program]:
    values: dict[str, Any] = {"after": [], "memory_mb": 5000, "gpu_mb": 39000} | changes
    return [Program(f"train-{number}", [f"cell{number}"], **values) for number in range(count)]


def test_a_plan_is_read_as_it_was_written_and_anew_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for count in (3, 2):
        write_plan(path, Plan(programs(count)))
        os.utime(path, ns=(count, count))
        assert read_plan(path) == Plan(programs(count))
    assert [read_plan(path).place(program.name) for program in programs(2)] == [0, 1]
    path.write_text('{"programs": [{"name": 1}]}')
    with pytest.raises(CapdecError, match=r"plan\.json.*missing key"):
        read_plan(path)
    with pytest.raises(CapdecError, match="no such file"):
        read_plan(tmp_path / "none.json")


def test_a_name_that_is_no_cell_of_the_profile_is_refused() -> None:
    known = {each.id: each for each in TRAINED}
    assert named([TRAINED[1].id], known, "smoke") == [TRAINED[1]]
    with pytest.raises(CapdecError, match=r"no cell 0123, 4567 in profile smoke: .*start it anew"):
        named(["0123", TRAINED[0].id, "4567"], known, "smoke")


def hold_and_die(path: Path, ready: Any) -> None:
    with held(path):
        ready.set()
        os._exit(9)


def test_what_one_process_holds_another_waits_for_or_refuses_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "held"
    with held(path), pytest.raises(CapdecError, match="taken"), held(path, "taken"):
        raise AssertionError("two hold it")
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=hold_and_die, args=(path, ready))
    process.start()
    assert ready.wait(60)
    with held(path):  # waits until the process has died
        process.join()
    assert process.exitcode == 9


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the workflow of `smoke` runs."""
    monkeypatch.setattr(paths, "WORKFLOW", tmp_path)
    monkeypatch.setattr(start, "CAPDEC", tmp_path / "capdec")
    (tmp_path / "smoke").mkdir()
    return tmp_path / "smoke"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have started Snakemake."""
    commands: list[list[str]] = []

    def run(command: list[str], holding: int) -> int:
        commands.append(command)
        return 0

    monkeypatch.setattr(start, "run_to_its_end", run)
    return commands


def test_wrong_requests_start_nothing(
    folder: Path, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments, message in [
        (("paper", "cpu"), "PROFILE is one of"),
        (("smoke", "tpu"), "DEVICE is one of"),
        (("smoke", "cuda:1", "slurm"), "a scheduler gives each job its GPU"),
    ]:
        with pytest.raises(CapdecError, match=message):
            start.start(*arguments)
    with held(folder / "running"), pytest.raises(CapdecError, match="is running already"):
        start.start("smoke", "cpu")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CapdecError, match=r"not installed here: pip install '\.\[cluster\]'"):
        start.start("smoke", "cpu")
    assert started == []


def test_each_run_asks_the_store_anew_and_a_dry_run_changes_nothing(
    folder: Path, started: list[list[str]]
) -> None:
    write_plan(folder / "plan.json", Plan(programs(1)))
    for name in ("done/train-0", "logs/train-0.log"):
        (folder / name).parent.mkdir()
        (folder / name).touch()
    start.start("smoke", "cpu", dry_run=True)
    assert (folder / "done" / "train-0").is_file()
    start.start("smoke", "cpu", options=["--quiet"])
    assert {path.name for path in folder.iterdir()} == {"logs", "running"}
    assert ["--dry-run" in command for command in started] == [True, False]
    assert started[1][-1] == "--quiet"


PATIENT = """
import pathlib, time
pathlib.Path("begun").touch()
while not pathlib.Path("interrupted").exists():
    time.sleep(0.02)
raise SystemExit(3)
"""


def test_an_interrupt_leaves_snakemake_the_time_to_cancel_its_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is held is held for as long as it runs, whatever becomes of the door."""
    monkeypatch.chdir(tmp_path)

    def interrupt() -> None:
        while not (tmp_path / "begun").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
        stream.close()
        try:
            with pytest.raises(CapdecError, match="taken"), held(tmp_path / "held", "taken"):
                pass
        finally:
            (tmp_path / "interrupted").touch()

    with (tmp_path / "held").open("ab") as stream, ThreadPoolExecutor(1) as pool:
        fcntl.flock(stream, fcntl.LOCK_EX)
        other = pool.submit(interrupt)
        assert start.run_to_its_end([sys.executable, "-S", "-c", PATIENT], stream.fileno()) == 3
        other.result()


def test_what_was_not_finished_is_told_with_its_logs(folder: Path) -> None:
    assert "plan was not made" in start.told_unfinished(folder)
    write_plan(folder / "plan.json", Plan(programs(start.SHOWN + 3)))
    (folder / "done").mkdir()
    (folder / "done" / "train-0").touch()
    first, *logs, more, last = start.told_unfinished(folder).splitlines()
    assert first.startswith(f"{start.SHOWN + 2} of {start.SHOWN + 3} programs")
    assert logs == [f"  {folder}/logs/train-{number}.log" for number in range(1, start.SHOWN + 1)]
    assert more == "  and 2 more"
    assert "the same command" in last
    for program in programs(start.SHOWN + 3):
        (folder / "done" / program.name).touch()
    assert "book was not made" in start.told_unfinished(folder)


COUNTED = """#!/bin/sh
# Take the device that the last argument names, and tell where another job has it. The first two wait for each other.
cd "{0}"
for device; do :; done
mkdir "$device" || echo "$device" >> shared
echo "$2 $device" >> dealt
case $2 in cell0) other=cuda:1 ;; cell1) other=cuda:0 ;; *) other=$device ;; esac
until [ -d "$other" ] || [ -f "met-$2" ]; do sleep 0.1; done
case $2 in cell0) touch met-cell1 ;; cell1) touch met-cell0 ;; esac
sleep 1
rmdir "$device"
"""


def test_two_jobs_never_share_a_gpu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_script(start.CAPDEC, COUNTED.format(folder))
    write_plan(folder / "plan.json", Plan(programs(5, memory_mb=1)))
    monkeypatch.setattr(start, "devices_of", lambda device: [device])
    monkeypatch.setattr(start.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(start, "cores", lambda: 8)
    targets = [f"done/{program.name}" for program in programs(5)]
    subprocess.run([*start.snakemake_command("smoke", "cuda", None, folder), *targets], check=True)
    dealt = (folder / "dealt").read_text().split("\n")[:-1]
    assert sorted(dealt) == [f"cell{number} cuda:{number % 2}" for number in range(5)]
    assert not (folder / "shared").exists()


SBATCH = '#!/bin/sh\necho "$@" >> "$(dirname "$0")/asked"\necho "no such partition" >&2\nexit 1\n'


def test_slurm_is_asked_for_a_gpu_and_for_what_was_predicted_and_for_more_the_second_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real executor; the scheduler's commands are stood in for, and it takes no job."""
    for name in ("sinfo", "sacct", "squeue", "scontrol", "scancel"):
        write_script(tmp_path / name, "#!/bin/sh\n")
    write_script(tmp_path / "sacctmgr", "#!/bin/sh\necho lab\n")
    write_script(tmp_path / "sbatch", SBATCH)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    write_plan(folder / "plan.json", Plan(programs(1)))
    command = start.snakemake_command("smoke", "cuda", "slurm", folder)
    command += ["done/train-0", "--slurm-init-seconds-before-status-checks", "1"]
    command += ["--default-resources", "slurm_account=lab", "slurm_partition=h100"]
    assert subprocess.run(command, check=False).returncode == 1
    first, second = (tmp_path / "asked").read_text().splitlines()
    for asked, memory, minutes in ((first, 5000, 240), (second, 10000, 480)):
        options = asked.split("--wrap=")[0]
        for option in (
            f"--mem {memory}",
            f"-t {minutes}",
            "--gpus=1",
            "--cpus-per-task=4",
            "-A lab",
            "-p h100",
        ):
            assert option in options
    assert not (folder / "done" / "train-0").exists()
