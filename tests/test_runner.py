"""The runner computes what is missing, once, repeatably, and says what failed."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from small_world import InlineExecutor, die, small_profile, with_noise

from capdec_core import device as device_module
from capdec_core import programs, scoring, worker
from capdec_core import runner as module
from capdec_core.bridges import Bridge
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner
from capdec_core.cell import CellConfig, Decoded
from capdec_core.decoding import Greedy, Reranked, Sampling
from capdec_core.decoding import greedy as decode_greedily
from capdec_core.device import check_device
from capdec_core.errors import CapdecError
from capdec_core.noise import Gaussian, NormalisedGradient, UniformBall
from capdec_core.runner import Runner
from capdec_core.store import CAPTIONER, CellStore
from capdec_core.studies.conditions import Condition, all_cells
from capdec_core.worker import run_cells

TEST: tuple[str, ...] = ("test",)
CONDITIONS = [
    Condition("none", "No noise", reads=("image", "text"), splits=TEST),
    Condition("gradient", "Gradient", NormalisedGradient(0.1), 0.1, splits=TEST),
    Condition(
        "language model alone",
        "Alone",
        train_on="blank",
        evaluate="blank",
        reads=("blank",),
        splits=TEST,
    ),
    Condition("trained on images", "Images", train_on="image", splits=TEST),
]
FILES = {"cell.json", CAPTIONER, "record.json", "captions.json", "scores.json"}


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    return Runner(small_profile(), CellStore(tmp_path_factory.mktemp("finished")))


@pytest.fixture(scope="module")
def cells(runner: Runner) -> list[CellConfig]:
    return all_cells(CONDITIONS, runner.profile, runner.material)


@pytest.fixture(scope="module")
def finished(runner: Runner, cells: list[CellConfig]) -> CellStore:
    """A store with four cells, trained and scored in processes of their own, one at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "cores", lambda: 1)
        runner.compute(cells)
    return runner.store


@pytest.fixture
def elsewhere(runner: Runner, tmp_path: Path) -> Runner:
    """The same runner with a store of its own."""
    other = object.__new__(Runner)
    other.profile, other.device, other.material = runner.profile, runner.device, runner.material
    other.devices = runner.devices
    other.store = CellStore(tmp_path / "cells")
    return other


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[InlineExecutor]]:
    """No processes: the pools' work is done here, on one thread as in a worker; scores are stood in for."""
    threads = torch.get_num_threads()
    InlineExecutor.made.clear()
    monkeypatch.setattr(module, "ProcessPoolExecutor", InlineExecutor)
    monkeypatch.setattr(Runner, "_score", lambda *_: None)
    yield InlineExecutor.made
    torch.set_num_threads(threads)


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_cells_are_trained_decoded_and_scored(
    finished: CellStore, cells: list[CellConfig], runner: Runner
) -> None:
    assert {path.name for path in finished.folder.iterdir()} == {cell.id for cell in cells}
    for cell in cells:
        assert {path.name for path in finished.path(cell).iterdir()} == FILES
        captions, scores = finished.captions(cell), finished.scores(cell)
        assert set(captions) == set(scores) == {evaluation.key for evaluation in cell.evaluations}
        for evaluation in cell.evaluations:
            ids = runner.material.evaluation_ids(evaluation)
            assert list(captions[evaluation.key]) == scores[evaluation.key]["ids"] == ids
            assert {len(beams) for beams in captions[evaluation.key].values()} == {5}
            assert len(scores[evaluation.key]["per_image"]["CIDEr"]) == len(ids)


def test_records_tell_the_training(finished: CellStore, cells: list[CellConfig]) -> None:
    none, gradient, *_ = (finished.record(cell) for cell in cells)
    assert len(none["losses"]) == none["steps"] == 6
    assert none["mean_cosine"] == pytest.approx(1, abs=1e-6)
    assert gradient["mean_cosine"] == pytest.approx(1 / 1.01**0.5, abs=5e-3)
    assert none["trainable_parameters"] == none["parameters"]
    assert none["versions"]["torch"] == version("torch")


