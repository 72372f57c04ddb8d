"""Published scores: every row has a source, numbers stay as printed, and a wrong file is refused."""

import tomllib

import pytest

from capdec_core.errors import CapdecError
from capdec_core.studies.published import FILE, METRICS, as_printed, load_published
from capdec_core.tables import Markup


@pytest.fixture(scope="module")
def published():
    return load_published()


def test_every_row_names_a_paper_a_training_and_a_place(published):
    rows = [*published.prefix_lengths, *published.comparison, *published.later]
    assert {row.paper for row in rows} == set(published.papers)
    for row in rows:
        assert row.trained
        assert row.read
        assert row.scores
        assert set(row.scores) <= set(METRICS)
        assert all(0 < score < 200 for score in row.scores.values())
    assert all(paper.arxiv or key == "study_b" for key, paper in published.papers.items())


def test_study_bs_numbers_are_those_of_its_tables(published):
    assert published.prefix_length(20).scores == {
        "BLEU-1": 68.79,
        "BLEU-2": 53.4,
        "BLEU-3": 40.98,
        "BLEU-4": 30.57,
    }
    rows = {row.system: row for row in published.comparison}
    assert list(rows["ClipCap, MLP and GPT-2"].scores.values()) == [32.15, 27.1, 108.35, 20.12]
    assert [row.parameters for row in rows.values()] == [52, 115, 135, 43, 156]


def test_what_is_not_known_is_a_dash_and_not_a_number(published):
    table = published.reading_table(published.later, ["BLEU-4", "CIDEr"])
    row = table.set_index("System").loc["IFCap"]
    assert (row["BLEU-4"], row["CIDEr"]) == ("30.8", "–")
    assert [as_printed(27.0), as_printed(36.58), as_printed(None)] == ["27.0", "36.58", "–"]


def test_papers_are_linked(published):
    papers = published.reading_table(published.comparison, ["BLEU-4"])["Paper"]
    assert all(isinstance(cell, Markup) for cell in papers)
    assert papers[0] == '<a href="https://arxiv.org/abs/1707.07998">Anderson et al. 2017</a>'


def test_sources_say_what_was_trained_and_where_it_was_read(published):
    text = published.sources(published.later)
    assert len(text.splitlines()) == len(published.later)
    assert "**EVCap**" in text
    assert "so not text-only" in text


def test_a_file_with_another_key_or_type_is_refused(tmp_path):
    text = FILE.read_text(encoding="utf-8")
    assert tomllib.loads(text)
    for old, new, message in (
        ('read_on = "2026-11-24"', 'seen_on = "2026-11-24"', "seen_on"),
        ("parameters = 52", 'parameters = "many"', "many"),
    ):
        path = tmp_path / "captioners.toml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(CapdecError, match=message):
            load_published(path)
