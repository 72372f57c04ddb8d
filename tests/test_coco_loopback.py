"""Profile coco from end to end at the smallest size, on a hub and an image server on the loopback address."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from coco_hub import hub, publish, put
from coco_world import REVISIONS, SIZES, world, write_data, write_models, write_profile

from capdec_core import paths
from capdec_core.studies import NOTEBOOKS

CAPDEC = Path(sys.executable).with_name("capdec")
NAME = "coco_loopback"
ON_ONE_CORE = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A program that becomes another one on one core: every process more would import everything once more."""
CHAPTERS = ("noise_types", "heads_layers", "cosine_directed", "prefix_length")


@dataclass(frozen=True)
class Run:
    """A finished run of the book: what it printed, and where its results and its data are."""

    printed: str
    results: Path
    data: Path

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The configuration of every cell in the store."""
        return [json.loads(path.read_text()) for path in sorted((self.results / "cells").glob("*/cell.json"))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The book of the profile, made by the command that `make reproduce` calls, on a machine that has nothing yet."""
    folder = tmp_path_factory.mktemp("host")
    table, photographs = world()
    sentences = [" ".join(s["raw"].split()) for image in table["images"] for s in image["sentences"]]
    models = write_models(folder / "models", sentences)
    for name, files in models.items():
        publish(folder / "served", name, REVISIONS[name], files)
    put(folder / "served", "images.cocodataset.org", photographs)
    write_profile(folder / "profiles", models)
    root = folder / "root"
    write_data(root / "data", table, {})
    (root / "notebooks").symlink_to(paths.NOTEBOOKS)
    with hub(folder / "served") as address:
        finished = subprocess.run(
            [sys.executable, "-c", ON_ONE_CORE, CAPDEC, "reproduce", "--profile", NAME, "--device", "cpu"],
            env=environment(folder, address),
            capture_output=True,
            text=True,
            check=False,
        )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return Run(finished.stdout, folder / "results", root / "data" / "coco")


def environment(folder: Path, address: str) -> dict[str, str]:
    """Return the environment of a machine of its own, whose every server is the one at `address`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CAPDEC_", "HF_"))}
    places = {
        "CAPDEC_ROOT": "root",
        "CAPDEC_RESULTS": "results",
        "CAPDEC_PROFILES": "profiles",
        "HF_HOME": "hf",
    }
    own = {name: str(folder / place) for name, place in places.items()}
    return kept | own | {"HF_ENDPOINT": address, "CAPDEC_MIRROR": address}


def test_the_photographs_are_fetched_and_the_report_is_bound(run: Run) -> None:
    found = [path.name for folder in ("val2014", "train2014") for path in (run.data / folder).iterdir()]
    assert len(found) == sum(SIZES.values())
    page = run.results / "report" / NAME / "index.html"
    assert run.printed.splitlines()[-1] == f"Report: {page.as_uri()}"
    for chapter in CHAPTERS:
        assert f"{NOTEBOOKS[chapter]}.html" in page.read_text()
        assert "CIDEr" in page.with_name(f"{NOTEBOOKS[chapter]}.html").read_text()


def test_every_chapter_shows_tables_and_no_error(run: Run) -> None:
    for chapter in CHAPTERS:
        path = run.results / "executed" / NAME / f"{NOTEBOOKS[chapter]}.ipynb"
        outputs = [out for cell in nbformat.read(path, 4).cells for out in cell.get("outputs", [])]
        assert not [out for out in outputs if out.output_type == "error"]
        assert any("<table" in out.get("data", {}).get("text/html", "") for out in outputs)


def test_chapter_5_reads_one_encoder_and_the_others_another(run: Run) -> None:
    trained = [cell for cell in run.cells if "train_on" in cell]
    on_images = {cell["encoder"] for cell in trained if cell["train_on"] == "image"}
    on_texts = {cell["encoder"] for cell in trained if cell["train_on"] == "text"}
    assert len(on_images) == len(on_texts) == 1
    assert on_images != on_texts
    dims = {(cell["train_on"], cell["mapper"]["embedding_dim"]) for cell in trained}
    assert dims == {("text", 640), ("image", 512), ("blank", 640)}
    assert {cell["language_model"]["name"] for cell in trained} == {f"openai-community/gpt2@{'3' * 40}"}
    scored = list((run.results / "cells").glob("*/scores.json"))
    assert len(scored) == len(run.cells)


def test_the_published_captioner_is_scored_beside_them(run: Run) -> None:
    (published,) = [cell for cell in run.cells if "checkpoint" in cell]
    assert published["checkpoint"]["hub"] == "johko/capdec_05"
    page = run.results / "report" / NAME / f"{NOTEBOOKS['noise_types']}.html"
    assert "re-trained CapDec" in page.read_text()
