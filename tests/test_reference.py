"""Reference results: kept chapters come back byte for byte, nothing of a data set is in them, no two runs mix."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from nbformat import v4
from small_book import code, parameters, prose, write_notebook
from small_study import make_study
from small_world import ToyCorpus, cell_config

from capdec_core import __version__, gallery, paths, tables
from capdec_core import reproduce as commands
from capdec_core.cell import StoredCell, code_fingerprint
from capdec_core.errors import CapdecError
from capdec_core.files import write_json
from capdec_core.profiles import load_profile
from capdec_core.reference import read, write
from capdec_core.reference.chapters import fold, unfold
from capdec_core.reference.manifest import manifest, read_manifest, seal
from capdec_core.reference.tidy import COLUMNS, tidy
from capdec_core.reference.withheld import REASON, VERBATIM, Sentences, is_own
from capdec_core.store import CellStore
from capdec_core.studies import NOTEBOOKS

SENTENCE = "A black cat sits on the red sofa."
IMAGES = np.zeros((2, 4, 4, 3), dtype=np.uint8)


@pytest.fixture
def chart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], nbformat.NotebookNode]:
    """A chart as the gallery shows it."""
    seen: list[Any] = []
    monkeypatch.setattr(gallery, "display", seen.append)
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")

    def draw(name: str) -> nbformat.NotebookNode:
        figure = Figure()
        figure.subplots().bar([0], [len(name)], color=gallery.INK)
        gallery.Gallery(2, "smoke").figure(figure, name, "caption", alt="a bar")
        return shown(seen[-1].data)

    return draw


def shown(html: str) -> nbformat.NotebookNode:
    return v4.new_output("display_data", {"text/html": html, "text/plain": "<HTML>"})


def panel() -> str:
    systems = {"No noise": ["a dog", "a black cat sits on the red sofa"], "Noise": ["", "red sofa"]}
    return f'<figure id="fig-captions">{gallery.caption_panel(IMAGES, [SENTENCE, "Two dogs."], systems)}</figure>'


def executed(path: Path, *outputs: nbformat.NotebookNode) -> Path:
    """Write a chapter as papermill leaves it: with times, places and the progress of its run."""
    cell = code("chapter.figure(...)", "hide-input")
    cell.outputs = [v4.new_output("stream", name="stderr", text="train: 100%"), *outputs]
    cell.metadata["papermill"] = {"start_time": "2026-01-01T00:00:00"}
    write_notebook(path, prose("# 2. Title"), parameters(), cell)
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["papermill"] = {"parameters": {"profile": "smoke"}, "output_path": "/somewhere/else"}
    nbformat.write(notebook, path)
    return path


def lasting(text: str) -> list:
    cells = nbformat.reads(text, as_version=4).cells
    return [o for cell in cells for o in cell.get("outputs", []) if o.output_type != "stream"]


def test_a_chapter_comes_back_as_it_was_shown(tmp_path: Path, chart) -> None:
    """Charts for both pages, tables and prose; nothing of when and where it was run."""
    table = tables.html_table(pd.DataFrame({"x": [0.1, None], "Who": ["a & b", "c"]}))
    source = executed(tmp_path / "02_small.ipynb", chart("one"), shown(table), chart("two"), shown(panel()))
    fold(source, tmp_path / "kept", str)
    files = sorted(path.name for path in (tmp_path / "kept").rglob("*.*"))
    assert files == ["02_one.svg", "02_small.ipynb", "02_two.svg"]
    kept = tmp_path / "kept" / "chapters" / "02_small.ipynb"
    assert not re.search("svg.xml|train: 100|start_time|somewhere", kept.read_text())
    back = unfold(kept, tmp_path / "kept" / "figures", "9.9")
    assert lasting(back) == lasting(source.read_text())
    metadata = nbformat.reads(back, as_version=4).metadata
    assert metadata.papermill.parameters == {"profile": "smoke"}
    assert metadata.capdec.version == "9.9"


def test_a_missing_figure_and_a_failed_cell_are_named(tmp_path: Path, chart) -> None:
    fold(executed(tmp_path / "02_small.ipynb", chart("one")), tmp_path, str)
    (tmp_path / "figures" / "02_one.svg").unlink()
    with pytest.raises(CapdecError, match=r"02_one\.svg"):
        unfold(tmp_path / "chapters" / "02_small.ipynb", tmp_path / "figures", "1")
    error = v4.new_output("error", ename="ValueError", evalue="", traceback=[])
    with pytest.raises(CapdecError, match=r"03_bad\.ipynb failed"):
        fold(executed(tmp_path / "03_bad.ipynb", error), tmp_path, str)


def test_a_panel_of_photographs_keeps_what_systems_wrote() -> None:
    clean = Sentences([SENTENCE, "Two dogs."]).withhold(panel())
    cells = re.findall(r"<td[^>]*>(.*?)</td>", clean)
    reason, verbatim = f"<em>{REASON}</em>", f"<em>{VERBATIM}</em>"
    photograph = f"<em>Photograph {REASON}</em>"
    assert cells == [
        *(photograph, reason, "a dog", gallery.EMPTY),
        *(photograph, reason, verbatim, "red sofa"),
    ]
    assert 'id="fig-captions"' in clean


def test_what_shows_no_captions_stays_as_it_is() -> None:
    html = f'<img src="data:image/png;base64,AAAA"><p>{SENTENCE}</p>'
    assert Sentences([SENTENCE]).withhold(html) == html


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE,
        "Seen: “a BLACK cat sits on the red sofa”, it said.",
        "<td>a black cat sits</td><td>on the red sofa</td>".replace("</td><td>", " "),
        "a black cat sits on the red sofa &amp; sleeps",
        '<img src="data:image/png;base64,AAAA">',
        '<img src="data:image/jpeg;base64,AAAA">',
    ],
)
def test_the_guard_finds_sentences_and_photographs(text: str) -> None:
    with pytest.raises(CapdecError, match=r"^02 would hold"):
        Sentences([SENTENCE]).refuse(text, "02")


@pytest.mark.parametrize(
    "text",
    [
        "a black cat",
        "a black cat sits on a red sofa",
        '<img src="data:image/svg+xml;base64,AAAA">',
        "two dogs",
    ],
)
def test_the_guard_lets_other_text_pass(text: str) -> None:
    Sentences([SENTENCE, "Two dogs."]).refuse(text, "02")


@given(st.lists(st.sampled_from("abcde"), max_size=30), st.integers(0, 20))
def test_a_sentence_is_found_wherever_it_stands(words: list[str], place: int) -> None:
    text = [*words[:place], "one", "two", "three", "four", "five", *words[place:]]
    sentences = Sentences(["One two, three four five!", "one two three"])
    assert sentences.find(" ".join(text)) == "one two three four five"
    assert sentences.find(" ".join(words)) is None


def test_only_the_generated_world_is_ours_to_show() -> None:
    assert is_own("scenes")
    assert not any(map(is_own, ["flickr8k", "flickr30k", "flickr30k-to-flickr8k", "another"]))


def test_the_sentences_of_a_corpus() -> None:
    corpus = ToyCorpus({"train": [["one two three four five ."]], "test": [["six seven eight nine ten"]]})
    sentences = Sentences.of(corpus, ["train", "test"])
    assert sentences.find("six seven eight nine ten") is not None
    assert sentences.find("one two three four five") is not None


@pytest.fixture(scope="module")
def study():
    made = make_study(gaussian_variances=[0.004, 0.016, 0.05], student_dfs=[3, 5])
    record, scores = made.results.store.record, made.results.store.scores

    def all_scores(cell: StoredCell) -> dict:
        more = {"BLEU-4": 0.2, "ROUGE-L": 0.3, "MiniLM": 0.4}
        return {key: table | {"corpus": table["corpus"] | more} for key, table in scores(cell).items()}

    made.results.store.record = lambda cell: record(cell) | {"losses": [2.0, 1.0]}
    made.results.store.scores = all_scores
    return made


def test_the_tidy_table_is_enough_for_the_chapters_table(study) -> None:
    """From the file as it is read again, the chapter's table of scores comes out byte for byte."""
    path_text = tidy(study).to_csv(index=False)
    table = pd.read_csv(io.StringIO(path_text), float_precision="round_trip")
    assert tuple(table.columns) == COLUMNS
    scores = table[(table.kind == "score") & (table.split == "test") & table.seed.isna()]
    rows = []
    for label in study.table.label:
        of = scores[scores.condition == label].set_index("metric")
        row = {"label": label, "METEOR": of.estimate["METEOR"]}
        for metric in ("CIDEr", "BLEU-4"):
            columns = (metric, f"{metric}_low", f"{metric}_high")
            row |= dict(zip(columns, of.loc[metric, ["estimate", "low", "high"]], strict=True))
        rows.append(row)
    arguments = (["CIDEr", "BLEU-4"], {"METEOR": "METEOR"})
    again = tables.html_table(tables.score_columns(pd.DataFrame(rows), *arguments))
    assert again == tables.html_table(tables.score_columns(study.table, *arguments))


