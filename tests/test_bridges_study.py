"""Chapter 7 on made-up scores: the grid shares what it can, verdicts turn when the results do, words follow signs."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_bridges import CAPTIONS, curve, make_bridges, world
from small_study import DIM, MATERIAL

from capdec_core import descriptions_bridges, figures_bridges
from capdec_core.bridges import PRESETS, ShapedNoise, Sight
from capdec_core.cell import CellConfig, Decoded, Retrieved
from capdec_core.errors import CapdecError
from capdec_core.gallery import svg_bytes
from capdec_core.noise import Gaussian, cosine_for_variance, variance_for_cosine
from capdec_core.paths import PROFILES
from capdec_core.profiles import load_profile, read_profile
from capdec_core.statistics import smallest_detectable_difference
from capdec_core.studies import bridges, bridges_tables, decoding, noise_types, record
from capdec_core.studies import bridges_prose as prose
from capdec_core.studies.bridges_claims import SHARE
from capdec_core.studies.bridges_grid import (
    GAUSSIAN,
    NONE,
    PUBLISHED,
    SHAPED,
    TIMED,
    WAYS,
    reduced_family,
    sight,
)
from capdec_core.studies.bridges_law import CAPTIONS as ALIKE
from capdec_core.studies.bridges_law import CENTRED, MATCHED, NoiseCurve, captions_cosine, law_test
from capdec_core.studies.bridges_tests import COLLAPSE, DECAP, LINEAR, NOISE_ENOUGH, SHIFT, text_only_test
from capdec_core.studies.bridges_view import Bridges
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.studies.phrases import asked

SENTENCES = (
    prose.in_short, prose.world, prose.ranking, prose.shapes, prose.memory, prose.cost, prose.law, prose.power,
)  # fmt: skip
SCENES = load_profile("scenes")


@pytest.fixture(scope="module")
def study() -> Bridges:
    """Gaussian noise is best at .004, where the law points; projection and pairs' shapes beat it, C3 does not."""
    levels = {
        "projection": 0.95,
        "collapse, noise": 0.6,
        "diagonal, pairs": 0.9,
        "linear adapter, noise": 0.96,
    }
    return make_bridges(world(levels))


@pytest.fixture(scope="module")
def equal() -> Bridges:
    """All that is trained is as good as any other, and the law has no solution."""
    levels = dict.fromkeys(WAYS, 0.5)
    return make_bridges(world(levels), matched=-0.1)


def verdict(study: Bridges, source: str, words: str) -> str:
    return next(c.verdict for c in study.claims if c.source == source and words in c.claim)


# The grid.


def test_every_way_and_every_preset_is_in_the_grid(study: Bridges) -> None:
    cells = study.results.cells
    reduced = {reduced_family(dim) for dim in SCENES.calibration.dims}
    assert {c.family for c in cells} == {*WAYS, PUBLISHED, TIMED, *reduced}
    across = [c.across for c in cells if c.train_on == "text"]
    assert all(preset.bridge in across for preset in PRESETS.values())
    assert len({c.label for c in cells}) == len(cells)


def test_chapter_2s_cells_are_shared_and_moved_images_train_nothing(study: Bridges) -> None:
    chapter_2 = noise_types.conditions(SCENES, 3)
    shared = [c for c in study.results.cells if c in chapter_2]
    assert {c.family for c in shared} == {NONE, GAUSSIAN, "trained on images"}
    known = {cell.id for c in shared for cell in study.results.cells[c]}
    trained = {
        cell.id for found in study.results.cells.values() for cell in found if isinstance(cell, CellConfig)
    }
    reduced = {cell.id for c, found in study.results.cells.items() if c.dim for cell in found}
    assert 40 <= len(trained - known - reduced) <= 48
    assert len(reduced) == len(SCENES.calibration.dims) * len(SCENES.calibration.cosines)
    for condition, found in study.results.cells.items():
        if condition.family.startswith(("shift of images", "projection")):
            assert all(isinstance(cell, Decoded) and cell.cell.id in known for cell in found)
    assert isinstance(study.results.cells[study.named("nearest caption")][0], Retrieved)


def test_headline_contrasts_have_several_seeds_on_both_sides(study: Bridges) -> None:
    for question in (DECAP, COLLAPSE, LINEAR, SHIFT):
        test = asked(study.contrasts, question)
        assert min(len(side) for side in test.sides) >= 3


