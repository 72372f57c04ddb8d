"""The claims ledger end to end: from scores to CSV and JSON, and other scores give other verdicts."""

import re
from pathlib import Path

import pandas as pd
import pytest
from noise_rows import unit_rows
from small_protocol import CosineStore, World, is_baseline, make_protocol
from small_study import MATERIAL, flat, make_study

from capdec_core import descriptions_conclusions, figures_conclusions, paths
from capdec_core.gallery import svg_bytes
from capdec_core.gap import Geometry
from capdec_core.ledger import COLUMNS, read_ledger
from capdec_core.material import Material
from capdec_core.profiles import load_profile
from capdec_core.studies import (
    GATHERING,
    NOTEBOOKS,
    bridges,
    conclusions,
    conclusions_tables,
    cosine_directed,
    noise_types,
)
from capdec_core.studies import conclusions_prose as prose
from capdec_core.studies.bridges_law import MATCHED
from capdec_core.studies.conclusions_view import Conclusions
from capdec_core.studies.conditions import cells_of
from capdec_core.studies.results import Results

SENTENCES = (
    prose.in_short,
    lambda study: prose.of_study(study, "Study A"),
    prose.artefacts,
    prose.twice,
)


def gathered(noise_types, protocol) -> Conclusions:
    """A ledger of two chapters."""
    chapters = {"noise_types": noise_types, "protocol": protocol}
    return Conclusions(noise_types.profile, noise_types.results, chapters)


@pytest.fixture(scope="module")
def helpful() -> Conclusions:
    """Noise helps, and the baseline is best on all images."""
    best = World(lambda c: 0.6 if is_baseline(c) else 0.5, luck=0.01, captions=0.01)
    return gathered(make_study(), make_protocol(best, resamples=200))


@pytest.fixture(scope="module")
def equal() -> Conclusions:
    """All noises are equally good; mappers of other layers are a little better, which the choice of images hides."""
    hidden = World(lambda c: 0.53 if c.family == "layers" else 0.5, luck=0.2, captions=0.02, easy=0.02)
    return gathered(make_study(quality=flat), make_protocol(hidden, resamples=200))