def test_told_nothing_every_image_gets_the_same_caption(finished: CellStore, cells: list[CellConfig]) -> None:
    captions = finished.captions(cells[2])["test/blank"]
    assert len({tuple(beams) for beams in captions.values()}) == 1


def test_text_to_text_is_decoded_beside_images(finished: CellStore, cells: list[CellConfig]) -> None:
    assert set(finished.captions(cells[0])) == {"test/image", "test/text"}
    assert set(finished.captions(cells[3])) == {"test/image"}


def test_a_second_run_computes_nothing(
    runner: Runner, finished: CellStore, cells: list[CellConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was computed")

    for target, name in [
        (module, "ProcessPoolExecutor"),
        (module, "run_cells"),
        (module, "pretrained_language_model"),
        (module, "score_systems"),
    ]:
        monkeypatch.setattr(target, name, refuse)
    before = {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")}
    runner.compute(cells)
    assert {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")} == before


def test_the_same_cell_gives_the_same_bytes_and_the_same_scores(
    elsewhere: Runner,
    finished: CellStore,
    cells: list[CellConfig],
    monkeypatch: pytest.MonkeyPatch,
    one_thread: None,
) -> None:
    """Once in worker processes, once here: weights, captions and scores agree to the last digit."""
    monkeypatch.setattr(module, "cores", lambda: 1)
    monkeypatch.setattr(module, "ProcessPoolExecutor", InlineExecutor)
    monkeypatch.setattr(scoring, "ProcessPoolExecutor", InlineExecutor)
    elsewhere.compute(cells)
    for cell in cells:
        for name in FILES - {"record.json"}:
            assert (elsewhere.store.path(cell) / name).read_bytes() == (
                finished.path(cell) / name
            ).read_bytes()
        here, there = elsewhere.store.record(cell), finished.record(cell)
        assert here["losses"] == there["losses"]
        assert here["mean_cosine"] == there["mean_cosine"]


def test_lost_scores_are_computed_without_training(
    elsewhere: Runner, finished: CellStore, cells: list[CellConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished.folder, elsewhere.store.folder)
    (elsewhere.store.path(cells[1]) / "scores.json").unlink()
    asked = []

    def scores(profile: object, systems: dict, *_: object) -> dict:
        asked.extend({system.cell for system in systems})
        return {}

    monkeypatch.setattr(module, "ProcessPoolExecutor", None)
    monkeypatch.setattr(module, "score_systems", scores)
    elsewhere.compute(cells)
    assert asked == [cells[1].id]


def test_a_trained_cell_is_decoded_in_other_ways(
    elsewhere: Runner, finished: CellStore, cells: list[CellConfig], runner: Runner
) -> None:
    """No cell is trained for it; the captions are those of the captioner, decoded so, and their time is kept."""
    shutil.copytree(finished.folder, elsewhere.store.folder)
    trained = cells[0]
    ways = [Greedy(20), Reranked(Sampling(n=3, max_tokens=20))]
    greedy, reranked = (Decoded(trained, way.to_dict(), trained.evaluations[:1]) for way in ways)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "train", None)
        elsewhere.compute([greedy, reranked])
    captioner, evaluation = Captioner.load(finished.path(trained) / CAPTIONER), trained.evaluations[0]
    tokenizer = runner.material.load_tokenizer()
    rows = runner.material.evaluation_embeddings(evaluation)
    expected = decode_greedily(captioner, rows, eos_id=tokenizer.eos_id, max_tokens=20)
    told = elsewhere.store.captions(greedy)["test/image"]
    assert list(told) == runner.material.evaluation_ids(evaluation)
    assert list(told.values()) == [[tokenizer.decode(tokens)] for tokens in expected]
    for cell, way in zip((greedy, reranked), ways, strict=True):
        record, scores = elsewhere.store.record(cell), elsewhere.store.scores(cell)["test/image"]
        assert record["images_per_second"] == pytest.approx(evaluation.images / record["seconds"])
        assert record["trainable_parameters"] == elsewhere.store.record(trained)["trainable_parameters"]
        assert f"decoding:{way.label}, at most 20 tokens" in scores["signature"]
        assert not (elsewhere.store.path(cell) / CAPTIONER).exists()


def test_what_a_decoding_needs_is_trained_first(elsewhere: Runner, cells: list[CellConfig]) -> None:
    greedy = Decoded(cells[3], Greedy(20).to_dict(), cells[3].evaluations)
    elsewhere.compute([greedy])
    assert elsewhere.store.has(cells[3])
    assert elsewhere.store.has_scores(greedy)


def test_the_trained_captioner_is_kept(finished: CellStore, cells: list[CellConfig]) -> None:
    captioner = Captioner.load(finished.path(cells[0]) / CAPTIONER)
    assert asdict(captioner.config.mapper) == cells[0].mapper


@pytest.mark.parametrize("device", ["cpu", "cpu:0"], ids=["in processes", "one after the other"])
def test_a_failing_cell_is_named_and_stops_no_other(
    elsewhere: Runner, cells: list[CellConfig], inline: list[InlineExecutor], device: str
) -> None:
    """ "cpu:0" stands for an accelerator, on which cells are run one after the other."""
    elsewhere.device = device
    broken = replace(cells[0], bridge=Bridge().to_dict() | {"noise": {"kind": "Nonsense"}}, seed=7)
    with pytest.raises(CapdecError, match=rf"1 of 3 cells failed:\n  {broken.id} .*Nonsense.* seed 7: "):
        elsewhere.compute([cells[0], broken, cells[3]])
    assert bool(inline) == (device == "cpu")
    assert [elsewhere.store.has(cell) for cell in (cells[0], broken, cells[3])] == [True, False, True]


def test_a_worker_that_is_killed_is_named(
    elsewhere: Runner, cells: list[CellConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "work", die)
    with pytest.raises(CapdecError, match=rf"1 of 1 cells failed:\n  {cells[0].id} .*terminated abruptly"):
        elsewhere.compute(cells[:1])
    assert not elsewhere.store.has(cells[0])


def test_a_run_that_was_killed_goes_on_with_the_cells_that_are_missing(
    elsewhere: Runner, cells: list[CellConfig], inline: list[InlineExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.work

    def stopping(group: list[CellConfig], *rest: object) -> None:
        if inline[0].submitted[1:]:
            raise KeyboardInterrupt
        real(group, *rest)

    monkeypatch.setattr(module, "work", stopping)
    with pytest.raises(KeyboardInterrupt):
        elsewhere.compute(cells[:2])
    done = [cell for cell in cells[:2] if elsewhere.store.has(cell)]
    assert len(done) == 1
    monkeypatch.setattr(module, "work", real)
    elsewhere.compute(cells[:2])
    assert [arguments[0] for arguments in inline[1].submitted] == [[c] for c in cells[:2] if c not in done]
    assert all(elsewhere.store.has(cell) for cell in cells[:2])


def test_a_cell_that_was_cut_off_goes_on_from_its_checkpoint(
    elsewhere: Runner, cells: list[CellConfig], monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    cell = replace(cells[0], training=asdict(Budget(6, 16, 5e-3, checkpoint_every=4)))
    steps: list[int] = []
    train, decode = worker.train, worker.decode

    def counting(*arguments, **options):
        return train(*arguments, **options, progress=lambda done, _: steps.append(done))

    def cut_off(*_: object) -> None:
        raise RuntimeError("cut off")

    monkeypatch.setattr(worker, "train", counting)
    monkeypatch.setattr(worker, "decode", cut_off)
    with pytest.raises(RuntimeError, match="cut off"):
        run_cells([cell], elsewhere.material, elsewhere.store, "cpu")
    assert not elsewhere.store.has(cell)
    monkeypatch.setattr(worker, "decode", decode)
    run_cells([cell], elsewhere.material, elsewhere.store, "cpu")
    assert steps == [1, 2, 3, 4, 5, 6, 5, 6]

    whole = CellStore(elsewhere.store.folder.parent / "whole")
    run_cells([cell], elsewhere.material, whole, "cpu")
    assert whole.captions(cell) == elsewhere.store.captions(cell)
    assert whole.record(cell)["losses"] == elsewhere.store.record(cell)["losses"]


def test_a_cell_that_is_there_is_left_alone(
    finished: CellStore, runner: Runner, cells: list[CellConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "train", None)
    run_cells([cells[0]], runner.material, finished, "cpu")


def test_a_cell_is_trained_once_though_named_twice(
    elsewhere: Runner, cells: list[CellConfig], inline: list[InlineExecutor]
) -> None:
    twin = CellConfig.from_dict(asdict(cells[0]))
    elsewhere.compute([cells[0], twin, cells[0]])
    assert [arguments[0] for arguments in inline[0].submitted] == [[cells[0]]]


@pytest.mark.parametrize(("count", "processes"), [(2, 2), (5, 3)])
def test_one_process_a_core_and_no_more_than_cells(
    elsewhere: Runner,
    cells: list[CellConfig],
    inline: list[InlineExecutor],
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    processes: int,
) -> None:
    monkeypatch.setattr(programs, "cores", lambda: 3)
    monkeypatch.setattr(module, "work", lambda *_: None)
    elsewhere.compute([replace(cells[0], seed=seed) for seed in range(count)])
    assert (inline[0].max_workers, inline[0].method) == (processes, "spawn")


def test_the_longest_cells_start_first(
    elsewhere: Runner, cells: list[CellConfig], inline: list[InlineExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "work", lambda *_: "")
    noises = [Gaussian(0.1), NormalisedGradient(0.1), UniformBall(1.0), NormalisedGradient(1.0)]
    elsewhere.compute([with_noise(cells[0], noise) for noise in noises])
    kinds = [arguments[0][0].bridge["noise"]["kind"] for arguments in inline[0].submitted]
    assert kinds[:2] == ["NormalisedGradient"] * 2


def test_cores_are_those_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5})
    assert programs.cores() == 2


def test_java_is_checked_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise CapdecError("no Java")

    monkeypatch.setattr(module, "check_java", broken)
    monkeypatch.setattr(module, "prepare", None)
    with pytest.raises(CapdecError, match="no Java"):
        Runner(small_profile(), CellStore(tmp_path / "cells"))
    assert list(tmp_path.iterdir()) == []


def test_the_device_is_checked_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "check_java", None)
    monkeypatch.setattr(module, "prepare", None)
    with pytest.raises(CapdecError, match="no device 'tpu'"):
        Runner(small_profile(), CellStore(tmp_path / "cells"), "tpu")


@pytest.mark.parametrize(
    "name", ["", "tpu", "CPU", "cuda:", "cuda:x", "cuda:0:1", "cuda1", "cuda:-1", "cpu:0"]
)
def test_a_wrong_device_is_refused_with_the_right_ones(name: str) -> None:
    with pytest.raises(CapdecError, match=r"no device .*; DEVICE is one of: cpu, cuda, cuda:0, cuda:1, …"):
        check_device(name)


def test_a_device_that_this_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module.torch.cuda, "is_available", lambda: False)
    check_device("cpu")
    with pytest.raises(CapdecError, match=r"'cuda': torch .* sees no CUDA GPU here; use DEVICE=cpu"):
        check_device("cuda")
    monkeypatch.setattr(device_module.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device_module.torch.cuda, "device_count", lambda: 2)
    check_device("cuda")
    check_device("cuda:1")
    with pytest.raises(CapdecError, match="'cuda:2': this machine has cuda:0 to cuda:1"):
        check_device("cuda:2")
