"""Study A's baseline as published: shown in chapters 2, 3, 4 and 8 where the profile names it, and it decides."""

import re
from dataclasses import replace
from types import ModuleType

import pytest
import small_cosine_study
import small_heads_layers
import small_protocol
import small_study
from small_protocol import World
from small_study import MATERIAL

from capdec_core import figures, figures_protocol
from capdec_core.cell import Imported
from capdec_core.gallery import svg_bytes
from capdec_core.imported.settings import PublishedSettings, StatedShape
from capdec_core.profiles import NamedLanguageModelSettings, Profile, load_profile
from capdec_core.studies import (
    cosine_directed,
    heads_layers,
    heads_layers_prose,
    noise_types,
    noise_types_prose,
    protocol,
    protocol_prose,
    protocol_tables,
)
from capdec_core.studies.conditions import Condition, cells_of
from capdec_core.studies.pretrained_capdec import LABEL, PRETRAINED
from capdec_core.studies.protocol_scores import PUBLISHED, SEED, WHOLE

WANTED = PublishedSettings(
    "owner/capdec_05", "1" * 40, "model.pt", "2" * 64, 0.05, ".", StatedShape("transformer", 4, 4, 8, 8)
)
MAPPER = {
    "kind": "transformer", "embedding_dim": 512, "width": 128, "prefix_length": 4, "clip_length": 4, "heads": 8,
    "layers": 8, "mlp_ratio": 2.0,
}  # fmt: skip
CHAPTERS = (noise_types, heads_layers, cosine_directed, protocol)
ACCIDENTS = re.compile(r"\bnan\b|\binf\b|\{|\}|None|  ")


def named(profile: Profile) -> Profile:
    return replace(profile, pretrained_capdec=WANTED)


def found_cells(condition: Condition, profile: Profile, material) -> list:
    """Cells as they are, but for the checkpoint's, which no profile of this world could have: it names a GPT-2."""
    if condition.checkpoint:
        profile = replace(profile, language_model=NamedLanguageModelSettings("gpt2", True))
    return cells_of(condition, profile, material)


@pytest.fixture(autouse=True)
def _profiles_that_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: list[ModuleType] = [small_study, small_protocol, small_heads_layers, small_cosine_study]
    for module in modules:
        monkeypatch.setattr(module, "load_profile", lambda name: named(load_profile(name)))
        monkeypatch.setattr(module, "cells_of", found_cells)
    monkeypatch.setattr(small_protocol, "grid", small_protocol.grid.__wrapped__)


def ours(conditions: list[Condition]) -> list[Condition]:
    return [condition for condition in conditions if condition.family == PRETRAINED]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_it_where_the_profile_names_it(chapter):
    profile = load_profile("scenes")
    (condition,) = ours(chapter.conditions(named(profile), 3))
    assert (condition.label, condition.parameter, condition.seeds) == (LABEL, 0.05, 1)
    assert not condition.needs_images
    assert not ours(chapter.conditions(profile, 3))
    without = [c for c in chapter.conditions(named(profile), 3) if c != condition]
    assert without == chapter.conditions(profile, 3), "nothing else changes"


def test_all_chapters_share_one_cell():
    profile = named(load_profile("scenes"))
    conditions = [ours(chapter.conditions(profile, 3))[0] for chapter in CHAPTERS]
    cells = {cell.id: cell for condition in conditions for cell in found_cells(condition, profile, MATERIAL)}
    (cell,) = cells.values()
    assert isinstance(cell, Imported)
    assert {e.key for e in cell.evaluations} == {"val/image", "test/image"}


def with_its_score(score: float):
    def quality(condition: Condition, at: float, source: str) -> float:
        return score if condition.checkpoint else small_study.peaked(condition, at, source)

    return quality


@pytest.mark.parametrize(("score", "verdict"), [(1.4, "supported"), (0.2, "not supported")])
def test_chapter_2s_claim_is_decided_by_the_published_captioner(score, verdict):
    study = small_study.make_study(with_its_score(score))
    claim = study.claims[1]
    assert claim.verdict == verdict
    assert {evidence.a for evidence in claim.evidence} == {study.named(PRETRAINED)}
    assert {evidence.sides[0] for evidence in claim.evidence} == {study.results.ids(study.named(PRETRAINED))}
    assert study.named("gaussian", 0.05) not in {evidence.a for evidence in claim.evidence}


def test_chapter_2_shows_it():
    study = small_study.make_study(with_its_score(1.4))
    (row,) = study.table[study.table.family == PRETRAINED].to_dict("records")
    assert row["variance"] == 0.05
    assert study.heading(study.baseline) == "Study A's baseline"
    assert study.baseline in study.shown
    assert LABEL in svg_text(figures.quality_against_cosine(study.table))
    assert "one of variance 0.05 that CapDec's authors published" in noise_types_prose.provenance(study)


