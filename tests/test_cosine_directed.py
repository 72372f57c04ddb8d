"""Chapter 4: every row of the grid accounted for, nothing trained twice, verdicts that turn with the results."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from small_cosine_study import flat, make_study, peaked
from small_study import DIM, MATERIAL

from capdec_core import figures, tables
from capdec_core import figures_cosine_directed as charts
from capdec_core.noise import CosineDirected, NoNoise, cosine_for_variance
from capdec_core.profiles import load_profile
from capdec_core.shares import scientific, share_text
from capdec_core.studies import cosine_directed, noise_types, record
from capdec_core.studies import cosine_directed_prose as prose
from capdec_core.studies import cosine_directed_tables as told
from capdec_core.studies.conditions import all_cells, cells_of
from capdec_core.studies.cosine_directed_acceptance import measured_map, predicted_map, unit_rows_of
from capdec_core.studies.cosine_directed_grid import RAW, UNIT, grid_rows
from capdec_core.studies.cosine_directed_map import of_grid

SCENES = load_profile("scenes")
STUDY_A = {
    "n": [30, 50, 100, 200, 300, 400, 500],
    "beta": [0.01, 0.05, 0.1, 0.2, 0.5],
    "threshold": [0.7, 0.75, 0.8, 0.85, 0.9],
}
SENTENCES = (
    prose.in_short,
    prose.scale,
    prose.candidates,
    prose.acceptance,
    prose.identities,
    prose.averaging,
    prose.partial,
    prose.literal,
    prose.raw,
    prose.repaired,
)


@pytest.fixture(scope="module")
def study():
    """A world in which noise helps, most at cosine .55."""
    return make_study()


@pytest.fixture(scope="module")
def dead():
    """Every captioner scores 0."""
    return make_study(flat, error=0.0)


def test_every_row_of_study_a_is_there_in_both_arms() -> None:
    rows = grid_rows(SCENES, DIM, 3)
    for family, norm in ((UNIT, 1), (RAW, 10)):
        found = {(row.n, row.beta, row.threshold) for row in rows if row.family == family}
        assert found == set(product(*STUDY_A.values()))
        assert all(
            row.noise == CosineDirected(row.n, row.beta / norm, row.threshold) and row.norm == norm
            for row in rows
            if row.family == family
        )
    assert len(rows) == len({row.condition for row in rows}) == 350


def test_rows_share_a_training_exactly_where_it_is_proved() -> None:
    rows = grid_rows(SCENES, DIM, 3)
    cells = {row.condition: cells_of(row.condition, SCENES, MATERIAL)[0].id for row in rows}
    by_cell: dict[str, set] = {}
    for row in rows:
        by_cell.setdefault(cells[row.condition], set()).add(row.identity.perturbation)
    assert all(len(perturbations) == 1 for perturbations in by_cell.values())
    assert len(by_cell) == len({row.identity.perturbation for row in rows}) == 50
    at = {(row.family, row.n, row.beta, row.threshold): cells[row.condition] for row in rows}
    assert at[UNIT, 30, 0.01, 0.7] == at[UNIT, 30, 0.01, 0.9] == at[RAW, 30, 0.1, 0.8]
    assert at[UNIT, 30, 0.05, 0.7] == at[RAW, 30, 0.5, 0.7] != at[UNIT, 30, 0.05, 0.75]
    assert at[UNIT, 30, 0.01, 0.7] != at[UNIT, 50, 0.01, 0.7]


def test_rows_without_noise_are_chapter_2_s_control_seed_by_seed() -> None:
    control = [cell.id for cell in cells_of(noise_types.no_noise(3), SCENES, MATERIAL)]
    unmoved = [row.condition for row in grid_rows(SCENES, DIM, 3) if row.identity.perturbation == NoNoise()]
    assert len(unmoved) == 126 + 21
    assert all(
        [cell.id for cell in cells_of(condition, SCENES, MATERIAL)] == control for condition in unmoved
    )


def test_nothing_is_trained_twice() -> None:
    grid = cosine_directed.conditions(SCENES, 3)
    cells = all_cells(grid, SCENES, MATERIAL)
    trainings = {(str(cell.bridge), cell.seed) for cell in cells}
    assert len(trainings) == len(cells) == 3 + 2 * 3 * len(SCENES.cosine_directed.cosines) + 49 + 2 * 7


def test_the_smallest_n_has_seeds_and_the_rest_has_one() -> None:
    moved = [row for row in grid_rows(SCENES, DIM, 3) if row.identity.kept != "nothing"]
    assert {(row.n == 30, row.condition.seeds) for row in moved} == {(True, 3), (False, 1)}


def test_the_grid_table_has_a_line_a_row_and_says_whose_training_it_is(study) -> None:
    shown, rows = told.grid_columns(study.rows), study.rows
    assert len(shown) == len(told.grid_groups(rows)) == 350
    owners = shown["Same training as"]
    own = owners[[text.startswith(tables.DASH) for text in owners]]
    assert len(own) == rows.cell.nunique() - 1  # the control is listed outside the grid
    assert sum(text.startswith("No noise") for text in owners) == 147
    assert not [text for text in shown.astype(str).to_numpy().ravel() if "nan" in text.lower()]
    linked = {re.search("#cell-([0-9a-f]{16})", text)[1] for text in owners}
    assert linked <= set(record.cells(study)["Cell"])


def test_rows_that_share_a_training_share_its_score(study) -> None:
    groups = study.rows.groupby("cell")
    assert (groups.CIDEr.nunique() == 1).all()
    assert (groups.CIDEr_low.nunique() == 1).all()
    assert (groups.cosine.nunique() == 1).all()


def test_intervals_are_made_once_a_training(study, monkeypatch) -> None:
    calls: list[str] = []
    results = replace(study.results, _intervals={})
    monkeypatch.setattr(
        type(results),
        "_interval",
        lambda self, c, *_: calls.append(c.label) or study.results.interval(c, "CIDEr"),
    )
    fresh = replace(study, results=results)
    assert len(fresh.rows) == 350
    assert len(calls) == 50


def test_the_variance_that_averaging_leaves_predicts_the_cosine(study) -> None:
    kept = study.rows[study.rows.kept == "everything"]
    beside_unit = kept.beta / kept["norm"]
    assert np.allclose(kept.variance, beside_unit**2 / kept.n)
    assert np.allclose(kept["predicted cosine"], kept.cosine, atol=2e-4)
    assert kept.cosine.min() > 0.99
    assert study.rows.variance[study.rows.kept == "something"].isna().all()


def claim(quality, **options):
    """The two verdicts of a world."""
    return [(c.verdict, c.reason) for c in make_study(quality, error=0.05, **options).claims]


def test_where_only_more_noise_helps_both_halves_are_artefacts(study) -> None:
    (poor, because), (tuning, why) = claim(peaked)
    assert (poor, tuning) == ("artefact", "artefact")
    assert "worse than Gaussian noise, and better than no noise" in because
    assert "hardly applied" in because
    assert "the same best captioner" in why
    assert "not separated from plain Gaussian noise" in why


def test_where_the_method_itself_is_poor_the_claim_stands() -> None:
    def only_gaussian(condition, at):
        return 0.7 if condition.family == "gaussian" else 0.3

    (poor, _), (tuning, _) = claim(only_gaussian)
    assert poor == "supported"
    assert tuning in ("undecided", "not supported")


def test_where_noise_harms_the_method_is_not_poor() -> None:
    def harmful(condition, at):
        return at

    (poor, because), (tuning, _) = claim(harmful)
    assert poor == "not supported"
    assert "beats Gaussian" in because
    assert tuning != "supported"


def test_where_the_raw_norm_helps_tuning_is_supported() -> None:
    def raw_helps(condition, at):
        return 0.8 if condition.noise == CosineDirected(30, 0.02, 0.9) else peaked(condition, at)

    _, (tuning, because) = claim(raw_helps)
    assert tuning == "supported"
    assert "raw norm has a better best row" in because


def test_where_a_fixed_cosine_beats_gaussian_noise_tuning_is_supported() -> None:
    def fixed_helps(condition, at):
        return peaked(condition, at) + 0.2 * (condition.family == "fixed cosine")

    _, (tuning, because) = claim(fixed_helps)
    assert tuning == "supported"
    assert "better than Gaussian noise at that cosine" in because


def test_where_nothing_differs_nothing_is_decided(dead) -> None:
    assert [c.verdict for c in dead.claims] == ["undecided", "undecided"]
    assert all(c.sign == 0 for c in dead.contrasts)


def test_the_deciding_row_is_chosen_on_validation_among_rows_with_seeds(study) -> None:
    best = study.literal
    assert best.noise == CosineDirected(30, 0.05, 0.7)
    assert best.seeds == 3
    assert study.results.ids(study.raw) == study.results.ids(best)
    assert study.fixed.parameter == 0.55
    asked = {contrast.question for contrast in study.contrasts}
    assert len(asked) == len(study.contrasts) == 3 + 5


def test_a_grid_that_is_all_no_noise_is_told() -> None:
    study = make_study(betas=[0.2, 0.5], raw_norm=1.5, counts=[30, 50], thresholds=[0.8, 0.9])
    assert set(study.rows.kept) == {"nothing"}
    assert study.results.ids(study.literal) == study.results.ids(study.none)
    texts = [sentence(study) for sentence in SENTENCES]
    assert "training without noise, by proof" in texts[0]
    assert not [text for text in texts if "nan" in text]
    charts.grid_scores(study.rows, study.score(study.none), study.titles)


def test_sentences_hold_what_was_found(study) -> None:
    assert "126 keep no candidate" in prose.in_short(study)
    assert "35 keep every candidate" in prose.in_short(study)
    assert "**50 different trainings**" in prose.identities(study)
    steps, batch = SCENES.training.steps, SCENES.training.batch_size
    assert f"{steps} × {batch} = {steps * batch}" in prose.identities(study)
    assert "for β = 0.01 at norm 1 and for β = 0.01, 0.05, 0.1 and 0.2 at norm 10 only" in prose.candidates(
        study
    )
    assert "and where it says that no candidate will pass, none did" in prose.acceptance(study)
    assert "better than no noise" in prose.literal(study)
    assert "equivalent within 10 points at the cosines 0.9" in prose.repaired(study)


def test_sentences_are_whole_whatever_the_results(study, dead) -> None:
    for text in (sentence(s) for s in (study, dead) for sentence in SENTENCES):
        assert text
        assert "nan" not in text.lower()
        assert not re.search(r"(^|[\s\[(])-\d", text)
        assert not re.search(r"[+−]0\.0\b(?!\d)", text)
        assert "  " not in text
    assert not re.search(r"(is|are) (better|worse) than", " ".join(sentence(dead) for sentence in SENTENCES))


def test_acceptance_is_measured_as_it_is_predicted() -> None:
    dims = [512, 640]
    table = measured_map(
        predicted_map(dims, [1.0, 10.0], [0.01, 0.05, 0.2, 0.5], [0.66, 0.7, 0.9]),
        {d: unit_rows_of(d) for d in dims},
    )
    error = np.sqrt(table.predicted * (1 - table.predicted) / table.candidates)
    assert ((table.measured - table.predicted).abs() <= 4.5 * error + 1e-9).all()
    assert set(table.candidates) == {10240}
    assert table.predicted.between(0.01, 0.99).sum() >= 4
    assert np.allclose(
        table.cosine, [cosine_for_variance((r.beta / r.norm) ** 2, r.dim) for r in table.itertuples()]
    )


def test_acceptance_figure_prints_both_shares_of_every_place(study) -> None:
    figure = charts.acceptance_map(study.acceptance)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        f"norm {norm}, d = {dim}" for norm in (1, 10) for dim in (512, 640, 768)
    ]
    for axes in figure.axes:
        assert len(axes.texts) == 2 * 25
    first = study.acceptance[(study.acceptance.dim == 512) & (study.acceptance["norm"] == 1)]
    assert [text.get_text() for text in figure.axes[0].texts[::2]] == [share_text(p) for p in first.predicted]
    assert "β 0.05, 3.9% at 0.7" in charts.acceptance_text(study.acceptance)
    low, high = figure.axes[0].get_ylim()
    assert low > high  # the smallest β is on top, as in the table


def test_grid_figure_draws_each_training_of_a_panel_once_with_its_interval(study) -> None:
    figure = charts.grid_scores(study.rows, study.score(study.none), study.titles)
    assert len(figure.axes) == 10
    for axes, (beta, family) in zip(figure.axes, product(STUDY_A["beta"], (UNIT, RAW)), strict=True):
        rows = study.rows[(study.rows.family == family) & (study.rows.beta == beta)]
        drawn = rows[rows.kept != "nothing"].drop_duplicates("cell")
        bars = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
        segments = [s for bar in bars for lines in bar.lines[2] for s in lines.get_segments()]
        ends = sorted((round(low, 6), round(high, 6)) for (_, low), (_, high) in segments)
        assert ends == sorted(
            (round(100 * r.CIDEr_low, 6), round(100 * r.CIDEr_high, 6)) for r in drawn.itertuples()
        )
    legends = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes]
    assert set(legends[2]) == {"0.7: some kept", "0.75: some kept", "0.8 to 0.9: no noise"}
    assert legends[0] == ["0.7 to 0.9: all kept"]
    text = charts.grid_text(study.rows, study.score(study.none), study.titles)
    assert "Unit norm, β 0.1: threshold 0.7 to 0.9, no noise." in text


def test_quality_and_forest_know_the_chapter_s_families(study) -> None:
    assert len(study.table) == 1 + 10 + 49
    figures.quality_against_cosine(study.table, matched=study.geometry.matched)
    figures.contrast_forest(study.contrast_table)
    assert set(study.groups) == {
        "Control", "Gaussian", "Fixed cosine", "Cosine-directed, unit norm", "Cosine-directed, norm 10",
    }  # fmt: skip


def test_repaired_table_compares_each_cosine(study) -> None:
    shown = told.repaired_columns(study)
    assert [text.split()[0] for text in shown["Cosine"]] == ["0.9", "0.8", "0.7", "0.55", "0.4"]
    assert shown["Cosine"][4] == "0.4 (variance 0.0103)"
    first = study.contrasts[-5]
    assert shown["Difference"][0] == tables.with_interval(
        first.estimate.value, first.estimate.low, first.estimate.high, signed=True
    )


def test_map_holds_every_row_and_its_links(study) -> None:
    page = of_grid(study)
    rows = study.rows
    assert page.count('["CIDEr",') == 350
    assert page.count("no noise") == 147
    assert all(cell in page for cell in rows.cell)
    assert "the same as: Unit norm, N 30, \\u03b2 0.01, t 0.7" in page


def test_cosines_are_told_apart_from_one() -> None:
    assert told.cosine_text(0.5) == "0.5000"
    assert told.cosine_text(0.99996) == ">0.9999"
    assert told.row_cosine_text({"kept": "nothing", "cosine": 0.99999994}) == "1"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0"), (1, "100%"), (1 - 1e-12, "100%"), (0.9995, ">99.9%"), (0.97, "97.0%"), (0.5, "50%"),
     (0.039, "3.9%"), (0.0012, "0.1%"), (5.2e-6, "5·10⁻⁶"), (9.7e-7, "1·10⁻⁶"), (1e-30, "<10⁻⁹")],
)  # fmt: skip
def test_shares_for_reading(share: float, text: str) -> None:
    assert share_text(share) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (8.19e-7, "8.2·10⁻⁷"), (0.0103, "0.0103"), (485.15, "485"), (3.3e-12, "3.3·10⁻¹²")],
)
def test_small_numbers_for_reading(value: float, text: str) -> None:
    assert scientific(value) == text
