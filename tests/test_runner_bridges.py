"""Cells that cross the gap by a bridge: fitted on training material, decoded through it, shared where texts stay."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from small_world import InlineExecutor, small_profile

from capdec_core import runner as module
from capdec_core import scoring, worker
from capdec_core.bridges import (
    Bridge,
    Collapse,
    LinearAdapter,
    MeanShift,
    MemoryProjection,
    NearestCaption,
    ShapedNoise,
)
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.cell import CellConfig, Decoded, Retrieved, StoredCell
from capdec_core.decoding import beam_candidates
from capdec_core.errors import CapdecError
from capdec_core.noise import Gaussian
from capdec_core.runner import Runner
from capdec_core.store import CAPTIONER, CellStore
from capdec_core.studies.conditions import Condition, all_cells, cells_of
from capdec_core.studies.results import Results

TEST = ("test",)


def across(label: str, bridge: Bridge) -> Condition:
    """A condition of this bridge, on test images alone."""
    return Condition(label, label, splits=TEST, bridge=bridge)


PLAIN = Condition("plain", "Gaussian", Gaussian(0.01), splits=TEST)
COLLAPSED = across("collapse", Bridge((Collapse(),), Gaussian(0.01)))
SHAPED = across("shaped", Bridge(noise=ShapedNoise("full", "clusters", 0.8)))
SHIFTED = across("shift of images", Bridge((MeanShift("image"),), Gaussian(0.01)))
PROJECTED = across("projection", Bridge((MemoryProjection(size=20),), Gaussian(0.01)))
NEAREST = across("nearest", Bridge((NearestCaption(),)))
CONDITIONS = [PLAIN, COLLAPSED, SHAPED, SHIFTED, PROJECTED, NEAREST]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A runner whose store holds the cells of all conditions, made in this process.

    One step teaches nothing: captioners of random weights say something else of every embedding.
    """
    untaught = small_profile(pretraining=Budget(1, 16, 1e-9), training=Budget(1, 16, 1e-9))
    made = Runner(untaught, CellStore(tmp_path_factory.mktemp("bridges")))
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        for where in (module, scoring):
            patch.setattr(where, "ProcessPoolExecutor", InlineExecutor)
        made.compute(all_cells(CONDITIONS, made.profile, made.material))
    torch.set_num_threads(threads)
    return made


@pytest.fixture(scope="module")
def cell(runner: Runner) -> Callable[[Condition], StoredCell]:
    return lambda condition: cells_of(condition, runner.profile, runner.material)[0]


def spoken(runner: Runner, trained: StoredCell, rows: torch.Tensor) -> list[str]:
    """What the trained cell's captioner says of rows that it reads as they are."""
    captioner, tokenizer = (
        Captioner.load(runner.store.path(trained) / CAPTIONER),
        runner.material.load_tokenizer(),
    )
    found = beam_candidates(captioner, rows, eos_id=tokenizer.eos_id, **vars(runner.profile.decoding))
    return [tokenizer.decode(beams[0]) for beams in found]


def told(runner: Runner, cell: StoredCell) -> list[list[str]]:
    """The stored captions of the test images."""
    return list(runner.store.captions(cell)["test/image"].values())


def test_bridges_that_leave_texts_alone_share_one_training(
    runner: Runner, cell: Callable[[Condition], StoredCell]
) -> None:
    shifted, projected = cell(SHIFTED), cell(PROJECTED)
    assert isinstance(shifted, Decoded)
    assert isinstance(projected, Decoded)
    assert shifted.cell == projected.cell == cell(PLAIN)
    trained = [path for path in runner.store.folder.iterdir() if (path / CAPTIONER).exists()]
    assert {path.name for path in trained} == {cell(c).id for c in (PLAIN, COLLAPSED, SHAPED)}


@pytest.mark.parametrize("condition", [COLLAPSED, SHIFTED, PROJECTED], ids=lambda c: c.label)
def test_an_image_is_moved_before_it_is_read(
    runner: Runner, cell: Callable[[Condition], StoredCell], condition: Condition
) -> None:
    own = cell(condition)
    trained = own.cell if isinstance(own, Decoded) else own
    known = runner.material.fitting_material()
    fitted = condition.across.fit(known.texts, known.images, known.clusters)
    images = runner.material.evaluation_embeddings(own.evaluations[0])
    best = [beams[0] for beams in told(runner, own)]
    assert best == spoken(runner, trained, fitted.infer_side(images))
    assert best != spoken(runner, trained, images)


def test_noise_of_a_learned_shape_is_trained_with_at_its_cosine(
    runner: Runner, cell: Callable[[Condition], StoredCell]
) -> None:
    record = runner.store.record(cell(SHAPED))
    assert record["mean_cosine"] == pytest.approx(0.8, abs=0.06)  # of one batch
    assert record["bridge"]["cosine"] == pytest.approx(0.8, abs=0.02)
    assert record["bridge"]["memory"] > 0


def test_retrieval_gives_training_captions(runner: Runner, cell: Callable[[Condition], StoredCell]) -> None:
    own = cell(NEAREST)
    assert isinstance(own, Retrieved)
    known, tokenizer = runner.material.training_captions(), runner.material.load_tokenizer()
    images = runner.material.evaluation_embeddings(own.evaluations[0])
    nearest = (images @ runner.material.training_embeddings("text").T).argmax(dim=1).tolist()
    assert told(runner, own) == [[tokenizer.decode(known.caption(row).tolist())] for row in nearest]
    scores = runner.store.scores(own)["test/image"]
    assert "the nearest training caption" in scores["signature"]


def test_the_noise_of_every_bridge_is_told_in_one_currency(runner: Runner) -> None:
    cells = {c: cells_of(c, runner.profile, runner.material) for c in CONDITIONS}
    results = Results(cells, runner.store, runner.profile.statistics, runner.material.dim)
    for condition in CONDITIONS[:-1]:
        noise = results.noise(condition)
        expected = 0.8 if condition is SHAPED else 1 / (1 + runner.material.dim * 0.01) ** 0.5
        assert noise["cosine"] == pytest.approx(expected, abs=0.03)
        assert noise["std"] == pytest.approx(noise["variance"] ** 0.5)
    assert set(results.noise(NEAREST).values()) == {None}


def test_what_needs_pairs_is_refused_where_training_is_text_only(
    runner: Runner, cell: Callable[[Condition], StoredCell]
) -> None:
    banks = {key: file for key, file in runner.material.banks.items() if key != "train/image"}
    blind = replace(runner.material, banks=banks)
    adapted = cell(across("adapter", Bridge((LinearAdapter(),))))
    assert isinstance(adapted, CellConfig)
    with pytest.raises(CapdecError, match="text only"):
        worker.fitted_bridge(adapted, blind, "cpu")
    with pytest.raises(CapdecError, match="no embeddings of training images here"):
        blind.training_embeddings("image")