def svg_text(figure) -> str:
    return " ".join(text.get_text() for text in figure.axes[0].texts)


@pytest.fixture
def mappers(monkeypatch: pytest.MonkeyPatch):
    """Chapter 3 with the published captioner beside its grid; its record tells its mapper, not its losses."""
    store = small_heads_layers.MapperStore
    trained = store.record

    def record(self, cell) -> dict:
        if isinstance(cell, Imported):
            return small_study.Store.record(self, cell) | {"mapper": MAPPER}
        return trained(self, cell)

    monkeypatch.setattr(store, "record", record)
    monkeypatch.setattr(
        small_heads_layers, "grid", lambda profile, seeds, _: heads_layers.conditions(profile, seeds)
    )
    return small_heads_layers.make_study()


def test_chapter_3_shows_it_beside_its_arms(mappers):
    (row,) = mappers.shapes[mappers.shapes.Condition == LABEL].to_dict("records")
    assert (row["Heads"], row["Layers"], row["Width"]) == (8, 8, 128)
    assert mappers.groups[-1] == "Study A's baseline"
    assert mappers.named(PRETRAINED) in mappers.shown
    assert all(PRETRAINED not in {c.family for c in mappers.arm(arm)} for arm in ("heads", "layers"))
    told = [
        function(mappers)
        for name, function in vars(heads_layers_prose).items()
        if getattr(function, "__module__", "") == heads_layers_prose.__name__ and not name.startswith("_")
    ]
    assert not [text for text in told if ACCIDENTS.search(text)]


def test_chapter_4_shows_it():
    study = small_cosine_study.make_study()
    condition = study.named(PRETRAINED)
    assert study.heading(condition) == "Study A's baseline"
    assert list(study.table.label).count(LABEL) == 1
    assert condition in study.shown
    assert condition not in {side for contrast in study.contrasts for side in (contrast.a, contrast.b)}


def best(condition: Condition) -> float:
    return 0.6 if condition.checkpoint else 0.5


def recipe_alone(condition: Condition) -> float:
    return 0.6 if condition.family == "gaussian" and condition.parameter == 0.05 else 0.5


@pytest.mark.parametrize(("quality", "verdict"), [(best, "supported"), (recipe_alone, "undecided")])
def test_chapter_8s_claim_is_decided_by_the_published_captioner(quality, verdict):
    study = small_protocol.make_protocol(World(quality, luck=0.01, captions=0.01))
    assert study.systems[0] == study.baseline == study.named(PRETRAINED)
    assert study.claims[0].verdict == verdict
    assert {evidence.a for evidence in study.claims[0].evidence} == {study.baseline}


@pytest.fixture(scope="module")
def lucky():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_protocol, "load_profile", lambda name: named(load_profile(name)))
        patch.setattr(small_protocol, "cells_of", found_cells)
        patch.setattr(small_protocol, "grid", small_protocol.grid.__wrapped__)
        return small_protocol.make_protocol(World(luck=0.3, easy=0.02))


def test_chapter_8_lets_what_is_trained_here_choose_in_its_place(lucky):
    """Scores are luck alone: it has none of it on images that another training chose."""
    assert lucky.sampler == lucky.named("gaussian", 0.05)
    assert lucky.sampler in lucky.systems[1:]
    assert [sum(chosen.used[:1]) for chosen in lucky.rounds[SEED]] == [1] * lucky.sampler.seeds
    own, other, whole = (lucky.drawn[name].values[0] for name in (PUBLISHED, SEED, WHOLE))
    assert own - whole > 0.3
    assert abs(other - whole) < 0.1


def test_chapter_8_tells_of_it_without_accident(lucky):
    sentences = (
        protocol_prose.in_short, protocol_prose.world, protocol_prose.provenance, protocol_prose.luck,
        protocol_prose.softer, protocol_prose.effect, protocol_prose.ranking, protocol_prose.halves,
        protocol_prose.choosers, protocol_prose.overlap, protocol_prose.number_of_images, protocol_prose.closing,
    )  # fmt: skip
    told = " ".join(sentence(lucky) for sentence in sentences)
    assert not ACCIDENTS.search(told)
    assert "The baseline is pre-trained CapDec as it was published, one training." in told
    assert "that of variance 0.05 which CapDec's authors published" in told
    assert protocol_tables.systems(lucky).System.iloc[0] == LABEL
    assert svg_bytes(figures_protocol.scores_by_choice(lucky.scores)).startswith(b"<?xml")
