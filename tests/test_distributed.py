"""A training that two processes share is that of one: losses, weights, checkpoints; who writes, and who fails."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from failing_process import fail
from hypothesis import given, settings
from hypothesis import strategies as st
from small_together import CAPTIONS, CASES, UNKNOWN, kept, train_all, weights_of
from tiny import random_captions

from capdec_core.batches import PackedCaptions, batches
from capdec_core.device import devices_of
from capdec_core.distributed import own_rows, predicted_tokens
from capdec_core.errors import CapdecError
from capdec_core.language_model import IGNORED, targets
from capdec_core.launch import launch, visible
from capdec_core.studies import running

TWO = ["cpu", "cpu"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes wrote that shared every training."""
    folder = tmp_path_factory.mktemp("shared")
    launch(train_all, (folder,), TWO)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_two_processes_come_to_what_one_comes_to(shared: Path, name: str) -> None:
    weights, record = CASES[name].alone()
    for process in range(2):
        found = kept(shared / f"{name} {process}")
        assert found["losses"].tolist() == pytest.approx(record.losses, rel=1e-5)
        assert found["facts"].tolist() == pytest.approx([record.mean_cosine, 2, 12], rel=1e-5)
        torch.testing.assert_close(found["weights"], weights, atol=2e-5, rtol=1e-4)
    assert not torch.allclose(weights, weights_of(CASES[name].captioner()), atol=1e-3)


def test_both_processes_end_with_the_same_bytes(shared: Path) -> None:
    for name in CASES:
        first, second = (kept(shared / f"{name} {process}") for process in range(2))
        assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_resumed_run_gives_the_bytes_of_an_uninterrupted_one_with_dropout(shared: Path) -> None:
    whole, resumed = kept(shared / "whole 0"), kept(shared / "resumed 0")
    assert torch.equal(whole["weights"], resumed["weights"])
    assert torch.equal(whole["losses"], resumed["losses"])


def test_one_process_takes_up_what_two_began(shared: Path) -> None:
    case = CASES["Gaussian noise, tuned"]
    weights, record = case.alone(shared / "plain.state")
    uninterrupted = case.alone()
    assert record.losses == pytest.approx(uninterrupted[1].losses, rel=1e-5)
    torch.testing.assert_close(weights, uninterrupted[0], atol=2e-5, rtol=1e-4)
    assert record.losses[:8] == pytest.approx(
        kept(shared / "Gaussian noise, tuned 0")["losses"].tolist()[:8], rel=1e-6
    )


def test_the_main_process_alone_writes_checkpoints(shared: Path) -> None:
    writers = {path.name for path in shared.glob("*written by*")}
    assert writers == {"dropping.state written by 0", "plain.state written by 0"}


@pytest.mark.parametrize(
    ("how", "told"),
    [("raises", "ValueError: nothing to train on"), ("is killed", "SIGKILL")],
)
def test_one_process_that_fails_stops_all_with_a_message(how: str, told: str) -> None:
    with pytest.raises(
        CapdecError, match=rf"one of the processes on cpu, cpu failed, so all were stopped: .*{told}"
    ):
        launch(fail, (how,), TWO)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 5), st.integers(5, 12), st.integers(0, 3))
def test_processes_part_every_batch_among_them(processes: int, size: int, start: int) -> None:
    lengths = CAPTIONS.lengths
    whole = batches(lengths, size, seed=1, start=start)
    shares = [
        own_rows(
            batches(lengths, size, seed=1, start=start),
            lengths,
            slice(i, None, processes),
            torch.device("cpu"),
        )
        for i in range(processes)
    ]
    for _ in range(3):
        batch, parts = next(whole), [next(share) for share in shares]
        assert sorted(torch.cat([part.rows for part in parts]).tolist()) == sorted(batch.rows.tolist())
        assert max(part.width for part in parts) == batch.width
        assert sum(part.total for part in parts) == batch.total
        assert all(torch.equal(part.whole, batch.rows) for part in parts)


@pytest.mark.parametrize("unknown", [None, UNKNOWN])
def test_predicted_tokens_are_those_that_the_loss_counts(unknown: int | None) -> None:
    captions = PackedCaptions.pack([*random_captions(30), [UNKNOWN], [UNKNOWN, 1, UNKNOWN]])
    rows = torch.arange(len(captions))
    wanted = targets(*captions.padded(rows, 12), eos_id=39, unknown_id=unknown)
    assert torch.equal(predicted_tokens(captions, unknown), (wanted != IGNORED).sum(dim=1))
    assert UNKNOWN in CAPTIONS.flat


@pytest.mark.parametrize(
    ("devices", "already", "shown"),
    [
        (["cuda:0", "cuda:1"], None, "0,1"),
        (["cuda:2", "cuda:0"], "", "2,0"),
        (["cuda:1", "cuda:2"], "4,GPU-5,6", "GPU-5,6"),
    ],
)
def test_the_processes_see_the_devices_that_were_named(devices, already, shown) -> None:
    assert visible(devices, already) == shown


def test_several_devices_are_named_by_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert devices_of("cuda:0,2") == ["cuda:0", "cuda:2"]
    assert [devices_of(one) for one in ("cpu", "cuda", "cuda:1")] == [["cpu"], ["cuda"], ["cuda:1"]]
    for wrong, told in (
        ("cuda:0,3", "has cuda:0 to cuda:2"),
        ("cuda:1,1", "twice"),
        ("cuda:0,", "no device"),
        ("cpu:0,1", "or several: cuda:0,1"),
    ):
        with pytest.raises(CapdecError, match=told):
            devices_of(wrong)


def test_a_chapter_of_several_devices_looks_at_what_they_computed_with_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    told = []
    study = SimpleNamespace(view=lambda profile, results, device: told.append((results, device)))
    monkeypatch.setattr(running, "study_named", lambda name: study)
    monkeypatch.setattr(running, "results_of", lambda profile, conditions, device: device)
    running.run_study("noise_types", "smoke", "cuda:0,1", None)
    assert told == [("cuda:0,1", "cuda:0")]
