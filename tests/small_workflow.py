"""What the tests of the workflow share: a profile of six programs, `capdec` that starts at once, a scheduler."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import forking_capdec

from capdec_core.paths import PROFILES

SMALLER = {
    "seeds = 2": 'seeds = 1\nchapters = ["decoding"]',
    "train = 400, val = 40, test = 1000": "train = 60, val = 8, test = 12",
    "val = 20, test = 40": "val = 4, test = 8",
    "steps = 60": "steps = 20",
    "steps = 20\nbatch_size = 32\nlearning_rate = 5e-3\nwarmup_steps = 2": "steps = 6\nbatch_size = 16\n"
    "learning_rate = 5e-3",
    "beams = [1, 3, 5]": "beams = [5]",
    "pool = 10": "pool = 5",
}
"""What makes the profile `tiny` of `smoke`: one chapter, three trainings, and the decodings of each."""

SUBMIT = """#!/bin/sh
# Start a job script in the background, with no environment of the one who submits it, and print the job's name.
file=$(dirname "$0")/$$
run() {
    env -i PATH="$PATH" HOME="$HOME" sh "$1" > "$file.out" 2>&1
    echo $? > "$file.ending"
    mv "$file.ending" "$file.code"
}
run "$1" > /dev/null 2>&1 &
echo $$
"""
STATUS = """#!/bin/sh
# Say how the job of this name is.
case $(cat "$(dirname "$0")/$1.code" 2> /dev/null) in "") echo running ;; 0) echo success ;; *) echo failed ;; esac
"""


def write_profile(folder: Path) -> None:
    """Write the profile `tiny`."""
    text = (PROFILES / "smoke.toml").read_text()
    for old, new in SMALLER.items():
        assert old in text, f"smoke.toml has no {old!r} any more"
        text = text.replace(old, new, 1)
    folder.mkdir()
    (folder / "tiny.toml").write_text(text)


@contextmanager
def quick_capdec(folder: Path) -> Iterator[Path]:
    """Give a command that is `capdec`, but of which `reproduce` writes down that it was called and does no more."""
    address, command = folder / "capdec.socket", folder / "capdec"
    server = [sys.executable, forking_capdec.__file__, "serve", str(address)]
    client = f"{sys.executable} -I -S {forking_capdec.__file__} ask {address}"
    book = f'[ "$1" != reproduce ] || {{ echo "$@" >> {folder}/books; exit 0; }}'
    write_script(command, f'#!/bin/sh\n{book}\nexec {client} "$@"\n')
    environment = os.environ | {"CAPDEC_PROFILES": str(folder / "profiles"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(server, env=environment)
    try:
        while not address.exists():
            assert process.poll() is None, "the server ended"
            time.sleep(0.05)
        yield command
    finally:
        process.kill()
        process.wait()


def write_script(path: Path, text: str) -> Path:
    """Write an executable file."""
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def write_scheduler(folder: Path) -> Path:
    """Write a scheduler that runs jobs here, in the background, and a Snakemake profile that submits to it."""
    folder.mkdir()
    submit, status = write_script(folder / "submit", SUBMIT), write_script(folder / "status", STATUS)
    settings = {
        "executor": "cluster-generic",
        "cluster-generic-submit-cmd": submit,
        "cluster-generic-status-cmd": status,
        "jobs": 2,
        "latency-wait": 10,
        "seconds-between-status-checks": 1,
    }
    (folder / "config.yaml").write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))
    return folder