def test_the_tidy_table_has_every_seed_cell_and_test(study) -> None:
    table = tidy(study)
    cells = {cell.id for found in study.results.cells.values() for cell in found}
    assert set(table[table.kind == "cell"].cell) == cells
    costs = table[(table.kind == "cell") & (table.metric == "seconds")]
    assert costs.cell.is_unique
    assert set(costs.cell) == cells
    (law,) = table[(table.kind == "geometry") & (table.metric == "calibrated variance")].estimate
    assert law == study.geometry.calibrated_variance
    tests = table[table.kind == "test"]
    assert set(table[table.metric == "final loss"].estimate) == {1.0}
    asked = {contrast.question for contrast in study.contrasts}
    assert asked <= set(tests.question)
    assert tests.p.notna().sum() >= len(study.contrasts)
    scores = table[(table.kind == "score") & (table.metric == "CIDEr") & (table.split == "test")]
    means = scores[scores.seed.notna()].groupby("condition", sort=False).estimate.mean()
    assert means.tolist() == pytest.approx(scores[scores.seed.isna()].estimate.tolist())


def store_with(folder: Path, *records: dict) -> tuple[CellStore, list]:
    store, cells = CellStore(folder), []
    for seed, changes in enumerate(records):
        cell = cell_config(seed=seed)
        with store.writing(cell) as place:
            base = {"seconds": 1.5, "decoding_seconds": 0.5, "trainable_parameters": 7, "peak_memory": 8}
            machine = {"device": "cpu", "threads": 1, "versions": {"torch": "2.9"}}
            write_json(place / "record.json", base | machine | changes)
        cells.append(cell)
    return store, cells


