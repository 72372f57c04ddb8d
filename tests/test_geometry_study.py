"""Chapter 1: heads make the gap that they make, verdicts and sentences follow from the measures, charts are drawn."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from small_geometry import Gap, made_heads, made_pairs, make_study

from capdec_core import descriptions_geometry, figures_geometry, gallery, paths
from capdec_core.budget import Budget
from capdec_core.encoders.heads import standardised
from capdec_core.gap import kept_heads as kept_heads_module
from capdec_core.gap.heads import KINDS, HeadRun, train_heads
from capdec_core.gap.kept_heads import kept_heads
from capdec_core.profiles import GeometrySettings
from capdec_core.studies import NOTEBOOKS, geometry_prose, geometry_tables, study_named
from capdec_core.studies.geometry_claims import head_tests, slope
from capdec_core.studies.geometry_view import PUBLISHED, GeometryStudy

SETTINGS = GeometrySettings([2, 50], 1, 8, 24, Budget(60, 32, 5e-3, 5))
SENTENCES = (
    geometry_prose.in_short,
    geometry_prose.sources,
    geometry_prose.apart,
    geometry_prose.made_up,
    geometry_prose.clusters,
    geometry_prose.law,
    geometry_prose.temperature,
    geometry_prose.cone,
    geometry_prose.computed,
)


def rising(kind: str, scale: float) -> float:
    """Liang et al.'s world: the scale keeps the gap that a hidden layer begins with."""
    return 0.3 * np.log10(scale) if kind == "hidden layer" else 0.1


def falling(kind: str, scale: float) -> float:
    return 0.9 - 0.3 * np.log10(scale) if kind == "hidden layer" else 0.6