def test_all_shapes_are_at_the_references_cosine(study: Bridges) -> None:
    variance = study.profile.bridges.variance
    noises = [c.across.noise for c in study.results.cells if f"{c.family}".endswith(("pairs", "clusters"))]
    assert [(n.shape, n.source) for n in noises if isinstance(n, ShapedNoise)] == list(SHAPED)
    assert {n.cosine for n in noises} == {cosine_for_variance(variance, DIM)}
    assert study.choice.reference.noise == Gaussian(variance)


def test_settings_that_do_not_fit_are_refused() -> None:
    for settings, message in (
        ({"variance": 0.3}, "bridges.variance 0.3 must be one of"),
        ({"gaussian_variances": [0.004, 0.3]}, "bridges.gaussian_variances 0.3 is none of chapter 2's"),
        ({"lengths": [50, SCENES.training.steps]}, f"bridges.lengths {SCENES.training.steps} must be"),
        ({"lengths": [50, 60, 50]}, "bridges.lengths 50 must be a number of steps from 1, named once"),
        ({"lengths": [0]}, "bridges.lengths 0 must be a number of steps from 1"),
    ):
        profile = dataclasses.replace(SCENES, bridges=dataclasses.replace(SCENES.bridges, **settings))
        with pytest.raises(CapdecError, match=message):
            bridges.conditions(profile, 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("temperature = 0.01\n", "", "bridges: missing key 'temperature'"),
        ("memory_sizes = [100,", "memory_sizes = [0.5,", r"memory_sizes\[0\]: 0.5 is not a int"),
        ("headline_shapes = [", "headline_shape = [", "bridges: unknown key 'headline_shape'"),
    ],
)
def test_the_profiles_section_is_read_strictly(tmp_path: Path, old: str, new: str, message: str) -> None:
    before, section, after = (PROFILES / "scenes.toml").read_text().partition("[bridges]\n")
    assert old in after
    path = tmp_path / "changed.toml"
    path.write_text(before + section + after.replace(old, new, 1))
    with pytest.raises(CapdecError, match=message):
        read_profile(path)


def test_sight_follows_what_is_done(study: Bridges) -> None:
    ways = study.choice.ways
    never = {family for family, c in ways.items() if sight(c) is Sight.NEVER}
    assert {"gaussian", "projection", "nearest caption", "full, clusters"} <= never
    assert sight(ways["trained on images"]) is Sight.TRAINING
    assert sight(ways["collapse, noise"]) is Sight.INFERENCE
    text_only, (others, groups) = bridges_tables.text_only(study), bridges_tables.with_images(study)
    assert len(text_only) == len(never)
    assert len(others) == len(groups) == len(WAYS) - len(never)
    assert sorted([*text_only["Place"], *others["Place"]]) == list(range(1, len(WAYS) + 1))


# Selection and verdicts.


def test_settings_are_chosen_on_validation_images_alone(study: Bridges) -> None:
    ways = study.choice.ways
    val = {c: study.results.corpus(c, "CIDEr", "val") for c in study.family(GAUSSIAN)}
    assert ways[GAUSSIAN] == max(val, key=lambda c: val[c])
    assert study.choice.text_only.family == "projection"
    assert all(c.family != PUBLISHED for c in ways.values())


def test_verdicts_follow_the_scores(study: Bridges, equal: Bridges) -> None:
    assert verdict(study, "CapDec", "Noise is enough") == "not supported"  # .8 of 1
    assert verdict(study, "DeCap", "Projection") == "supported"
    assert verdict(study, "C3", "Collapse") == "not supported"
    assert verdict(study, "CLOSE", "linear adapter") == "supported"
    assert verdict(study, "CLOSE", "residual of pairs") == "supported"
    assert verdict(study, "This book", "captions of one image") == "not supported"
    assert verdict(study, "This book", "Without any image") == "supported"
    assert verdict(study, "This book", "best Gaussian noise") == "supported"
    for source, words in (("DeCap", "Projection"), ("C3", "Collapse"), ("This book", "Without any image")):
        assert verdict(equal, source, words) == "undecided"
    assert verdict(equal, "CapDec", "Noise is enough") == "supported"  # all of the ceiling
    assert verdict(equal, "This book", "best Gaussian noise") == "undecided"


def test_enough_is_nine_tenths_of_the_ceiling(study: Bridges) -> None:
    test = next(t for t in study.tests if t.question == NOISE_ENOUGH)
    own, ceiling = (study.results.matrix(c, "CIDEr").mean() for c in (study.gaussian, study.ceiling))
    assert SHARE == 0.9
    assert test.estimate.value == pytest.approx(own - 0.9 * ceiling)


