"""What a chapter that is opened by hand runs at."""

from types import SimpleNamespace

import pytest
import torch

from capdec_core.bootstrap import GIVEN, machine, ready
from capdec_core.planning.choice import Choice
from capdec_core.profiles import load_profile, profile_names

PAPER = Choice("coco", "cuda", "here are a GPU, the data and the weights")


def takes(monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    """Let the machine be one that can carry paper scale, in so many hours."""

    def plan(profile, device):
        assert (profile.name, device) == ("coco", "cuda")
        return SimpleNamespace(wall=3600 * hours)

    monkeypatch.setattr(machine, "choose", lambda profile, device: PAPER)
    monkeypatch.setattr(machine, "make_plan", plan)


@pytest.mark.parametrize("hours", [0, 3, 12])
def test_paper_scale_where_what_is_missing_fits_in_a_session(hours, monkeypatch):
    takes(monkeypatch, hours)
    assert machine.chosen() == PAPER


def test_the_embedded_scale_on_the_same_gpu_where_paper_scale_would_outlast_a_session(monkeypatch, capsys):
    takes(monkeypatch, 100)
    expected = load_profile("scenes", "cuda")
    here = ready()
    assert (here.profile, here.device, here.seeds) == ("scenes", "cuda", expected.seeds)
    said = f"Profile scenes ({expected.title}) on cuda: coco would take about 4.2 days here."
    assert said in capsys.readouterr().out.splitlines()


def test_without_a_gpu_nothing_is_planned(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine, "make_plan", None)
    found = machine.chosen()
    assert (found.profile, found.device) == ("scenes", "cpu")


def test_nothing_is_chosen_or_said_where_the_parameters_are_given(monkeypatch, capsys):
    monkeypatch.setenv(GIVEN, "1")
    monkeypatch.setattr(machine, "chosen", None)
    ready()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("gpus", "words"),
    [
        ([], "no GPU"),
        ([("T4", 16e9)], "T4 (16 GB)"),
        ([("T4", 16e9), ("H100", 80e9)], "T4 (16 GB), H100 (80 GB)"),
    ],
)
def test_the_machine_is_described_and_every_profile_offered(gpus, words, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    known = [SimpleNamespace(name=name, total_memory=memory) for name, memory in gpus]
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: known[number])
    first, _, last = machine.told(PAPER).splitlines()
    assert first.endswith(f" of memory, {words}.")
    assert all(name in last for name in profile_names())