def flat(kind: str, scale: float) -> float:
    return 0.4


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No published pairs, unless a test says where."""
    monkeypatch.setattr(paths, "REAL_DATA", [])


def verdicts(gap: Gap) -> list[str]:
    return [claim.verdict for claim in make_study(gap, error=0.02).claims]


def test_verdicts_turn_with_the_heads() -> None:
    assert verdicts(rising) == ["supported", "supported"]
    assert verdicts(falling) == ["not supported", "not supported"]
    assert verdicts(flat) == ["undecided", "undecided"]


def test_the_tests_are_students_over_seeds_corrected_by_holm() -> None:
    heads = made_heads(rising, error=0.05)
    widening, cone = head_tests(heads)
    slopes = [slope([r for r in heads if r.kind == "hidden layer" and r.seed == seed]) for seed in range(3)]
    ends = [
        [r.after.gap_norm for r in heads if r.kind == kind and r.scale == 100]
        for kind in ("hidden layer", "linear")
    ]
    raw = [stats.ttest_1samp(slopes, 0).pvalue, stats.ttest_rel(*ends).pvalue]
    order = np.argsort(raw)
    holm = np.empty(2)
    holm[order[0]] = min(1, 2 * raw[order[0]])
    holm[order[1]] = max(holm[order[0]], raw[order[1]])
    assert [widening.p_value, cone.p_value] == pytest.approx(holm)
    assert widening.estimate.value == pytest.approx(np.mean(slopes))
    low, high = stats.t.interval(0.95, 2, np.mean(slopes), stats.sem(slopes))
    assert (widening.estimate.low, widening.estimate.high) == pytest.approx((low, high))
    assert cone.estimate.value == pytest.approx(np.mean(ends[0]) - np.mean(ends[1]))


def test_the_slope_is_per_doubling() -> None:
    heads = made_heads(lambda kind, scale: 0.25 * np.log2(scale) - 0.5, error=0, seeds=1)
    assert slope([run for run in heads if run.kind == "linear"]) == pytest.approx(0.25)


def trained(kind: str, scale: float, seed: int = 0) -> HeadRun:
    pairs = made_pairs(images=120, captions=2)
    features = standardised(pairs, pairs)
    return train_heads(features, features, kind, scale, seed, SETTINGS)  # type: ignore[arg-type]


def test_heads_of_one_seed_are_the_same_and_of_another_are_not() -> None:
    one, again, other = trained("linear", 50), trained("linear", 50), trained("linear", 50, seed=1)
    assert one == again
    assert one.after != other.after
    assert len({run.id for run in (one, other, trained("hidden layer", 50))}) == 3


def test_kept_heads_are_those_that_were_trained_and_are_trained_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = made_pairs(images=120, captions=2)
    features = standardised(pairs, pairs)
    settings = replace(SETTINGS, scales=[5, 50], seeds=2)
    runs = [(kind, scale, seed) for kind in KINDS for scale in (5, 50) for seed in (0, 1)]
    wanted = [train_heads(features, features, *run, settings) for run in runs]
    np.testing.assert_equal(
        [asdict(run) for run in kept_heads(tmp_path, features, features, settings)],
        [asdict(run) for run in wanted],
    )

    def refuse(*_: object) -> HeadRun:
        raise AssertionError("trained again")

    monkeypatch.setattr(kept_heads_module, "train_heads", refuse)
    again = kept_heads(tmp_path, features, features, settings)
    np.testing.assert_equal([asdict(run) for run in again], [asdict(run) for run in wanted])
    with pytest.raises(AssertionError, match="trained again"):  # other features are another experiment
        kept_heads(tmp_path, features, made_pairs(images=120, captions=1), settings)


def test_training_brings_matched_pairs_together() -> None:
    for kind in ("hidden layer", "linear"):
        run = trained(kind, 20)
        assert run.after.matched - run.after.mismatched > run.before.matched - run.before.mismatched + 0.3
        assert run.after.image_to_text[1] > run.before.image_to_text[1]
        assert np.isfinite(run.final_loss)


def test_a_hidden_layer_begins_in_cones_and_a_low_scale_brings_them_together() -> None:
    low, high = trained("hidden layer", 2), trained("hidden layer", 50)
    assert low.before == high.before
    assert low.before.gap_norm > trained("linear", 2).before.gap_norm
    assert low.after.gap_norm < high.after.gap_norm


def test_standardised_features_have_no_gap_of_their_own() -> None:
    pairs = made_pairs(gap=5.0)
    images, texts, owners = standardised(pairs, pairs)
    assert np.abs(images.mean(axis=0)).max() < 1e-5
    assert np.abs(texts.mean(axis=0)).max() < 1e-5
    assert images.dtype == texts.dtype == np.float32
    assert np.array_equal(owners, pairs[2])


@pytest.mark.parametrize("gap", [rising, falling, flat])
def test_every_sentence_can_be_said_of_every_world(gap: Gap) -> None:
    study = make_study(gap)
    for sentence in SENTENCES:
        text = sentence(study)
        assert text
        assert "nan" not in text


def test_sentences_follow_the_results() -> None:
    wide, narrow, same = (make_study(gap, error=0.02) for gap in (rising, falling, flat))
    assert "the gap widens with the scale" in geometry_prose.temperature(wide)
    assert "the gap narrows with the scale" in geometry_prose.temperature(narrow)
    assert "is not shown to change" in geometry_prose.temperature(same)
    assert "it keeps the one that the networks begin with" in geometry_prose.cone(wide)
    assert "does not explain the gap" in geometry_prose.cone(narrow)
    assert "is not decided" in geometry_prose.cone(same)
    assert "costs no closeness here" in geometry_prose.cone(same)


def test_pairs_that_point_apart_and_single_captions_are_told_too() -> None:
    images, _, _ = made_pairs(captions=1)
    opposite = make_study(flat, (images, -images, np.arange(len(images))))
    assert "none has a calibrated variance" in geometry_prose.law(opposite)
    assert "cannot be measured" in geometry_prose.clusters(opposite)
    assert geometry_tables.distances(opposite)["v*"].tolist() == ["–"]


def test_without_the_published_pairs_the_chapter_says_so() -> None:
    study = make_study(rising)
    assert list(study.anatomies) == ["miniature on scenes"]
    assert geometry_prose.ABSENT in geometry_prose.sources(study)
    assert study.centres is None
    assert geometry_tables.parts(study)["Pairs of"].tolist() == ["miniature on scenes"]


def test_with_the_published_pairs(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "REAL_DATA", [shared_data])
    study = make_study(rising)
    assert len(study.anatomies) == 9
    assert set(study.trained) == {"miniature on scenes", *PUBLISHED}
    distances = geometry_tables.distances(study).set_index("Pairs of")
    assert distances.loc["CLIP", "Matched cosine"].startswith("0.310 [")
    assert distances.loc["CLIP", "Mismatched cosine"].startswith("0.162 [")
    assert distances.loc["CLIP", "Gap norm"] == "0.851"
    parts = geometry_tables.parts(study).set_index("Pairs of")
    assert parts.loc[geometry_tables.CENTRES, "Gap norm"] == "0.711"
    assert parts.loc[geometry_tables.CENTRES, "Residual in"] == "–"
    assert geometry_tables.spread(study).set_index("Pairs of").loc["CLIP", "Alignment"] == "1.380"
    shown, groups = geometry_tables.grouped(geometry_tables.parts(study))
    assert groups == ["Trained networks"] * 6 + ["Before any training"] * 4
    assert shown["Pairs of"].tolist().count("CLIP") == 2
    assert "no sign of training" in geometry_prose.apart(study)
    assert geometry_prose.ABSENT not in geometry_prose.sources(study)
    assert set(study.projection(50)) == {"miniature on scenes", "CLIP"}
    assert gallery.svg_bytes(figures_geometry.parts(study.trained))


def test_projection_keeps_the_distance_of_a_gap_along_its_first_component() -> None:
    images, texts = make_study(flat, made_pairs(gap=8.0)).projection(20)["miniature on scenes"]
    assert images.shape == texts.shape == (20, 2)
    apart = np.abs(images.mean(axis=0) - texts.mean(axis=0))
    assert apart[0] > 1.5 > 10 * apart[1]


def test_charts_and_their_descriptions() -> None:
    study = make_study(rising)
    points = study.projection(20)
    for figure in (
        figures_geometry.projection(points),
        figures_geometry.parts(study.trained),
        figures_geometry.scales(study.heads_table),
    ):
        assert gallery.svg_bytes(figure)
    assert "centres" in descriptions_geometry.of_projection(points)
    assert "100: 0.6" in descriptions_geometry.of_scales(study.heads_table)
    half = study.anatomies[study.own].dimensions_for(0.5)
    assert f"{half} coordinates" in descriptions_geometry.of_parts(study.trained)
    with pytest.raises(ValueError, match="at most 5 sources"):
        figures_geometry.parts(dict.fromkeys("abcdef", study.anatomies[study.own]))


def test_evidence_leads_to_the_trainings() -> None:
    study = make_study(rising)
    anchors = geometry_tables.anchors(study)
    assert len(anchors) == len(set(anchors)) == len(geometry_tables.heads(study)) == 18
    for test in study.tests:
        assert all(f"cell-{id}" in anchors for side in test.sides for id in side)
    assert len(study.claim_cards) == 2


def test_the_study_trains_no_captioner() -> None:
    profile = make_study(flat).profile
    module = study_named("geometry")
    assert module.conditions(profile, 3) == []
    found = module.view(profile, make_study(flat).results, "cpu")
    assert isinstance(found, GeometryStudy)
    assert NOTEBOOKS["geometry"] == "01_geometry"


def test_the_smoke_profile_runs_all_of_it() -> None:
    from capdec_core.profiles import load_profile

    study = make_study(flat)
    smoke = replace(load_profile("smoke"), statistics=study.profile.statistics)
    real = GeometryStudy(smoke, study.results, "cpu")
    assert len(real.heads) == 8
    assert real.heads_table.gap.between(0, 2).all()
    assert real.anatomies[real.own].clusters is not None
