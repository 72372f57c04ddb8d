"""The door to the workflow: Snakemake started with the Snakefile beside this file, on this machine or on a cluster."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from capdec_core import paths
from capdec_core.device import cores, devices_of
from capdec_core.errors import CapdecError
from capdec_core.profiles import load_profile
from capdec_core.programs import USABLE
from capdec_core.workflow.held import held
from capdec_core.workflow.plan import read_plan

CAPDEC = Path(sys.executable).with_name("capdec")
HERE = Path(__file__).resolve().parent
SHOWN = 20
"""So many programs that were not finished are named in a message."""


def start(
    profile: str, device: str, cluster: str | None = None, dry_run: bool = False, options: Sequence[str] = ()
) -> None:
    """Compute a profile's book by jobs: what all cells share, the cells that the store lacks, scores and report.

    Which cells are missing is asked of the store each time, so what is finished is not done again. Jobs that fail
    are tried once more, and leave their logs; the others go on.

    Args:
        profile: the scale.
        device: cpu, cuda (all of this machine's GPUs, one program each at a time), cuda:N or cuda:N,M; on a cluster,
            what a job gets: cpu or cuda.
        cluster: a Snakemake profile, by a name of workflow/profiles, by a folder, or by a name that Snakemake knows;
            None for processes of this machine.
        dry_run: show the jobs and start none.
        options: further options of Snakemake; they have the last word.

    Raises:
        CapdecError: Snakemake is not installed, another workflow of the profile runs, or jobs failed.
    """
    load_profile(profile, device)
    if importlib.util.find_spec("snakemake") is None:
        raise CapdecError("Snakemake is not installed here: pip install '.[cluster]'")
    folder = paths.WORKFLOW / profile
    command = snakemake_command(profile, device, cluster, folder) + ["--dry-run"] * dry_run + list(options)
    refusal = f"a workflow of profile {profile} is running already (it holds {folder})"
    with held(folder / "running", refusal) as running:
        if not dry_run:
            forget(folder)
        code = run_to_its_end(command, running)
    if code:
        raise CapdecError(told_unfinished(folder))


def snakemake_command(profile: str, device: str, cluster: str | None, folder: Path) -> list[str]:
    """Return the command that starts Snakemake in `folder`, where plan, marks and logs go."""
    devices = _devices(device) if cluster is None else _given_by_scheduler(device)
    settings = {"profile": profile, "device": devices[0], "devices": ",".join(devices)}
    settings["capdec"] = str(CAPDEC)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(HERE / "Snakefile"), "--nolock"]
    command += ["--directory", str(folder), "--workflow-profile", str(HERE / "profiles" / "default")]
    command += ["--config", *(f"{name}={value}" for name, value in settings.items())]
    return command + (_on_this_machine(devices) if cluster is None else _on_cluster(cluster))


def run_to_its_end(command: Sequence[str], holding: int) -> int:
    """Run a command, which holds what the descriptor holds, and return its exit code.

    An interrupt is the command's own to answer: Snakemake cancels its jobs, which takes a while.
    """
    with subprocess.Popen(command, pass_fds=[holding]) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def forget(folder: Path) -> None:
    """Remove the last run's plan and marks: what is missing is asked of the store anew. Logs stay."""
    (folder / "plan.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "done", ignore_errors=True)


def told_unfinished(folder: Path) -> str:
    """Return the message of a workflow that ended early: which programs are not done, and where their logs are."""
    again = "What is finished stays: the same command goes on with the rest."
    if not (folder / "plan.json").is_file():
        return f"the plan was not made; see {folder / 'logs' / 'plan.log'}"
    programs = read_plan(folder / "plan.json").programs
    missing = [program for program in programs if not (folder / "done" / program.name).is_file()]
    if not missing:
        return f"the book was not made; see {folder / 'logs' / 'book.log'}. {again}"
    lines = [f"  {folder / 'logs' / program.name}.log" for program in missing[:SHOWN]]
    lines += [f"  and {len(missing) - SHOWN} more"] * (len(missing) > SHOWN)
    count = f"{len(missing)} of {len(programs)} programs of cells were not finished; their logs, where they began:"
    return "\n".join([count, *lines, again])


def _devices(device: str) -> list[str]:
    """Return what programs compute on here: each GPU by its number, or the CPU."""
    found = devices_of(device)
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())] if found == ["cuda"] else found


def _given_by_scheduler(device: str) -> list[str]:
    if device not in ("cpu", "cuda"):
        raise CapdecError(f"device {device!r}: a scheduler gives each job its GPU; DEVICE is cpu or cuda")
    return [device]


def _on_this_machine(devices: Sequence[str]) -> list[str]:
    """Return how many jobs run at once: one a core, or one a GPU, as memory allows."""
    memory = int(USABLE * psutil.virtual_memory().available / 2**20)
    return ["--resources", f"mem_mb={memory}", "--cores", str(max(cores(), len(devices)))]


def _on_cluster(cluster: str) -> list[str]:
    own = HERE / "profiles" / cluster
    return ["--profile", str(own) if own.is_dir() else cluster]
