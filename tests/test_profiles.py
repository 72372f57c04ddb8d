"""Profiles are read strictly: what is wrong is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from capdec_core.errors import CapdecError
from capdec_core.paths import PROFILES
from capdec_core.profiles import load_profile, profile_names, read_profile
from capdec_core.studies import NOTEBOOKS, book_of


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = (PROFILES / "scenes.toml").read_text()
    assert old in text
    path = tmp_path / "changed.toml"
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", profile_names())
def test_shipped_profiles_load(name: str, device: str) -> None:
    profile = load_profile(name, device)
    assert profile.name == name
    assert profile.partial == ("flickr8k" in name and device == "cpu")


def test_a_cpu_is_given_the_part_that_the_profile_says(tmp_path: Path) -> None:
    part = '[on_cpu]\nchapters = ["bridges"]\ntraining = { steps = 7 }\n'
    path = changed(tmp_path, "[decoding]\n", f"{part}\n[decoding]\n")
    whole, cpu = (read_profile(path, device) for device in ("cuda:1", "cpu"))
    assert (whole.chapters, whole.partial) == (None, False)
    assert (cpu.chapters, cpu.partial) == (["bridges"], True)
    assert cpu.training == replace(whole.training, steps=7)
    assert replace(cpu, chapters=None, partial=False, training=whole.training) == whole
    assert book_of(cpu) == {"bridges": "07_bridges"}
    assert book_of(whole) == NOTEBOOKS
    with pytest.raises(CapdecError, match="no study 'bridge'"):
        book_of(replace(cpu, chapters=["bridge"]))


def test_what_is_wrong_in_the_part_for_a_cpu_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, "[decoding]\n", "[on_cpu]\ntraining = { step = 7 }\n\n[decoding]\n")
    with pytest.raises(CapdecError, match="on a CPU: training: unknown key 'step'"):
        read_profile(path, "cpu")


def test_unknown_profile_names_the_right_ones() -> None:
    with pytest.raises(CapdecError, match=r"'paper'.*scenes, smoke"):
        load_profile("paper")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("prefix_length = 4\n", "", "mapper: missing key 'prefix_length'"),
        ("[mapper]\n", "[mapper]\nprefix_lenght = 4\n", "mapper: unknown key 'prefix_lenght'"),
        ("tuned = true", "tuned = 1", r"language_model: tuned: 1 is not a bool"),
        ("beams = 5", 'beams = "5"', "decoding: beams: '5' is not a int"),
        ("beams = 5", "beams = true", "decoding: beams: True is not a int"),
        ("student_dfs = [3,", "student_dfs = [3.5,", r"student_dfs\[0\]: 3.5 is not a int"),
        ("[mapper]", "[mapper", "is not TOML"),
    ],
)
def test_what_is_wrong_in_a_profile_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(CapdecError, match=message):
        read_profile(changed(tmp_path, old, new))


def test_integers_serve_as_floats(tmp_path: Path) -> None:
    profile = read_profile(changed(tmp_path, "ball_radii = [", "ball_radii = [9, "))
    assert profile.noise_types.ball_radii[0] == 9.0
    assert isinstance(profile.noise_types.ball_radii[0], float)
