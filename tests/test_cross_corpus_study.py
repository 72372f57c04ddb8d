"""Chapter 7 where no training image is: what is left is told whole, and scores in domain stand beside its own."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_bridges import Worth, make_bridges, world
from small_study import make_study

from capdec_core import descriptions_bridges, figures_bridges, paths
from capdec_core.bridges import PRESETS, Sight
from capdec_core.errors import CapdecError
from capdec_core.files import write_atomic
from capdec_core.gallery import svg_bytes
from capdec_core.profiles import load_profile
from capdec_core.reference.manifest import seal
from capdec_core.reference.tidy import tidy
from capdec_core.statistics import Estimate, bootstrap_interval, paired_difference, unpaired_difference
from capdec_core.studies import bridges_in_domain_prose, bridges_tables, noise_types_prose, phrases, record
from capdec_core.studies import bridges_prose as prose
from capdec_core.studies.bridges_grid import GAUSSIAN, IMAGES, WAYS
from capdec_core.studies.bridges_in_domain import DECIDING, TABLE, InDomain, in_domain
from capdec_core.studies.bridges_law import CAPTIONS
from capdec_core.studies.bridges_tests import NOISE, NOISE_ENOUGH, SHIFT
from capdec_core.studies.bridges_view import Bridges

ACROSS = load_profile("flickr30k-to-flickr8k", "cpu")
SENTENCES = (
    prose.in_short, prose.world, prose.ranking, prose.shapes, prose.memory, prose.cost, prose.law, prose.law_axis,
    prose.dimensions, prose.power, bridges_in_domain_prose.beside,
)  # fmt: skip


def across(worth: Worth, cosine: float = 0.6, **grid) -> Bridges:
    """Chapter 7 with these scores, without whatever takes training images."""
    whole = make_bridges(worth, **grid)
    cells = {c: found for c, found in whole.results.cells.items() if not c.needs_images}
    profile = replace(whole.profile, corpus=ACROSS.corpus)
    return replace(
        whole, profile=profile, results=replace(whole.results, cells=cells), spaces={None: {CAPTIONS: cosine}}
    )


def write_reference(results: Path, table: str, **settings) -> Path:
    """Write a chapter 7 as the reference results of the profile flickr8k; `settings` in place of the profile's."""
    folder = results / "reference" / "flickr8k"
    write_atomic(folder / TABLE, table)
    told = json.loads(json.dumps(asdict(load_profile("flickr8k", "cpu")) | settings))
    about = {"schema": 1, "profile": "flickr8k", "version": "9.9", "code": "abcdef0123", "settings": told}
    seal(folder, about)
    return folder


LEVELS = {"projection": 0.7, "diagonal, clusters": 0.9, "full, clusters": 0.1}


@pytest.fixture(scope="module")
def alone() -> Bridges:
    """The chapter without anything beside it."""
    return across(world(LEVELS))


@pytest.fixture(scope="module")
def table() -> str:
    """Chapter 7 in domain as a reference keeps it: all is better, and the best variance is larger."""
    return tidy(domain()).to_csv(index=False)


def domain() -> Bridges:
    return make_bridges(world({"none": 0.4}, best=0.012))


