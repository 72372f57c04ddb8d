"""Geometry of the modality gap: published pairs, closed forms, bad files."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from capdec_core.cli import app
from capdec_core.embeddings import unit_rows
from capdec_core.errors import CapdecError
from capdec_core.gap import RANKS, blocks, geometry, of_file, of_profile, recall


def test_published_clip_pairs(shared_data: Path) -> None:
    found = of_file(shared_data / "clip_pairs" / "features_clip.npy")
    assert (round(found.matched, 3), round(found.mismatched, 3), round(found.gap_norm, 3)) == (
        0.310,
        0.162,
        0.851,
    )
    assert found.image_to_text[1] == pytest.approx(0.552)
    assert found.calibrated_variance == pytest.approx(0.0184, abs=5e-5)


def test_matched_by_hand_with_two_captions_an_image() -> None:
    images = np.array([[2.0, 0.0], [0.0, 3.0]])
    texts = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 5.0]])
    found = geometry(images, texts, np.array([0, 0, 1]))
    half = np.sqrt(0.5)
    assert found.matched == pytest.approx((1 + half + 1) / 3)
    assert found.mismatched == pytest.approx((half + 0 + 0) / 3)
    assert found.image_norm == pytest.approx(2.5)
    assert found.image_to_text == {1: 1.0, 5: 1.0, 10: 1.0}


def test_recall_counts_ties_against_the_query() -> None:
    queries, items = np.zeros((3, 4)), np.zeros((20, 4))
    own_first = np.arange(20)
    assert recall(queries, items, np.zeros(3), own_first) == {1: 0.0, 5: 0.0, 10: 0.0}


@pytest.mark.parametrize("block", [1, 70, 1 << 22])
def test_blocks_give_what_the_whole_matrix_of_cosines_gives(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Means over the matched and the mismatched pairs, and ranks by sorting, for captions in any order."""
    monkeypatch.setattr(blocks, "BLOCK", block)
    rng = np.random.default_rng(1)
    images, owners = rng.normal(size=(23, 6)), rng.permutation(np.repeat(np.arange(23), 3))
    texts = images[owners] + rng.normal(size=(69, 6))
    found, cosines = geometry(images, texts, owners), unit_rows(images) @ unit_rows(texts).T
    own = np.arange(23)[:, None] == owners
    assert found.matched == pytest.approx(cosines[own].mean(), rel=1e-6)
    assert found.mismatched == pytest.approx(cosines[~own].mean(), rel=1e-5)
    for table, mine, told in ((cosines, own, found.image_to_text), (cosines.T, own.T, found.text_to_image)):
        sorted_own = np.take_along_axis(mine, np.argsort(-table, axis=1), axis=1)
        assert told == {k: pytest.approx(sorted_own[:, :k].any(axis=1).mean()) for k in RANKS}


def test_a_constant_offset_is_the_gap() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 64)) * 0.01
    offset = np.eye(64)[0]
    found = geometry(x + offset, x - offset)
    assert found.gap_norm == pytest.approx(2, abs=0.02)


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        geometry(np.ones((3, 4)), np.ones((3, 5)))


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_array(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pairs.npy"
    path.write_bytes(content)
    with pytest.raises(CapdecError, match=r"pairs\.npy is not a \.npy array"):
        of_file(path)


def test_pickled_and_misshapen_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(CapdecError, match="is not a"):
        of_file(path)
    np.save(path, np.ones((3, 5, 4)))
    with pytest.raises(CapdecError, match=r"\(2, n, d\)"):
        of_file(path)
    np.save(path, np.zeros((2, 5, 4)))
    with pytest.raises(CapdecError, match="non-zero"):
        of_file(path)
    with pytest.raises(CapdecError, match="no such file"):
        of_file(tmp_path / "missing.npy")


def test_the_shipped_miniature_has_the_geometry_of_clip() -> None:
    found = of_profile("scenes", "cpu")
    assert found.images == 1000
    assert found.matched <= 0.6
    assert found.matched - found.mismatched >= 0.1
    assert found.gap_norm >= 0.6
    assert found.image_to_text[1] >= 0.3
    assert found.image_to_text[10] >= 0.8


def test_command_prints_table_and_json(tmp_path: Path) -> None:
    path = tmp_path / "pairs.npy"
    np.save(path, np.random.default_rng(0).normal(size=(2, 20, 8)))
    table = CliRunner().invoke(app, ["gap", str(path)])
    assert "matched cosine" in table.output
    assert '"gap_norm":' in CliRunner().invoke(app, ["gap", str(path), "--json"]).output


def test_an_archive_is_no_array(tmp_path: Path) -> None:
    path = tmp_path / "pairs.npy"
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(CapdecError, match="is not a"):
        of_file(path)
    with path.open("wb") as stream:
        np.savez(stream, a=np.ones((2, 3, 4)))
    with pytest.raises(CapdecError, match=r"\(2, n, d\)"):
        of_file(path)


def test_the_calibrated_variance_has_the_matched_cosine() -> None:
    """cos = 1 / sqrt(1 + d v), so v = (1 / c^2 - 1) / d; by hand for c = 0.8 and d = 2: 0.28125."""
    images = np.array([[1.0, 0.0], [0.0, 1.0]])
    texts = np.array([[0.8, 0.6], [-0.6, 0.8]])
    assert geometry(images, texts).calibrated_variance == pytest.approx(0.28125)


def test_json_of_pairs_that_point_apart_is_still_json(tmp_path: Path) -> None:
    """Below a cosine of 0 no noise has it: the variance is null, which JSON knows, not NaN, which it does not."""
    path = tmp_path / "pairs.npy"
    np.save(path, np.array([[[1.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [0.0, -1.0]]]))
    result = CliRunner().invoke(app, ["gap", str(path), "--json"])

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    found = json.loads(result.output, parse_constant=refuse)
    assert found["calibrated_variance"] is None
    assert found["matched"] == pytest.approx(-1)


def test_a_wrong_device_or_profile_is_refused() -> None:
    with pytest.raises(CapdecError, match="DEVICE is one of"):
        of_profile("smoke", "tpu")
    with pytest.raises(CapdecError, match="PROFILE is one of"):
        of_profile("paper", "cpu")
