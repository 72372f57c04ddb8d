"""Studies: the grid holds what the studies ask for, intervals are what they say, verdicts follow the results."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from capdec_core.cell import CellConfig
from capdec_core.errors import CapdecError
from capdec_core.files import write_json
from capdec_core.material import Material
from capdec_core.noise import (
    Gaussian,
    MultivariateT,
    NoNoise,
    NormalisedGradient,
    Perturbation,
    RandomDirection,
    Shuffled,
    StudentT,
    UniformBall,
    perturbation_from_dict,
)
from capdec_core.profiles import EncoderSettings, StatisticsSettings, load_profile
from capdec_core.store import CellStore
from capdec_core.studies import noise_types, study_named
from capdec_core.studies.claims import Claim, contrast_table, contrasts
from capdec_core.studies.conditions import Condition, all_cells, cells_of
from capdec_core.studies.noise_types_claims import claims, pairs
from capdec_core.studies.results import Results

ENCODER = EncoderSettings("miniature")
MATERIAL = Material("corpus", "encoder", "tokenizer", 512, 100, {}, Path("nowhere"), ENCODER)
LAW_VARIANCE = 0.012
SCENES = load_profile("scenes")
IMAGES = 60
Scores = Callable[[Condition, CellConfig, str], np.ndarray]


def grid() -> list[Condition]:
    return noise_types.conditions(SCENES, 3)


def noises() -> set[Perturbation]:
    return {condition.noise for condition in grid()}


def family(name: str) -> list[Condition]:
    return [condition for condition in grid() if condition.family == name]


def results_of(conditions: list[Condition], store: CellStore, scores: Scores) -> Results:
    """Results whose per-image scores are what `scores` says, for every metric that is a mean."""
    found = {condition: cells_of(condition, SCENES, MATERIAL) for condition in conditions}
    for condition, cells in found.items():
        for cell in cells:
            table = store.scores(cell) if store.has_scores(cell) else {}
            for split in ("val", "test"):
                images = scores(condition, cell, split)
                hits = np.clip(images[:, None] * [6, 4, 3, 2], 0, [10, 9, 8, 7]).astype(int)
                table[condition.evaluation(split)] = {
                    "per_image": {name: images.tolist() for name in ("CIDEr", "ROUGE-L", "MiniLM")},
                    "corpus": dict.fromkeys(("METEOR", "CHAIRi", "distinct-2", "identical", "length"), 0.2)
                    | {"CIDEr": float(images.mean())},
                    "statistics": np.hstack([hits, np.tile([10, 9, 8, 7, 10, 12], (len(hits), 1))]).tolist(),
                }
            store.write_scores(cell, table)
            write_json(store.path(cell) / "record.json", {"mean_cosine": 0.5 + 0.1 * cell.seed})
            captions = {key: {"one": [f"{key} {cell.seed}", "second"]} for key in table}
            write_json(store.path(cell) / "captions.json", captions)
    return Results(found, store, StatisticsSettings(300, 11), 512)


@pytest.fixture
def store(tmp_path: Path) -> CellStore:
    return CellStore(tmp_path)


# The grid of chapter 2.


def test_gaussian_grid_holds_the_papers_variances() -> None:
    assert {Gaussian(0.016), Gaussian(0.05)} <= noises()
    assert len(family("gaussian")) >= 5


@pytest.mark.parametrize("df", [3, 5, 7, 10, 15, 20])
def test_student_t_is_there_in_three_forms(df: int) -> None:
    variance = SCENES.noise_types.matched_variance
    assert {StudentT(df), StudentT(df, variance), MultivariateT(df, variance)} <= noises()


def test_the_literal_form_is_unscaled_and_the_matched_one_has_a_gaussians_variance() -> None:
    literal, matched = family("student t, literal")[0], family("student t, matched")[0]
    assert literal.noise.describe(512)["variance"] == pytest.approx(3)  # df / (df - 2) for df = 3
    assert matched.noise.describe(512)["variance"] == pytest.approx(SCENES.noise_types.matched_variance)
    assert Gaussian(SCENES.noise_types.matched_variance) in noises()


@pytest.mark.parametrize("epsilon", [0.1, 0.05, 0.01, 3.0])
def test_the_gradient_is_there_with_both_signs_and_its_control(epsilon: float) -> None:
    signs = {NormalisedGradient(epsilon, 1), NormalisedGradient(epsilon, -1)}
    assert signs | {RandomDirection(epsilon)} <= noises()


def test_every_step_of_the_gradient_has_a_random_control_of_the_same_length() -> None:
    steps = [[c.parameter for c in family(name)] for name in ("gradient", "gradient, descending")]
    assert steps[0] == steps[1] == [c.parameter for c in family("random direction")]
    assert max(filter(None, steps[0])) == 3


def test_uniform_balls_and_controls_are_there() -> None:
    assert any(isinstance(noise, UniformBall) for noise in noises())
    assert Shuffled() in noises()
    controls = {c.family: c for c in grid() if isinstance(c.noise, NoNoise)}
    assert {"none", "language model alone", "text to text", "trained on images"} == set(controls)
    assert controls["text to text"].evaluate == "text"
    assert controls["trained on images"].train_on == "image"
    blank = controls["language model alone"]
    assert (blank.train_on, blank.evaluate) == ("blank", "blank")


def test_headline_conditions_have_three_seeds() -> None:
    grid_settings = SCENES.noise_types
    headline = [
        named_in("none"),
        named_in("text to text"),
        named_in("gaussian", 0.016),
        named_in("gaussian", 0.05),
        named_in("student t, literal", grid_settings.headline_df),
        named_in("student t, matched", grid_settings.headline_df),
        *(named_in("gradient", e) for e in grid_settings.headline_epsilons),
        *(named_in("random direction", e) for e in grid_settings.headline_epsilons),
    ]
    assert [condition.seeds for condition in headline] == [3] * len(headline)
    assert SCENES.seeds >= 3


def named_in(name: str, parameter: float | None = None) -> Condition:
    return next(c for c in family(name) if parameter in (None, c.parameter))


@pytest.mark.parametrize("profile", ["scenes", "smoke"])
def test_the_claims_find_their_conditions_in_every_profile(profile: str) -> None:
    settings = load_profile(profile)
    found = noise_types.conditions(settings, settings.seeds)
    assert len({condition.label for condition in found}) == len(found)
    grid_settings = settings.noise_types
    assert {0.016, 0.05} <= set(grid_settings.gaussian_variances)
    assert set(grid_settings.headline_variances) <= set(grid_settings.gaussian_variances)
    assert grid_settings.headline_df in grid_settings.student_dfs
    assert set(grid_settings.headline_epsilons) <= set(grid_settings.gradient_epsilons)


# Conditions and their cells.


def test_no_noise_and_text_to_text_share_their_cells() -> None:
    none, text = named_in("none"), named_in("text to text")
    assert cells_of(none, SCENES, MATERIAL) == cells_of(text, SCENES, MATERIAL)
    assert none.evaluation("test") == "test/image"
    assert text.evaluation("test") == "test/text"
    assert {e.key for e in cells_of(none, SCENES, MATERIAL)[0].evaluations} >= {"test/image", "test/text"}


def test_every_condition_decodes_what_it_is_judged_by() -> None:
    for condition in grid():
        keys = {evaluation.key for evaluation in cells_of(condition, SCENES, MATERIAL)[0].evaluations}
        assert {condition.evaluation("val"), condition.evaluation("test")} <= keys


def test_conditions_that_differ_in_training_share_no_cell() -> None:
    cells = all_cells(grid(), SCENES, MATERIAL)
    assert len({cell.id for cell in cells}) == len(cells)
    trained = {(c.noise, c.train_on, seed) for c in grid() for seed in range(c.seeds)}
    assert len(cells) == len(trained)


def test_cells_carry_the_profile_and_the_noise() -> None:
    condition = Condition("gaussian", "Gaussian", Gaussian(0.05), seeds=2)
    first, second = cells_of(condition, SCENES, MATERIAL)
    assert perturbation_from_dict(first.bridge["noise"]) == Gaussian(0.05)
    assert (first.seed, second.seed) == (0, 1)
    assert first.training == asdict(SCENES.training)
    assert (first.corpus, first.encoder, first.tokenizer) == ("corpus", "encoder", "tokenizer")
    assert (first.mapper["embedding_dim"], first.mapper["width"]) == (512, SCENES.language_model.width)


def test_all_cells_names_each_once() -> None:
    conditions = [named_in("none"), named_in("text to text"), named_in("none")]
    assert len(all_cells(conditions, SCENES, MATERIAL)) == 3


def test_studies_by_name() -> None:
    assert study_named("noise_types") is noise_types
    with pytest.raises(
        CapdecError, match="no study 'heads'; NAME is one of: geometry, noise_types, heads_layers"
    ):
        study_named("heads")


# Results.


def wavy(condition: Condition, cell: CellConfig, split: str) -> np.ndarray:
    generator = np.random.default_rng([cell.seed, len(condition.label), len(split)])
    return generator.uniform(0, 1, IMAGES)


def test_a_matrix_is_seeds_by_images(store: CellStore) -> None:
    none = named_in("none")
    results = results_of([none], store, wavy)
    expected = np.stack([wavy(none, cell, "test") for cell in results.cells[none]])
    assert np.array_equal(results.matrix(none, "CIDEr"), expected)
    assert results.corpus(none, "CIDEr", "val") == pytest.approx(
        np.mean([wavy(none, cell, "val") for cell in results.cells[none]])
    )
    assert results.cosine(none) == pytest.approx(0.6)
    assert results.captions(none) == {"one": "test/image 0"}


def test_an_interval_of_one_seed_by_hand(store: CellStore) -> None:
    """Percentiles of the means of images drawn with replacement from the stated seed."""
    one = Condition("gaussian", "Gaussian", Gaussian(0.05))
    results = results_of([one], store, wavy)
    images = wavy(one, results.cells[one][0], "test")
    drawn = np.random.default_rng(11).integers(0, IMAGES, (300, IMAGES))
    low, high = np.quantile(images[drawn].mean(axis=1), [0.025, 0.975])
    found = results.interval(one, "CIDEr")
    assert (found.value, found.low, found.high) == pytest.approx((images.mean(), low, high))
    assert results.interval(one, "CIDEr") == found


def test_an_interval_of_bleu_by_hand(store: CellStore) -> None:
    """BLEU of the drawn images' summed counts: brevity penalty times the precisions' geometric mean."""
    one = Condition("gaussian", "Gaussian", Gaussian(0.05))
    results = results_of([one], store, wavy)
    table = np.array(results.scores(one)[0]["statistics"])

    def bleu(rows: np.ndarray) -> float:
        sums = rows.sum(axis=0)
        return float(np.exp(1 - sums[9] / sums[8]) * np.prod(sums[:4] / sums[4:8]) ** 0.25)

    drawn = np.random.default_rng(11).integers(0, IMAGES, (300, IMAGES))
    low, high = np.quantile([bleu(table[rows]) for rows in drawn], [0.025, 0.975])
    found = results.interval(one, "BLEU-4")
    assert (found.value, found.low, found.high) == pytest.approx((bleu(table), low, high), rel=1e-6)


def test_no_interval_is_made_up(store: CellStore) -> None:
    results = results_of([named_in("none")], store, wavy)
    with pytest.raises(ValueError, match="no interval for METEOR"):
        results.interval(named_in("none"), "METEOR")


def test_a_row_tells_the_noise_in_the_one_currency(store: CellStore) -> None:
    gaussian, blank = named_in("gaussian", 0.016), named_in("language model alone")
    first, second = results_of([gaussian, blank], store, wavy).table().to_dict("records")
    assert first["variance"] == pytest.approx(0.016)
    assert first["std"] == pytest.approx(0.016**0.5)
    assert first["noise_norm"] == pytest.approx((512 * 0.016) ** 0.5, rel=2e-3)
    assert first["cosine"] == pytest.approx(0.6)
    assert first["CIDEr_low"] <= first["CIDEr"] <= first["CIDEr_high"]
    assert first["METEOR"] == pytest.approx(0.2)
    assert all(np.isnan(second[name]) for name in ("variance", "std", "noise_norm", "cosine"))


def test_the_best_is_chosen_on_validation_images(store: CellStore) -> None:
    """The condition that is best on test images must not be chosen for it."""
    low, high = named_in("gaussian", 0.016), named_in("gaussian", 0.05)

    def scores(condition: Condition, cell: CellConfig, split: str) -> np.ndarray:
        better = (condition == low) == (split == "val")
        return np.full(IMAGES, 0.9 if better else 0.1)

    results = results_of([low, high], store, scores)
    assert results.best([low, high]) == low


def test_the_best_is_chosen_on_the_seeds_that_all_have(store: CellStore) -> None:
    """One lucky training must not win over another condition whose other seeds had less luck."""
    several, one = named_in("gaussian", 0.016), named_in("gradient", 0.3)
    assert several.seeds > one.seeds == 1

    def scores(condition: Condition, cell: CellConfig, split: str) -> np.ndarray:
        if condition == one:
            return np.full(IMAGES, 0.5)
        return np.full(IMAGES, 0.6 if cell.seed == 0 else 0.3)

    results = results_of([one, several], store, scores)
    assert results.corpus(several, "CIDEr", "val") < results.corpus(one, "CIDEr", "val")
    assert results.best([one, several]) == several


# Claims.


def level(levels: dict[str, float]) -> Scores:
    """Scores of each family at a level of its own; images differ, and each captioner has its own luck."""

    def scores(condition: Condition, cell: CellConfig, split: str) -> np.ndarray:
        label = f"{condition.family} {condition.parameter:g}" if condition.parameter else condition.family
        height = levels.get(label, levels.get(condition.family, 0.3))
        shared = np.random.default_rng(0).uniform(-0.2, 0.2, IMAGES)
        own = np.random.default_rng([int(cell.id, 16) % 2**31, len(split)])
        return height + shared + own.normal(0, 0.03, IMAGES)

    return scores


def verdicts(store: CellStore, levels: dict[str, float]) -> list[Claim]:
    results = results_of(grid(), store, level(levels))
    return claims(contrasts(results, pairs(results, SCENES.noise_types, LAW_VARIANCE)))


GRADIENT_WINS = {"gradient": 0.8, "gaussian": 0.4}
BASELINE_WINS = {"gaussian 0.05": 0.9, "gaussian": 0.5}


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (GRADIENT_WINS, "supported"),
        ({"gradient": 0.8, "student t, matched": 0.8, "gaussian": 0.4}, "artefact"),
        ({"gradient": 0.8, "student t, matched": 0.9, "gaussian": 0.4}, "artefact"),
        ({"gradient": 0.3, "student t, literal": 0.6}, "not supported"),
        ({}, "undecided"),
        (GRADIENT_WINS | {"none": 0.8, "random direction": 0.8}, "undecided"),
        (GRADIENT_WINS | {"none": 0.95}, "not supported"),
        (GRADIENT_WINS | {"gaussian": 0.8}, "undecided"),
        (GRADIENT_WINS | {"gaussian": 0.95}, "not supported"),
    ],
    ids=[
        "best",
        "only as written",
        "worse than matched",
        "worse",
        "flat",
        "no better than controls",
        "worse than no noise",
        "like the best Gaussian",
        "worse than the best Gaussian",
    ],
)
def test_the_verdict_on_the_gradient_follows_the_results(
    store: CellStore, levels: dict[str, float], expected: str
) -> None:
    claim = verdicts(store, levels)[0]
    assert "radient" in claim.claim
    assert claim.verdict == expected


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (BASELINE_WINS, "supported"),
        (BASELINE_WINS | {"gradient": 1.2}, "not supported"),
        (BASELINE_WINS | {"gaussian 0.016": 1.2}, "not supported"),
        (BASELINE_WINS | {"student t, matched": 0.9}, "undecided"),
        ({}, "undecided"),
    ],
    ids=["best", "worse than the gradient", "worse than the chosen variance", "equal to Student t", "flat"],
)
def test_the_verdict_on_the_baseline_follows_the_results(
    store: CellStore, levels: dict[str, float], expected: str
) -> None:
    claim = verdicts(store, levels)[1]
    assert "best overall" in claim.claim
    assert claim.verdict == expected


def test_contrasts_are_differences_with_corrected_p(store: CellStore) -> None:
    results = results_of(grid(), store, level(BASELINE_WINS))
    asked = pairs(results, SCENES.noise_types, LAW_VARIANCE)
    found = contrasts(results, asked)
    assert [c.question for c in found] == [question for question, *_ in asked]
    smallest = 1 / 301  # of 300 resamples
    for contrast in found:
        a, b = results.matrix(contrast.a, "CIDEr"), results.matrix(contrast.b, "CIDEr")
        assert contrast.estimate.value == pytest.approx(a.mean() - b.mean())
        assert contrast.p_value >= smallest * 0.999
    alone = contrasts(results, asked[:1])[0]
    assert alone.p_value == pytest.approx(smallest)
    assert found[0].p_value == pytest.approx(len(found) * smallest)  # Holm: the smallest, times the family


def test_a_difference_needs_both_interval_and_corrected_p(store: CellStore) -> None:
    results = results_of(grid(), store, level(BASELINE_WINS))
    found = contrasts(results, pairs(results, SCENES.noise_types, LAW_VARIANCE))
    for contrast in found:
        beyond = contrast.estimate.excludes_zero and contrast.p_value <= 0.05
        assert contrast.sign == (np.sign(contrast.estimate.value) if beyond else 0)
    assert {contrast.sign for contrast in found} == {-1, 0, 1}


def test_tables_name_the_cell_that_decides(store: CellStore) -> None:
    results = results_of(grid(), store, level(GRADIENT_WINS))
    found = contrasts(results, pairs(results, SCENES.noise_types, LAW_VARIANCE))
    table = contrast_table(found)
    ids = {cell.id for cells in results.cells.values() for cell in cells}
    assert set(table["cell"]) <= ids
    assert len(table) == len(found)
    for claim in claims(found):
        assert claim.source == "Study A"
        assert {cell for e in claim.evidence for side in e.sides for cell in side} <= ids


def test_named_finds_by_family_and_parameter(store: CellStore) -> None:
    results = results_of(family("gaussian"), store, wavy)
    assert results.named("gaussian", 0.05).noise == Gaussian(0.05)
    with pytest.raises(StopIteration):
        results.named("gaussian", 0.07)


def test_the_grid_is_the_profiles() -> None:
    smoke = load_profile("smoke")
    small = noise_types.conditions(smoke, 2)
    assert len(small) < len(grid())
    assert [c.parameter for c in small if c.family == "gaussian"] == smoke.noise_types.gaussian_variances