def test_the_manifest_says_where_from_and_what_it_cost(tmp_path: Path) -> None:
    store, cells = store_with(tmp_path, {}, {"device": "NVIDIA H100", "seconds": 0.5}, {})
    table = manifest(load_profile("smoke"), {"02_noise_types": 3}, cells, store)
    assert table["code"] == code_fingerprint()
    assert table["version"] == __version__
    assert table["seeds"] == [0, 1, 2]
    devices = [table["machines"][table["cells"][cell.id]["machine"]]["device"] for cell in cells]
    assert devices == ["cpu", "NVIDIA H100", "cpu"]
    assert len(table["machines"]) == 2
    assert table["cells"][cells[1].id]["seconds"] == 0.5
    assert json.loads(json.dumps(table))["settings"]["seeds"] == 2


def kept(folder: Path, drawn: nbformat.NotebookNode, code: str = "") -> Path:
    """Write a reference of one small chapter, with one chart, of the profile smoke."""
    store, cells = store_with(folder / "cells", {})
    reference = folder / "results" / "reference" / "smoke"
    table = shown("<table><tr><td>7</td></tr></table>")
    fold(executed(folder / "02_small.ipynb", drawn, table), reference, str)
    told = manifest(load_profile("smoke"), {"02_small": 1}, cells, store)
    seal(reference, told | ({"code": code, "version": "0.0.7"} if code else {}))
    return reference