def test_one_family_is_corrected_together(study: Bridges) -> None:
    smallest = 1 / (study.results.statistics.resamples + 1)
    strongest = asked(study.contrasts, SHIFT)
    assert strongest.p_value == pytest.approx(len(study.tests) * smallest)
    sides = [(c.a, c.b) for c in study.contrasts]
    assert len(set(sides)) == len(sides)
    assert len(bridges_tables.tests(study)) == len(study.tests) == len(study.contrasts) + 2


def test_what_is_not_found_is_told_with_its_power(equal: Bridges) -> None:
    test = text_only_test(equal.tests, equal.choice)
    least = f"{100 * smallest_detectable_difference(test.estimate.standard_error):.1f} points"
    assert least in prose.power(equal)
    assert least in next(c.reason for c in equal.claims if "Without any image" in c.claim)
    assert "is not separated from" in prose.power(equal)


# The law.


def noise_curve(
    best: float, matched: float, variances=(0.001, 0.002, 0.004, 0.008, 0.016), error=0.02
) -> NoiseCurve:
    """A curve with its peak at `best`, on 60 images and three seeds."""
    rng = np.random.default_rng(0)
    height = [0.8 * 2 ** -((np.log2(v / best) / 2) ** 2) for v in variances]
    scores = tuple(h + rng.normal(0, error, (3, 60)) for h in height)
    return NoiseCurve("made", DIM, {MATCHED: matched, CENTRED: 0.9, ALIKE: 0.3}, variances, scores)


@pytest.mark.parametrize(
    ("best", "matched", "error", "expected"),
    [
        (0.004, 0.57, 0.02, "supported"),
        (0.004, 0.38, 0.02, "not supported"),  # asks for .012
        (0.004, 0.9, 0.02, "not supported"),  # asks for .0005
        (0.016, 0.33, 0.02, "undecided"),  # the peak is the last variance: it may lie beyond
        (0.016, 0.2, 0.02, "undecided"),  # the law asks for more than the grid has
        (0.004, 0.57, 8.0, "undecided"),  # so noisy that any variance may be best
        (0.004, -0.1, 0.02, "undecided"),  # no solution
    ],
)
def test_the_laws_verdict_follows_the_curve(best: float, matched: float, error: float, expected: str) -> None:
    assert law_test(noise_curve(best, matched, error=error), SCENES.statistics).verdict == expected


def test_the_interval_of_the_best_variance_holds_it_and_reaches_between_the_neighbours() -> None:
    test = law_test(noise_curve(0.004, 0.57), SCENES.statistics)
    assert (test.low, test.high) == pytest.approx((0.004 / 2**0.5, 0.004 * 2**0.5))
    assert test.best == 0.004
    assert test.nearly == (0.004, 0.004)
    assert test.nearest == 0.004
    loud = law_test(noise_curve(0.004, 0.57, error=1.0), SCENES.statistics)
    assert loud.low <= test.low
    assert loud.high >= test.high
    assert loud.high / loud.low > test.high / test.low


def test_a_curve_without_a_peak_decides_nothing() -> None:
    flat = NoiseCurve(
        "made", DIM, {MATCHED: 0.2}, (0.001, 0.002, 0.004), tuple(np.zeros((2, 9)) for _ in range(3))
    )
    test = law_test(flat, SCENES.statistics)
    assert test.at_edge == (True, True)
    assert test.verdict == "undecided"
    figures_bridges.law_figure([test])


def test_the_closest_cosine_is_named(study: Bridges) -> None:
    assert law_test(noise_curve(0.004, 0.57), SCENES.statistics).closest == MATCHED
    refuted = make_bridges(world(best=0.004), matched=0.3)
    assert refuted.law.closest == CENTRED  # .65 asks for .0027
    assert "is refuted" in prose.law(refuted)
    assert f"the cosine of {CENTRED} asks for, 0.00267" in prose.law(refuted)
    assert "Choosing by the law, variance 0.016" in prose.law(refuted)
    table, groups = bridges_tables.predictors(refuted)
    assert table["In the interval of the best"].tolist()[:2] == ["no", "no"]
    assert len(table) == len(groups) == 3 * len(refuted.laws)
    assert "is supported" in prose.law(study)


