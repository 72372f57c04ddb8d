"""Paper-scale training as a benchmark: what is counted, the batch that fills a memory, and hours from speed."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import random_captions

from benchmarks import paper
from benchmarks.data import TrainingData, unit_rows
from benchmarks.presets import paper_presets
from benchmarks.training import Work
from capdec_core.planning.operations import training_flops

PRESET = paper_presets(quick=True)[0]
GIB = 2**30


def data(captions: int, dim: int) -> TrainingData:
    """Stands for COCO's captions."""
    return TrainingData(random_captions(captions), unit_rows(captions, dim, 0), 13, 6.5, "made up")


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "photo_data", data)


def test_it_runs_in_small_and_tells_all_that_is_asked_for() -> None:
    result = paper.run("cpu", quick=True)
    (table,) = result["tables"]
    (row,) = table["rows"]
    batch, speed, teraflops, share, memory, hours = row
    assert len(row) == len(table["columns"])
    assert (batch, share) == (4, None)
    assert hours * 3600 * speed == pytest.approx(5_667_470)
    assert teraflops > 0
    assert 0.1 < memory < 100


def test_an_epoch_is_counted_by_its_own_captions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Work, "ours", lambda _: 2.0)
    found = paper.timing(PRESET, 4, "cpu", most=5)
    lengths = [len(caption) for caption in random_captions(20)]
    assert (found["batch"], found["speed"]) == (4, 10)
    assert found["operations"] == training_flops(PRESET.config, lengths) / 2


def test_a_gpu_is_filled_and_one_that_is_too_full_is_tried_with_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up GPU: 2 GiB and a caption a tenth more, 400 GiB in all; but nothing above 3600 captions fits."""
    tried = []

    def timing(_, batch_size, device, most=0):
        tried.append(batch_size)
        if batch_size > 3600:
            raise torch.cuda.OutOfMemoryError
        return {
            "batch": batch_size,
            "speed": 1000.0,
            "operations": 494.5e12,
            "memory": 2 * GIB + batch_size * GIB // 10,
        }

    monkeypatch.setattr(paper, "timing", timing)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=400 * GIB)
    )
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100 80GB HBM3")
    (table,) = paper.run("cuda", quick=False)["tables"]
    assert tried == [34, 272, 3780, 3591]
    assert [row[0] for row in table["rows"]] == [34, 272, 3591]
    assert {row[3] for row in table["rows"]} == {50.0}
    assert "H100" in table["title"]


@given(st.integers(0, 10**9), st.integers(1, 10**8), st.integers(1000, 10**6))
def test_memory_on_a_line_is_foretold_exactly(base: int, slope: int, batch_size: int) -> None:
    peaks = {size: base + slope * size for size in (34, 272)}
    assert paper.foretold(peaks, base + slope * batch_size) == pytest.approx(batch_size, abs=1)
    assert paper.foretold(peaks, 0) == 272
