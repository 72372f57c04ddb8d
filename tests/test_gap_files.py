"""Embeddings from anybody's files: one array or two; what is refused, and by which name."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from capdec_core.cli import app
from capdec_core.errors import CapdecError
from capdec_core.gap import anatomy_of_files, geometry, of_file, read_centres, read_pairs

ROWS = np.random.default_rng(0).normal(size=(2, 12, 6))


def saved(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


def test_two_files_are_one_with_its_halves(tmp_path: Path) -> None:
    both, images, texts = (saved(tmp_path / f"{name}.npy", array) for name, array in
                           (("both", ROWS), ("images", ROWS[0]), ("texts", ROWS[1])))  # fmt: skip
    assert geometry(*read_pairs(images, texts)) == of_file(both)
    one, two = (
        CliRunner().invoke(app, ["gap", *map(str, paths), "--json"]) for paths in ([both], [images, texts])
    )
    assert one.output == two.output
    assert json.loads(one.output)["images"] == 12


def test_several_captions_an_image(tmp_path: Path) -> None:
    captions = np.random.default_rng(1).normal(size=(12, 3, 6))
    images, texts, owners = read_pairs(
        saved(tmp_path / "i.npy", ROWS[0]), saved(tmp_path / "t.npy", captions)
    )
    assert texts.shape == (36, 6)
    assert np.array_equal(texts[owners == 4], captions[4])
    assert geometry(images, texts, owners).captions == 36
    found = anatomy_of_files([tmp_path / "i.npy", tmp_path / "t.npy"], "smoke")
    assert found.clusters is not None


def spoilt(row: int, value: float) -> np.ndarray:
    array = ROWS.copy()
    array[1, row] = value
    return array


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (spoilt(3, np.nan), "text 3 is not finite (1 of 12 rows)"),
        (spoilt(7, np.inf), "text 7 is not finite"),
        (spoilt(5, 0), "text 5 is zero"),
        (ROWS[:, :1], "at least two pairs"),
        (ROWS[:, :, :0], "at least two pairs"),
        (np.zeros((2, 0, 6)), "at least two pairs"),
        (np.ones((3, 5, 4)), "(2, n, d)"),
        (np.ones((2, 5, 4, 3)), "(2, n, d)"),
        (np.ones(7), "(2, n, d)"),
        (np.ones((2, 5, 4), dtype=np.int64), "float array"),
        (np.ones((2, 5, 4), dtype=np.complex128), "float array"),
        (np.full((2, 5, 4), "x"), "float array"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_pairs_are_refused_by_name(tmp_path: Path, array: np.ndarray, message: str) -> None:
    path = saved(tmp_path / "pairs.npy", array)
    with pytest.raises(CapdecError) as error:
        read_pairs(path)
    assert message in str(error.value)
    assert "pairs.npy" in str(error.value)


@pytest.mark.parametrize(
    ("images", "texts", "message"),
    [
        (ROWS[0], ROWS[1, :11], "not of the same n and d"),
        (ROWS[0], ROWS[1, :, :5], "not of the same n and d"),
        (ROWS, ROWS[1], "images (n, d)"),
        (ROWS[0], np.ones((2, 2, 2, 2)), "texts (n, d)"),
        (ROWS[0], np.ones((12, 0, 6)), "at least two pairs"),
        (np.zeros((12, 6)), ROWS[1], "images.npy: image 0 is zero (12 of 12 rows)"),
    ],
)
def test_bad_files_of_two_are_refused_by_name(
    tmp_path: Path, images: np.ndarray, texts: np.ndarray, message: str
) -> None:
    paths = saved(tmp_path / "images.npy", images), saved(tmp_path / "texts.npy", texts)
    with pytest.raises(CapdecError) as error:
        read_pairs(*paths)
    assert message in str(error.value)


class Trap:
    """An object whose unpickling leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_nothing_pickled_is_ever_loaded(tmp_path: Path) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "pairs.npy"
    np.save(path, np.array([Trap(sprung)], dtype=object), allow_pickle=True)
    bare = tmp_path / "bare.npy"
    bare.write_bytes(pickle.dumps(Trap(sprung)))
    archive = tmp_path / "centres.npz"
    np.savez(archive, center_image=np.array([Trap(sprung)], dtype=object), center_text=np.ones(2))
    for refused in (path, bare):
        with pytest.raises(CapdecError, match="is not a"):
            read_pairs(refused)
    with pytest.raises(CapdecError, match="does not hold"):
        read_centres(archive)
    assert not sprung.exists()


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    path = saved(tmp_path / "pairs.npy", ROWS)
    path.write_bytes(path.read_bytes().replace(b"(2, 12, 6)", b"(2, 99, 6)"))
    with pytest.raises(CapdecError, match="is not a"):
        read_pairs(path)


def test_three_files_are_too_many(tmp_path: Path) -> None:
    with pytest.raises(CapdecError, match="not 3"):
        anatomy_of_files([tmp_path / "a.npy"] * 3, "smoke")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"center_image": np.ones(3)}, "does not hold"),
        ({"center_image": np.ones(3), "center_text": np.ones(4)}, "two vectors of one length"),
        ({"center_image": np.ones((2, 3)), "center_text": np.ones((2, 3))}, "two vectors of one length"),
        ({"center_image": np.ones(3), "center_text": np.array([1, np.nan, 0])}, "not finite"),
        ({"center_image": np.array(["a"]), "center_text": np.ones(1)}, "does not hold"),
    ],
)
def test_bad_centres(tmp_path: Path, parts: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "c.npz", **parts)
    with pytest.raises(CapdecError, match=message):
        read_centres(tmp_path / "c.npz")
    with pytest.raises(CapdecError, match="is one array"):
        read_centres(saved(tmp_path / "pairs.npy", ROWS))