def exported(study: Conclusions, folder: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    monkeypatch.setattr(paths, "LEDGER", folder)
    csv, json = study.export()
    assert read_ledger(json) == study.rows
    return pd.read_csv(csv)


def test_other_scores_give_other_verdicts_in_the_files(
    helpful: Conclusions, equal: Conclusions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = exported(helpful, tmp_path / "helpful", monkeypatch)
    second = exported(equal, tmp_path / "equal", monkeypatch)
    assert tuple(first.columns) == COLUMNS
    assert first.claim.tolist() == second.claim.tolist()
    best = first.claim.str.contains("by Study A's own measure") & first.claim.str.contains("best overall")
    assert first.verdict[best].tolist() == ["supported"]
    assert second.verdict[best].tolist() == ["artefact"]
    assert first.estimate[best].iloc[0] > 0.05 > second.estimate[best].iloc[0]
    assert (first.verdict != second.verdict).sum() >= 3


def test_a_row_is_its_chapters_claim_with_the_deciding_evidence(helpful: Conclusions) -> None:
    claims = [claim for chapter in helpful.chapters.values() for claim in chapter.claims]
    assert len(helpful.rows) == len(claims) == len(helpful.claims)
    for row, line, claim in zip(helpful.rows, helpful.frame.to_dict("records"), claims, strict=True):
        deciding = claim.evidence[0]
        assert (row.source, row.claim, row.verdict) == (claim.source, claim.claim, claim.verdict)
        assert (line["estimate"], line["low"]) == (deciding.estimate.value, deciding.estimate.low)
        assert line["p"] == pytest.approx(deciding.p_value)
        assert line["cell"] == deciding.sides[0][0]
        assert len(row.evidence) == len(claim.evidence)


def test_links_lead_to_the_records_of_the_chapters(helpful: Conclusions) -> None:
    for name, chapter in helpful.chapters.items():
        ids = {cell.id for found in chapter.results.cells.values() for cell in found}
        links = [
            e.link for row in helpful.rows if row.chapter == int(NOTEBOOKS[name][:2]) for e in row.evidence
        ]
        assert links
        assert {link.partition("#cell-")[0] for link in links} == {f"{NOTEBOOKS[name]}.html"}
        assert {link.partition("#cell-")[2] for link in links} <= ids
    assert 'href="02_noise_types.html#cell-' in conclusions_tables.ledger(helpful)["Cell"].iloc[0]


def test_counts_add_up(helpful: Conclusions, equal: Conclusions) -> None:
    for study in (helpful, equal):
        counts = study.counts.set_index("Source")
        assert counts.loc["All"].sum() == len(study.rows) == counts.drop("All").to_numpy().sum()
        assert counts.loc["Study A", "supported"] == len(study.of("Study A", "supported"))
    assert len(helpful.of("Study A", "supported")) > len(equal.of("Study A", "supported"))


def test_prose_tells_every_claim_under_its_verdict(helpful: Conclusions, equal: Conclusions) -> None:
    for study in (helpful, equal):
        text = prose.of_study(study, "Study A")
        for row in study.rows:
            assert f"*{row.claim}* {row.verdict.capitalize()}" in text
            assert row.reason in text
        assert ("**Holds:**" in text) == bool(study.of("Study A", "supported"))
        artefact = any(row.verdict == "artefact" for row in study.rows)
        assert ("no claim is an artefact" in prose.artefacts(study)) != artefact
        assert "judged twice" in prose.twice(study)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_sentences_have_no_accident(sentence, helpful: Conclusions, equal: Conclusions) -> None:
    for study in (helpful, equal):
        assert not re.search(r"nan|None|\{|\}|  |,,| ,", sentence(study))


def test_the_chart_has_a_mark_for_every_claim_and_a_panel_for_every_metric(helpful: Conclusions) -> None:
    frame = helpful.frame
    chart = figures_conclusions.deciding_estimates(frame)
    assert len(chart.axes) == frame.metric.nunique()
    assert sum(len(axes.get_yticks()) for axes in chart.axes) == len(frame)
    assert svg_bytes(chart).startswith(b"<?xml")
    alt = descriptions_conclusions.of_estimates(frame)
    assert all(claim.rstrip(".") in alt for claim in frame.claim)
    with pytest.raises(ValueError, match="no mark for the verdict proven"):
        figures_conclusions.deciding_estimates(frame.assign(verdict="proven"))


def test_work_counts_shared_captioners_once(helpful: Conclusions) -> None:
    table = conclusions_tables.work(helpful)
    ids = {c.id for v in helpful.chapters.values() for found in v.results.cells.values() for c in found}
    assert table["First used here"].sum() == len(ids) < table["Cells"].sum()


# All chapters together.


@pytest.fixture(scope="module")
def book() -> Conclusions:
    """The whole ledger at the smoke scale, every captioner with made-up scores."""
    profile = load_profile("smoke")
    store = CosineStore(World())
    cells = {}
    for condition in conclusions.conditions(profile, 2):
        cells[condition] = cells_of(condition, profile, MATERIAL)
        for cell in cells[condition]:
            store.conditions.setdefault(cell.id, condition)
    results = Results(cells, store, profile.statistics, MATERIAL.dim)
    geometry = Geometry(100, 500, MATERIAL.dim, 0.45, 0.1, 0.8, 10.0, 10.0, {}, {}, 0.0077)
    with pytest.MonkeyPatch.context() as patch:
        for module in (noise_types, cosine_directed):
            patch.setattr(module, "of_profile", lambda name, device: geometry)
        patch.setattr(Material, "training_embeddings", lambda self, kind: unit_rows(8, MATERIAL.dim))
        for module in (cosine_directed, bridges):
            patch.setattr(module, "prepare", lambda *_: MATERIAL)
        patch.setattr(bridges, "training_cosines", lambda material: {MATCHED: 0.45})
        study = conclusions.view(profile, results, "cpu")
        assert study.rows
    return study


def test_every_claim_of_both_studies_has_a_row(book: Conclusions) -> None:
    text = "\n".join(f"{row.source}: {row.claim}" for row in book.rows).lower()
    for words in (
        "study a: gradient noise injection was the most effective",
        "study a: pre-trained capdec delivered the best overall",
        "study a: attention heads had minimal impact",
        "study a: layers: mixed, no clear trend",
        "results were poor",
        "further tuning could potentially enhance",
        "study b: longer prefixes tend to score higher",
        "study b: 20 is not always better than 10",
        "study b, open question",
    ):
        assert words in text
    papers = ["CapDec", "DrML", "DeCap", "C3", "CLOSE", "This book"]
    assert book.sources == ["Liang et al. 2022", "Study A", "Study B", *papers]
    assert sorted({row.chapter for row in book.rows}) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_each_chapter_sees_its_own_conditions_alone(book: Conclusions) -> None:
    assert list(book.chapters) == [name for name in NOTEBOOKS if name not in GATHERING]
    for name, chapter in book.chapters.items():
        expected = conclusions.study_named(name).conditions(book.profile, 2)
        assert list(chapter.results.cells) == list(dict.fromkeys(expected))


def test_the_whole_ledger_is_exported_shown_and_told(
    book: Conclusions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = exported(book, tmp_path, monkeypatch)
    assert len(table) == len(book.rows) == len(conclusions_tables.ledger(book))
    assert table.verdict.isin(figures_conclusions.VERDICTS).all()
    assert svg_bytes(figures_conclusions.deciding_estimates(book.frame))
    assert "Study B" in prose.in_short(book)
    assert prose.of_study(book, "Study B")
    papers = prose.of_papers(book)
    others = [row for row in book.rows if not row.source.startswith("Study")]
    assert all(row.reason in papers for row in others)
    assert len(others) < len(book.rows)