def test_the_law_is_judged_at_every_dimension() -> None:
    """Where the best variance is the law's own at every dimension the claim holds; one failure refutes it."""
    dims = SCENES.calibration.dims
    asked = {reduced_family(dim): variance_for_cosine(0.8, dim) for dim in dims}

    def verdict(best: dict[str, float]) -> tuple[str, str]:
        def worth(condition: Condition) -> float:
            at = best.get(condition.family)
            return curve(condition, at) if at else world()(condition)

        study = make_bridges(worth, matched=0.8, error=0.1)
        (claim,) = (c for c in study.claims if "whatever the dimension" in c.claim)
        assert [e.question.split("d = ")[1] for e in claim.evidence] == [f"{dim}?" for dim in dims]
        return claim.verdict, prose.dimensions(study)

    held, told = verdict(asked)
    assert held == "supported"
    assert "supported at d = 64, supported at d = 128, supported at d = 256" in told
    family = reduced_family(dims[0])
    failed, told = verdict(asked | {family: variance_for_cosine(0.95, dims[0])})
    assert failed == "not supported"
    assert "refuted at d = 64" in told


def test_captions_of_one_image_are_compared_pair_by_pair() -> None:
    texts = F.normalize(torch.randn(7, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    clusters = torch.tensor([0, 1, 0, 2, 1, 0, 3])
    first = [float(texts[a] @ texts[b]) for a, b in ((0, 2), (0, 5), (2, 5))]
    expected = (sum(first) / 3 + float(texts[1] @ texts[4])) / 2
    assert captions_cosine(texts, clusters) == pytest.approx(expected, abs=1e-6)


def test_a_curve_needs_rising_variances() -> None:
    scores = tuple(np.ones((1, 4)) for _ in range(2))
    for wrong in ((0.0, 0.1), (0.2, 0.1), (0.1,)):
        with pytest.raises(ValueError, match="rising variances"):
            NoiseCurve("made", DIM, {}, wrong, scores[: len(wrong)])


# Costs.


def test_costs_are_the_records(study: Bridges) -> None:
    table = study.ranking.set_index("family")
    assert table.training[GAUSSIAN] == 10.0  # 10, 11 and 12 seconds less one of decoding
    assert table.training["projection"] == 10.0  # its captioner's
    assert table.speed["projection"] == 500.0
    assert table.speed["full, pairs"] == 800.0  # the timed captioner's
    assert table.trainable["nearest caption"] == 0
    assert study.memories[~study.memories.noisy].captions.tolist() == [100, 1000, 10_000, CAPTIONS]
    assert len(study.memories) == 8


def test_nothing_on_a_front_is_beaten(study: Bridges) -> None:
    for column in figures_bridges.COSTS:
        front, rest = study.front(column), study.ranking
        sign = -1 if column == "speed" else 1
        for row in front.to_dict("records"):
            cheaper = rest[sign * rest[column] <= sign * row[column]]
            assert cheaper.CIDEr.max() == row["CIDEr"]
        assert study.ranking.CIDEr.max() in front.CIDEr.tolist()


# How long the decoder is trained.


def test_other_lengths_of_training_stand_beside_the_profiles_own() -> None:
    """More training favours more noise and no noise less, and is told so; what ways are chosen of stays as it was."""
    own = SCENES.training.steps

    def worth(condition: Condition) -> float:
        steps = condition.training.steps if condition.training else own
        if condition.train_on == "image":
            return 0.5 + steps / (10 * own)
        if condition.family in (GAUSSIAN, f"{own // 2} steps", f"{2 * own:,} steps") and condition.parameter:
            return curve(condition, {own // 2: 0.002, own: 0.004, 2 * own: 0.012}[steps])
        return 0.2 * own / steps if condition.label.startswith("No noise") else 0.5

    longer = make_bridges(worth, lengths=[2 * own, own // 2], error=0.01)
    assert list(longer.by_length) == [own // 2, own, 2 * own]
    assert [test.best for test in longer.length_laws.values()] == [0.002, 0.004, 0.012]
    trained = [c for c in longer.results.cells if c.training is not None]
    assert {len(longer.results.cells[c]) for c in trained} == {1}
    assert {longer.results.cells[c][0].training["steps"] for c in trained} == {own // 2, 2 * own}
    assert len(trained) == 2 * (2 + len(SCENES.bridges.gaussian_variances))
    assert not set(trained) & set(longer.choice.ways.values())
    table = longer.lengths
    assert table[(table.series == NONE)].CIDEr.round(1).tolist() == [0.4, 0.2, 0.1]
    assert len(table) == len(trained) + 2 + len(SCENES.bridges.gaussian_variances)
    told = prose.lengths(longer)
    assert f"0.002 at {own // 2:,}, 0.004 at {own:,}, 0.012 at {2 * own:,} steps" in told
    assert f"2.0 at {own // 2:,}, 4.0 at {own:,}, 8.0 at {2 * own:,} steps times" in told
    drawn = figures_bridges.lengths_figure(table, longer.length_laws)
    assert svg_bytes(drawn).startswith(b"<?xml")
    alt = descriptions_bridges.of_lengths(table, longer.length_laws)
    assert alt.count("variance 0.004:") == alt.count("Trained on images:") == 1
    groups = set(longer.groups)
    assert {f"Trained for {own // 2} steps", f"Trained for {2 * own:,} steps"} <= groups


def test_captioners_that_score_nothing_are_told_without_ratios() -> None:
    mute = make_bridges(lambda condition: 0.0, lengths=[270], error=0.0)
    told = prose.lengths(mute)
    assert "from 0.0 [0.0, 0.0] to 0.0 [0.0, 0.0]" in told
    assert "times as much" not in told


def test_one_length_is_said_to_be_one(study: Bridges) -> None:
    assert list(study.by_length) == [SCENES.training.steps]
    assert prose.lengths(study) == "All captioners here are trained for one number of steps."


# What is shown.


def test_presets_are_converted(study: Bridges) -> None:
    table = bridges_tables.presets(study).set_index("Preset")
    assert len(table) == len(PRESETS)
    assert table.loc["CLOSE", "Variance there"] == "0.0144"
    assert table.loc["CapDec", "Cosine there"] == f"{cosine_for_variance(0.016, 640):.3g}"
    assert table.loc["C3", "Cosine there"] == "–"
    assert table.loc["CapDec", "Cosine here"] == f"{cosine_for_variance(0.016, DIM):.3g}"


def test_every_sentence_is_whole_in_both_worlds(study: Bridges, equal: Bridges) -> None:
    for text in (sentence(s) for s in (study, equal) for sentence in SENTENCES):
        assert text
        assert not re.search(r"\bnan\b|None|\{|\}|  |,,| ,", text)
        assert not re.search(r"(^|[\s\[(])-\d", text)
    assert not re.search(r"projection \S+ \S+ is (better|worse)", prose.memory(equal))
    same = make_bridges(world(dict.fromkeys(WAYS, 0.5)), error=0.0)
    assert prose.ranking(same).count("none lies") == 2
    assert "is better than" in prose.memory(study)


def test_figures_are_drawn_and_described(study: Bridges, equal: Bridges) -> None:
    for s in (study, equal):
        fronts = {column: s.front(column) for column in figures_bridges.COSTS}
        levels = s.ranking[s.ranking.family.isin([GAUSSIAN, NONE])]
        drawn = {
            descriptions_bridges.of_ways(s.ranking): figures_bridges.ways_figure(s.ranking),
            descriptions_bridges.of_shapes(s.shapes): figures_bridges.shapes_figure(s.shapes),
            descriptions_bridges.of_memories(s.memories): figures_bridges.memory_figure(s.memories, levels),
            descriptions_bridges.of_pareto(fronts): figures_bridges.pareto_figure(s.ranking, fronts),
            descriptions_bridges.of_law(s.laws): figures_bridges.law_figure(s.laws),
            descriptions_bridges.of_tests(s.contrast_table): figures_bridges.tests_figure(s.contrast_table),
        }
        assert all(svg_bytes(figure).startswith(b"<?xml") for figure in drawn.values())
        assert all(alt.endswith(".") for alt in drawn)
        assert all(way.title in descriptions_bridges.of_ways(s.ranking) for way in WAYS.values())


def test_the_record_lists_every_cell_that_a_claim_links_to(study: Bridges) -> None:
    known = set(record.cells(study)["Cell"])
    linked = {cell for c in study.claims for e in c.evidence for side in e.sides for cell in side}
    assert linked <= known
    assert len(study.groups) == len(study.table) == len(study.results.cells) - 1
    assert len(set(study.shown)) == 6


def test_made_noise_is_best_where_the_world_says() -> None:
    """The oracle of the tests above."""
    found = make_bridges(world(best=0.012)).family(GAUSSIAN)
    assert max(found, key=lambda c: curve(c, 0.012)).parameter == 0.012


def test_the_timed_captioner_is_chapter_6s(study: Bridges) -> None:
    found = next(c for c in decoding.conditions(SCENES, 3) if c.label == "CapDec: beam 5")
    assert cells_of(found, SCENES, MATERIAL) == list(study.results.cells[study.named(TIMED)])
