"""Chapter 2's view and its sentences, on made-up scores whose answers are known."""

import dataclasses
import re

import numpy as np
import pytest
from small_study import DIM, flat, make_study, peaked

from capdec_core import figures, tables
from capdec_core.studies import noise_types_prose as prose
from capdec_core.studies import phrases, record
from capdec_core.studies.noise_types_claims import NOISE

SENTENCES = (
    prose.in_short,
    prose.world,
    prose.currency,
    prose.best_variance,
    prose.law,
    prose.reconstruction,
    prose.literal_t,
    prose.matched_t,
    prose.gradient,
    lambda study: phrases.detectable(study.contrasts),
)


@pytest.fixture(scope="module")
def study():
    """The world of the calibration law: images are read best at cosine .45."""
    return make_study()


@pytest.fixture(scope="module")
def dead():
    """Every captioner scores 0, and the law has no solution."""
    return make_study(quality=flat, matched=-0.3, error=0.0)


def monotone(condition, at, source):
    """A world in which more noise is always better."""
    return 1 - at


def harmful(condition, at, source):
    """A world in which all noise harms."""
    return at


def test_every_grid_condition_has_a_row_and_a_house_style(study):
    assert len(study.table) == len(study.results.cells) == len(study.groups)
    figures.quality_against_cosine(study.table)
    figures.contrast_forest(study.contrast_table)


def test_validation_chooses_the_peak_and_the_law_points_there(study):
    grid = study.family("gaussian")
    truth = max(grid, key=lambda c: peaked(c, (1 + DIM * c.parameter) ** -0.5, "image"))
    assert study.best == truth
    law = (1 / 0.45**2 - 1) / DIM
    assert study.nearest_to_law == min(grid, key=lambda c: abs(np.log(c.parameter / law)))


def test_noise_that_helps_is_said_to_help(study):
    contrast = next(c for c in study.contrasts if c.question == NOISE)
    assert contrast.sign == 1
    assert "**Noise helps.**" in prose.in_short(study)
    text = prose.best_variance(study)
    assert f"variance **{study.best.parameter:g}**" in text
    assert "the maximum is inside the grid" in text
    assert "better than no noise" in text
    assert tables.points(contrast.estimate.value, signed=True) in text


def test_reconstruction_reads_the_same_cells_text_to_text(study):
    families = study.reconstruction.family.tolist()
    assert families == ["text to text"] + ["gaussian"] * len(study.family("gaussian"))
    top = study.reconstruction.set_index("variance").CIDEr
    assert top[0.0] == pytest.approx(study.table.set_index("label").CIDEr["Text to text, no noise"])
    assert top.is_monotonic_decreasing
    assert study.reconstruction_change().value < 0 < study.difference(study.best, study.none).value
    assert "narrows" in prose.reconstruction(study)


def test_edge_of_the_grid_is_said():
    study = make_study(quality=monotone, error=0.1)
    assert study.best == study.family("gaussian")[-1]
    assert "the edge of the grid" in prose.best_variance(study)
    assert re.search(r"validation images choose \S+, \d steps of the grid above it", prose.law(study))
    assert "(law minus validation)" in prose.law(study)


def test_noise_that_harms_is_said_to_harm():
    study = make_study(quality=harmful, error=0.1)
    assert "**Noise harms.**" in prose.in_short(study)
    assert "no noise at all scores as high" in prose.best_variance(study)
    assert "worse than no noise" in prose.best_variance(study)


def test_student_t_and_gaussian_of_one_variance_are_equivalent_here(study):
    t, gaussian = study.shape
    assert t.noise.describe(DIM)["variance"] == pytest.approx(gaussian.noise.describe(DIM)["variance"])
    assert study.shape_equivalence.p_value < 0.05
    assert "equivalent within 10 points" in prose.matched_t(study)
    loud = make_study(error=40.0)
    assert "equivalence within 10 points is not shown" in prose.matched_t(loud)


def test_small_gradient_steps_leave_the_cosine_that_geometry_says(study):
    assert "never falls below 0.995" in prose.gradient(study)


def test_detectable_difference_is_two_point_eight_standard_errors(study):
    errors = [c.estimate.standard_error for c in study.contrasts]
    low, high = (100 * 2.8016 * error for error in (min(errors), max(errors)))
    assert f"between {low:.1f} and {high:.1f} points" in phrases.detectable(study.contrasts)


def test_degenerate_results_are_told_without_a_wrong_word(dead):
    texts = [sentence(dead) for sentence in SENTENCES]
    assert all(text and "nan" not in text.lower() for text in texts)
    assert "Whether noise helps is not decided" in texts[0]
    assert "no solution" in prose.law(dead)
    assert not re.search(r"(is|are) (better|worse) than", " ".join(texts))
    figures.noise_curve(
        dead.table, dead.geometry.calibrated_variance, reconstruction=dead.reconstruction, chosen=0.05
    )


def test_sentences_use_the_minus_sign_and_no_stray_sign_on_zero(study, dead):
    for text in (sentence(s) for s in (study, dead) for sentence in SENTENCES):
        assert not re.search(r"(^|[\s\[(])-\d", text)
        assert not re.search(r"[+−]0\.0\b(?!\d)", text)


def test_claims_link_to_cells_that_the_record_lists(study):
    listed = set(record.cells(study)["Cell"])
    links = [str(value) for card in study.claim_cards for value in card.evidence["Cells"]]
    linked = set(re.findall(r"#cell-([0-9a-f]{16})", " ".join(links)))
    assert linked
    assert linked <= listed
    assert all(isinstance(v, tables.Markup) for card in study.claim_cards for v in card.evidence["Cells"])


def test_record_counts_each_cell_once(study):
    cells = {cell.id for found in study.results.cells.values() for cell in found}
    assert len(record.cells(study)) == len(cells)
    costs = record.costs(study)
    assert costs["Cells"].iloc[-1] == len(cells) == costs["Cells"].iloc[:-1].sum()
    assert record.signature(study) == ["split:scenes/test"]
    assert "training seeds 0, 1, 2" in record.footer(study)


def test_side_by_side_shows_each_family_at_its_parameter(study):
    shown = study.side_by_side({"gradient": "up", "random direction": "random"}, parameter="ε")
    assert shown["ε"].tolist() == [f"{e:g}" for e in study.profile.noise_types.gradient_epsilons]
    row = study.table[(study.table.family == "gradient") & (study.table.parameter == 1.0)].iloc[0]
    line = shown[shown["ε"] == "1"].iloc[0]
    assert line["Cosine, up"] == f"{row.cosine:.3f}"
    assert line["CIDEr, up"].startswith(f"{100 * row.CIDEr:.1f} [")


def test_six_systems_are_shown_and_exist_in_the_grid(study):
    assert len(study.shown) == len(set(study.shown)) == 6
    assert set(study.shown) <= set(study.results.cells)


def test_a_study_is_immutable(study):
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.profile = None
