"""COCO in Karpathy's splits: what is read of it, and what happens where photographs are missing or damaged."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_world import FOLDER, SIZES, photograph_name, world, write_data
from PIL import Image

from capdec_core import paths
from capdec_core.corpora import load_corpus
from capdec_core.corpora.coco import folder_of
from capdec_core.errors import CapdecError
from capdec_core.files import read_json

WHOLE = {"train": SIZES["train"] + SIZES["restval"], "val": SIZES["val"], "test": SIZES["test"]}
TABLE, PHOTOGRAPHS = world()
EVALUATED = {
    f"{FOLDER[image['split']]}/{image['filename']}"
    for image in TABLE["images"]
    if image["split"] in ("val", "test")
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of real data with COCO in miniature, whole."""
    monkeypatch.setattr(paths, "REAL_DATA", [tmp_path / "data"])
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    write_data(tmp_path / "data", TABLE, PHOTOGRAPHS)
    return tmp_path / "data" / "coco"


def coco(**sizes: int) -> Any:
    return load_corpus("coco", 0, sizes or WHOLE)


def without_training_photographs(place: Path) -> None:
    for name in set(PHOTOGRAPHS) - EVALUATED:
        (place / name).unlink()


def test_restval_is_trained_on_and_spaces_are_made_one() -> None:
    told = {split: coco().split(split) for split in WHOLE}
    assert {split: len(found.ids) for split, found in told.items()} == WHOLE
    rest = [image for image in TABLE["images"] if image["split"] == "restval"]
    assert told["train"].ids[-len(rest) :] == [image["filename"] for image in rest]
    assert all(name.startswith("COCO_val2014_") for name in told["train"].ids[-len(rest) :])
    raw = [sentence["raw"] for image in TABLE["images"] for sentence in image["sentences"]]
    assert any(text != text.strip() for text in raw)
    found = [text for split in told.values() for group in split.captions for text in group]
    assert sorted(found) == sorted(" ".join(text.split()) for text in raw)


def test_photographs_come_as_they_are_and_grey_ones_in_three_channels(place: Path) -> None:
    split = coco().split("test")
    assert (split.own_sizes, split.text_only) == (True, False)
    for name, pixels in zip(split.ids, split.render(range(len(split.ids))), strict=True):
        with Image.open(place / "val2014" / name) as stored:
            assert np.array_equal(pixels, np.asarray(stored.convert("RGB")))
    modes = {Image.open(place / "val2014" / name).mode for name in split.ids}
    assert modes == {"L", "RGB"}
    assert len({pixels.shape for pixels in split.render(range(6))}) > 3


def test_the_first_images_of_a_split_need_no_others(place: Path) -> None:
    last = coco().split("test").ids[-1]
    (place / "val2014" / last).unlink()
    assert len(coco(train=2, val=3, test=SIZES["test"] - 1).split("test").ids) == SIZES["test"] - 1
    with pytest.raises(CapdecError, match=f"lacks 1 of .* the first is {last}.*capdec data fetch"):
        coco()


def test_captions_train_without_photographs_and_keep_their_name_when_these_come(place: Path) -> None:
    whole = coco()
    without_training_photographs(place)
    alone = coco()
    train = alone.split("train")
    assert train.text_only
    assert train.captions == whole.split("train").captions
    with pytest.raises(
        CapdecError, match=r"only captions to train on .* lacks 10 of 10 .*capdec data fetch coco/train"
    ):
        train.render([0])
    assert alone.fingerprint == whole.fingerprint
    assert not alone.split("val").text_only


def test_another_photograph_to_test_with_is_another_corpus(place: Path) -> None:
    before = coco().fingerprint
    shutil.copy(
        place / "val2014" / coco().split("val").ids[0], place / "val2014" / coco().split("test").ids[0]
    )
    assert coco().fingerprint != before


def test_archives_are_read_as_they_are(place: Path) -> None:
    whole = coco()
    pictures = whole.split("train").render([0, WHOLE["train"] - 1])
    for folder in ("val2014", "train2014"):
        with zipfile.ZipFile(place / f"{folder}.zip", "w") as archive:
            for file in sorted((place / folder).iterdir()):
                archive.write(file, f"{folder}/{file.name}")
        shutil.rmtree(place / folder)
    packed = coco()
    assert packed.fingerprint == whole.fingerprint
    again = packed.split("train").render([0, WHOLE["train"] - 1])
    assert all(np.array_equal(a, b) for a, b in zip(pictures, again, strict=True))


def test_a_damaged_photograph_is_named(place: Path) -> None:
    name = coco().split("test").ids[3]
    data = (place / "val2014" / name).read_bytes()
    (place / "val2014" / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(CapdecError, match=f"{name} is not a JPEG photograph: damaged"):
        coco().split("test").render([3])


def change(table: Any, **entry: Any) -> str:
    images = [table["images"][0] | entry, *table["images"][1:]]
    return json.dumps(table | {"images": images})


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(TABLE)[:-40],
        "[]",
        '{"images": 3}',
        change(TABLE, split="dev"),
        change(TABLE, filename="../../COCO_val2014_000000000001.jpg"),
        change(TABLE, filename="COCO_test2014_000000000001.jpg"),
        change(TABLE, sentences=[]),
        change(TABLE, sentences=[{"raw": " \n"}]),
        change(TABLE, sentences=[{"raw": None}]),
        change(TABLE, filename=photograph_name("train", 1)),
    ],
    ids=["cut", "list", "number", "split", "outside", "other", "none", "blank", "null", "twice"],
)
def test_another_file_of_captions_is_refused(place: Path, text: str) -> None:
    (place / "dataset_coco.json").write_text(text)
    with pytest.raises(
        CapdecError, match=r"dataset_coco.json (is truncated|names a photograph twice).*capdec data"
    ):
        coco()


def test_what_is_not_there_is_said_with_where_to_get_it(place: Path) -> None:
    (place / "dataset_coco.json").unlink()
    with pytest.raises(
        CapdecError, match=r"no captions \(dataset_coco.json\); looked in .*caption_datasets.zip"
    ):
        coco()


def test_karpathys_own_lists_are_in_one_folder(shared_data: Path) -> None:
    files = [shared_data / "coco" / f"karpathy_{split}_images.txt" for split in ("val", "test")]
    names = [Path(line.split()[0]).name for file in files for line in file.read_text().splitlines() if line]
    assert len(set(names)) == 10_000
    assert {folder_of(name) for name in names} == {"val2014"}


def test_a_checksum_is_kept_until_a_photograph_changes(place: Path, tmp_path: Path) -> None:
    coco()
    (kept,) = (tmp_path / "cache" / "checksums").glob("*.json")
    assert len(read_json(kept)) == len(EVALUATED)
