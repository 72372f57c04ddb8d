"""The README's numbers are those of the reference results."""

import json
import shutil

from small_scripts import load_script

from benchmarks.__main__ import PARTS
from benchmarks.report import write_report
from capdec_core.reference.read import reference_folder


def test_the_readme_tells_the_reference_results_of_now():
    """Mend with `make sync`."""
    module = load_script("headlines")
    text = module.README.read_text()
    for name in module.SECTIONS:
        begin, end = module.BLOCK.format(name=name, text="@").split("@")
        assert text.count(begin) == text.count(end) == 1
    assert module.written(text) == text


def test_numbers_come_from_the_tables_and_the_rest_of_the_readme_stays(monkeypatch):
    module = load_script("headlines")
    table = module.pd.read_csv(reference_folder("flickr8k") / module.TABLE)
    none = (table.family == "none") & (table.kind == "score") & (table.metric == "CIDEr")
    table.loc[none, ["estimate", "low", "high"]] = [0.02, 0.01, 0.03]
    monkeypatch.setattr(module.pd, "read_csv", lambda _: table)
    before, rest = "# A title\n\n", "\n## Another\n"
    begin, end = module.BLOCK.format(name="headlines", text="@").split("@")
    found = module.written(f"{before}{begin}old{end}{rest}")
    assert found.startswith(before + begin)
    assert found.endswith(end + rest)
    assert "| No noise | – | No noise | 2.0 [1.0, 3.0] | 3 |" in found
    assert "old" not in found.split("\n")


def test_the_benchmarks_that_are_kept_tell_what_their_files_hold(tmp_path):
    kept = load_script("headlines").BENCHMARKS
    for file in kept.glob("*.json"):
        shutil.copy(file, tmp_path)
    assert write_report(tmp_path, PARTS).read_text() == (kept / "README.md").read_text()
    records = [json.loads((kept / f"{part}.json").read_text()) for part in PARTS]
    assert not any(record["quick"] or "failed" in record for record in records)
