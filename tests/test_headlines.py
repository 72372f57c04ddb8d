"""The README's numbers are those of the reference results."""

from small_scripts import load_script

from capdec_core.reference.read import reference_folder


def test_the_readme_tells_the_reference_results_of_now():
    """Mend with `make sync`."""
    module = load_script("headlines")
    text = module.README.read_text()
    assert text.count(module.BEGIN) == text.count(module.END) == 1
    assert module.written(text) == text


def test_numbers_come_from_the_tables_and_the_rest_of_the_readme_stays(monkeypatch):
    module = load_script("headlines")
    table = module.pd.read_csv(reference_folder("flickr8k") / module.TABLE)
    none = (table.family == "none") & (table.kind == "score") & (table.metric == "CIDEr")
    table.loc[none, ["estimate", "low", "high"]] = [0.02, 0.01, 0.03]
    monkeypatch.setattr(module.pd, "read_csv", lambda _: table)
    before, rest = "# A title\n\n", "\n## Another\n"
    found = module.written(f"{before}{module.BEGIN}old{module.END}{rest}")
    assert found.startswith(before + module.BEGIN)
    assert found.endswith(module.END + rest)
    assert "| No noise | – | No noise | 2.0 [1.0, 3.0] | 3 |" in found
    assert "old" not in found.split("\n")