def test_files_of_two_runs_do_not_mix(tmp_path: Path, chart) -> None:
    reference = kept(tmp_path, chart("one"))
    assert read_manifest(reference, "smoke")["profile"] == "smoke"
    with pytest.raises(CapdecError, match="profile smoke, not of scenes"):
        read_manifest(reference, "scenes")
    figure = reference / "figures" / "02_one.svg"
    drawn = figure.read_bytes()
    figure.write_bytes(drawn + b" ")
    (reference / "chapters" / "03_more.ipynb").write_text("{}")
    with pytest.raises(CapdecError, match=r"chapters/03_more\.ipynb, figures/02_one\.svg"):
        read_manifest(reference, "smoke")
    (reference / "chapters" / "03_more.ipynb").unlink()
    figure.unlink()
    with pytest.raises(CapdecError, match=r"not of it: figures/02_one\.svg\."):
        read_manifest(reference, "smoke")


def test_a_part_of_a_profile_says_so_on_every_page() -> None:
    assert read.part_told(load_profile("smoke", "cpu")) == ""
    told = read.part_told(load_profile("flickr8k", "cpu"))
    assert told.startswith("A part of the profile flickr8k")
    assert "chapters 1, 7, 9," in told


def test_the_banner_says_which_version_and_what_changed() -> None:
    table = {"version": "0.0.7", "code": code_fingerprint(), "machines": [{"device": "B"}, {"device": "A"}]}
    profile = load_profile("smoke")
    table["settings"] = json.loads(json.dumps(manifest(profile, {}, [], CellStore(Path()))["settings"]))
    same = read.banner(table, profile)
    assert same.startswith(
        f"Reference results of version 0.0.7, code {code_fingerprint()[:8]}, computed on A, B: kept"
    )
    assert "changed" not in same
    other = read.banner(table | {"code": "0" * 16}, replace(profile, seeds=9))
    assert "(the code that trains and decodes and the profile's settings changed since)" in other


def test_a_report_is_of_the_reference_where_no_chapter_was_run(
    tmp_path: Path, chart, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(tmp_path, chart("one"), code="0123456789abcdef")
    monkeypatch.setattr(paths, "EXECUTED", tmp_path / "executed")
    monkeypatch.setattr(paths, "REPORT", tmp_path / "report")
    page = commands.report("smoke", "cpu").with_name("02_small.html").read_text()
    assert "Reference results of version 0.0.7, code 01234567" in page
    assert "code that trains and decodes changed since" in page
    assert "<table><tr><td>7</td></tr></table>" in page
    first = (tmp_path / "report" / "smoke" / "index.html").read_text()
    assert "Reference results of version 0.0.7" in first
    assert re.search(r"of version 0\.0\.7\.\s+A profile", first)
    assert "reference results" in capsys.readouterr().out


@pytest.mark.parametrize("chapters", [0, 1, len(NOTEBOOKS)])
def test_chapters_run_here_and_reference_results_do_not_mix(
    tmp_path: Path, chart, monkeypatch: pytest.MonkeyPatch, chapters: int
) -> None:
    kept(tmp_path, chart("one"))
    monkeypatch.setattr(paths, "EXECUTED", tmp_path / "executed")
    bound = []
    monkeypatch.setattr(commands, "bind_reference", lambda *_: bound.append("reference") or tmp_path)
    monkeypatch.setattr(commands, "build_report", lambda *_, **__: bound.append("own") or tmp_path)
    for name in list(NOTEBOOKS.values())[:chapters]:
        executed(tmp_path / "executed" / "smoke" / f"{name}.ipynb")
    commands.report("smoke", "cpu")
    assert bound == ["own" if chapters == len(NOTEBOOKS) else "reference"]


def test_nothing_is_kept_of_a_book_with_missing_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = {cell.id: cell for cell in (cell_config(), cell_config(seed=1))}
    monkeypatch.setattr(write, "profile_cells", lambda *_: cells)
    monkeypatch.setattr(paths, "CELLS", tmp_path)
    with pytest.raises(CapdecError, match="2 of the 2 cells of smoke are missing"):
        write.write_reference("smoke", "cpu")


def test_a_sentence_that_would_be_kept_is_refused(tmp_path: Path) -> None:
    fold(executed(tmp_path / "02_small.ipynb", shown(f"<p>{SENTENCE}</p>")), tmp_path / "stage", str)
    with pytest.raises(
        CapdecError, match=r"02_small\.ipynb would hold a sentence of the data set: 'a black cat"
    ):
        write.guard(tmp_path / "stage", Sentences([SENTENCE]))
    write.guard(tmp_path / "stage", Sentences(["another sentence of five words"]))