@pytest.fixture(scope="module")
def beside(alone: Bridges, table: str, tmp_path_factory: pytest.TempPathFactory) -> Bridges:
    """The same chapter with the one in domain beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RESULTS", tmp_path_factory.mktemp("results"))
        write_reference(paths.RESULTS, table)
        found = replace(alone, in_domain=in_domain(alone.profile))
    vars(found).update({name: made for name, made in vars(alone).items() if name not in vars(found)})
    return found


# What is left.


def test_what_is_out_of_reach_is_named_and_not_ranked(alone: Bridges) -> None:
    gone = [WAYS[family].title for family in alone.out_of_reach]
    assert len(gone) + len(alone.choice.ways) == len(WAYS)
    assert set(alone.ranking.sight) == {str(Sight.NEVER)}
    text = prose.world(alone)
    assert all(title in text for title in gone)
    assert "captions without photographs" in text
    table, groups = bridges_tables.with_images(alone)
    assert table["Way"].tolist() == gone
    assert set(table["Place"]) == {"–"}
    assert len(groups) == len(gone)
    ways, _ = bridges_tables.ways(alone)
    assert set(ways["Way"]) == {WAYS[family].title for family in alone.choice.ways}


def test_only_what_was_tested_is_judged_and_the_rest_is_named(alone: Bridges) -> None:
    asked = {test.question for test in alone.tests}
    assert NOISE in asked
    assert not asked & {NOISE_ENOUGH, SHIFT}
    judged = [(claim.source, claim.claim) for claim in alone.claims]
    assert [source for source, _ in judged] == ["DeCap", "This book", "This book"]
    whole = make_bridges(world(LEVELS))
    everything = {(claim.source, claim.claim) for claim in whole.claims if "dimension" not in claim.claim}
    assert whole.untested == whole.out_of_reach == []
    assert {*judged, *alone.untested} == everything
    assert len(judged) + len(alone.untested) == len(everything)
    assert all(said.rstrip(".") in prose.world(alone) for _, said in alone.untested)


def test_the_law_is_not_tested_and_the_captions_own_cosine_is_asked(alone: Bridges) -> None:
    assert np.isnan(alone.law.curve.predicted)
    assert bridges_tables.law(alone)["v*"].tolist() == ["–"]
    assert bridges_tables.predictors(alone)[0]["Cosine of"].tolist() == [CAPTIONS]
    asked_for = alone.law.curve.variance_for(CAPTIONS)  # .6: .00347
    assert f"asks for {asked_for:.3g}, inside of it" in prose.law(alone)
    far = across(world(LEVELS), cosine=0.2)
    assert "outside of it" in prose.law(far)
    assert "takes text alone" not in prose.law(across(world(LEVELS), cosine=-0.1))


def test_published_settings_that_take_images_have_no_score(alone: Bridges) -> None:
    scores = bridges_tables.presets(alone).set_index("Preset")["CIDEr here"]
    assert len(scores) == len(PRESETS)
    assert set(scores.index[scores == "–"]) == {
        "CapDec shift", "CapDec shift of images", "CLOSE shift", "CLOSE linear", "CLOSE covariance", "C3",
    }  # fmt: skip


def test_every_sentence_and_every_chart_is_whole(alone: Bridges, beside: Bridges) -> None:
    for text in (sentence(study) for study in (alone, beside) for sentence in SENTENCES):
        assert text
        assert not re.search(r"\bnan\b|None|\{|\}|  |,,| ,", text)
    assert "nan" not in descriptions_bridges.of_law(alone.laws)
    drawn = [
        figures_bridges.ways_figure(alone.ranking),
        figures_bridges.shapes_figure(alone.shapes),
        figures_bridges.law_figure(alone.laws),
        figures_bridges.tests_figure(alone.contrast_table),
    ]
    assert all(svg_bytes(figure).startswith(b"<?xml") for figure in drawn)
    assert len(bridges_tables.tests(alone)) == len(alone.tests)
    assert phrases.detectable(alone.contrasts)
    assert {IMAGES, "linear adapter, noise"}.isdisjoint(c.family for c in alone.shown)
    known = set(record.cells(alone)["Cell"])
    assert {cell for c in alone.claims for e in c.evidence for side in e.sides for cell in side} <= known


# In domain beside it.


def test_either_side_stands_at_the_setting_that_validation_images_chose(beside: Bridges) -> None:
    table = beside.beside.set_index("family")
    assert table.label[GAUSSIAN] == beside.gaussian.label == "Gaussian, variance 0.004"
    theirs = domain()
    assert table["label there"][GAUSSIAN] == theirs.gaussian.label != table.label[GAUSSIAN]
    expected = theirs.results.interval(theirs.gaussian, "CIDEr")
    row = table.loc[GAUSSIAN]
    assert (row.there, row.there_low, row.there_high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )
    assert row.difference == pytest.approx(row.here - row.there)
    assert table.index.tolist() == [*beside.ranking.family, IMAGES]
    assert table.loc[IMAGES, ["here", "difference"]].isna().all()


def test_what_is_said_of_both_sides_is_what_they_are(beside: Bridges) -> None:
    text, row = bridges_in_domain_prose.beside(beside), beside.beside.set_index("family").loc["none"]
    assert (row.here, row.there) == pytest.approx((0.2, 0.4), abs=0.1)
    for told in (
        "version 9.9, trained by code abcdef01, while this copy's is",
        "choose “Gaussian, variance 0.004” here and “Gaussian, variance 0.01",
        "`language_model.rare` is 1 here and 5 in domain",
        "22,007 images of flickr30k, with none of flickr8k",
        "6,000 images of flickr8k",
    ):
        assert told in text
    assert "**Across corpora.**" in prose.in_short(beside)
    numbers = bridges_tables.beside(beside).set_index("Way")
    assert (
        numbers.loc["Trained on images", ["Setting here", "CIDEr here", "Here minus in domain"]].tolist()
        == ["–"] * 3
    )
    figure = figures_bridges.beside_figure(beside.beside)
    assert svg_bytes(figure).startswith(b"<?xml")
    assert len(figure.axes[0].get_yticks()) == len(beside.beside)
    alt = descriptions_bridges.of_beside(beside.beside)
    assert alt.count("in domain") == len(beside.beside) + 1
    assert "nan" not in alt


def test_without_a_reference_nothing_stands_beside(alone: Bridges, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    assert in_domain(ACROSS) is None
    assert alone.beside.empty
    assert "are not in this copy" in bridges_in_domain_prose.beside(alone)
    assert "Across corpora" not in prose.in_short(alone)
    for profile, told in (
        (load_profile("flickr8k"), "`flickr30k-to-flickr8k`"),
        (load_profile("scenes"), "one corpus"),
    ):
        assert in_domain(profile) is None
        assert told in bridges_in_domain_prose.beside(replace(alone, profile=profile))


def test_a_reference_that_was_changed_is_refused(table: str, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    folder = write_reference(tmp_path, table)
    found = in_domain(ACROSS)
    assert found is not None
    assert found.differing(load_profile("flickr8k", "cpu")) == []
    assert found.best("no way") is None
    (folder / TABLE).write_text((folder / TABLE).read_text().replace("0.5", "0.6"))
    with pytest.raises(CapdecError, match="not of one run"):
        in_domain(ACROSS)


def test_what_decides_is_compared_and_what_has_come_up_since_is_not(
    table: str, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    older = asdict(load_profile("flickr8k", "cpu"))["decoding"] | {"beams": 3}
    del older["max_tokens"]
    write_reference(tmp_path, table, decoding=older, seeds=9)
    found = in_domain(ACROSS)
    assert found is not None
    assert found.differing(ACROSS) == [
        "`language_model.rare` is 18 here and 5 in domain", "`decoding.beams` is 5 here and 3 in domain",
    ]  # fmt: skip
    assert set(DECIDING) <= set(asdict(ACROSS))


def test_in_domain_one_lucky_training_does_not_win_over_the_mean_of_two() -> None:
    """On the seed that both have the first is better; over its own seeds its mean is lower."""
    lines = [
        ("two seeds", "val", None, 0.4), ("two seeds", "val", 0, 0.6), ("two seeds", "val", 1, 0.2),
        ("one seed", "val", None, 0.5), ("one seed", "val", 0, 0.5),
        ("two seeds", "test", None, 0.3), ("one seed", "test", None, 0.7),
    ]  # fmt: skip
    scores = pd.DataFrame(lines, columns=["condition", "split", "seed", "estimate"])
    scores = scores.assign(family="gaussian", low=0.1, high=0.9, level=0.95, images=10, seeds=1)
    chosen = InDomain({}, scores).best("gaussian")
    assert chosen is not None
    label, shown = chosen
    assert (label, shown.value) == ("two seeds", 0.3)
    assert InDomain({}, scores).best("collapse") is None


def estimate(value: float, low: float, high: float, level: float = 0.95) -> Estimate:
    return Estimate(value, low, high, level, (high - low) / 3.92, 10, 1)


def test_a_difference_of_two_intervals_is_that_of_independent_normals() -> None:
    """Symmetric intervals: the half-widths add as standard errors do. Skewed ones: each end asks its own two sides."""
    found = unpaired_difference(estimate(5, 4.7, 5.3), estimate(3, 2.6, 3.4))
    assert (found.value, found.low, found.high) == pytest.approx((2, 1.5, 2.5))
    skewed = unpaired_difference(estimate(5, 2, 6), estimate(1, 0, 5))
    assert (skewed.low, skewed.high) == pytest.approx((4 - 5, 4 + 2**0.5))
    with pytest.raises(ValueError, match=r"0\.95 and 0\.9 make no interval"):
        unpaired_difference(estimate(1, 0, 2), estimate(1, 0, 2, level=0.9))


def test_on_the_same_images_it_is_wider_than_the_paired_one() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (1, 300))
    a, b = (image + shift + 0.2 * rng.normal(0, 1, (2, 300)) for shift in (0.5, 0.0))
    alone = [bootstrap_interval(x, resamples=500, generator=np.random.default_rng(1)) for x in (a, b)]
    loose, sharp = unpaired_difference(*alone), paired_difference(a, b, resamples=500, generator=rng)
    assert loose.low < sharp.low < sharp.high < loose.high
    assert loose.value == pytest.approx(sharp.value)


def test_chapter_2_says_that_the_control_is_left_out() -> None:
    whole = make_study()
    cells = {c: found for c, found in whole.results.cells.items() if not c.needs_images}
    left = replace(whole, results=replace(whole.results, cells=cells))
    assert "is left out" in noise_types_prose.world(left)
    assert "is left out" not in noise_types_prose.world(whole)
    assert [c.family for c in left.shown] == [c.family for c in whole.shown if c.family != IMAGES]
    assert [c.claim for c in left.claims] == [c.claim for c in whole.claims]
