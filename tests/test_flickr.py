"""Flickr8k from its official layouts: found, whole and safe, or named where it is not."""

import json
import re
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_flickr import (
    SIZES,
    captions_of,
    jpeg,
    name_of,
    names,
    write_archive,
    write_folder,
    write_karpathy,
    write_text,
)

from capdec_core import paths
from capdec_core.corpora import load_corpus
from capdec_core.corpora.flickr8k import Flickr8k, read_captions
from capdec_core.corpora.photographs import SIDE
from capdec_core.errors import CapdecError
from capdec_core.files import read_json


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two empty places where data is looked for, and a cache of their own."""
    found = [tmp_path / "first", tmp_path / "second"]
    monkeypatch.setattr(paths, "REAL_DATA", found)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return found


@pytest.fixture
def place(places: list[Path]) -> Path:
    """A place that has Flickr8k's archive and Karpathy's file."""
    write_archive(places[1])
    write_karpathy(places[1])
    return places[1]


def test_a_split_is_what_the_files_say(place: Path) -> None:
    for split, size in SIZES.items():
        found = Flickr8k(SIZES).split(split)
        assert found.name == split
        assert found.ids == [name_of(split, index) for index in range(size)]
        assert found.captions == [captions_of(split, index) for index in range(size)]
        assert found.labels is None
        assert not found.text_only


def test_photographs_are_whole_and_in_the_order_asked_for(place: Path) -> None:
    split = Flickr8k(SIZES).split("val")
    images = split.render([1, 0, 1])
    assert images.shape == (3, SIDE, SIDE, 3)
    assert images.dtype == np.uint8
    assert np.array_equal(images[0], images[2])
    offset = SIZES["train"]
    for image, seed in zip(images, (offset + 1, offset, offset + 1), strict=True):
        drawn = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8).astype(float)
        corners = image[[0, 0, -1, -1], [0, -1, 0, -1]].astype(float)
        assert np.abs(corners - drawn[[0, 0, -1, -1], [0, -1, 0, -1]]).mean() < 30


def test_sizes_take_the_first_images(place: Path) -> None:
    whole, part = Flickr8k(SIZES), Flickr8k({"train": 2, "test": 1})
    assert part.split("train").ids == whole.split("train").ids[:2]
    assert part.fingerprint != whole.fingerprint
    with pytest.raises(CapdecError, match="no split 'val'; the splits are train, test"):
        part.split("val")


@pytest.mark.parametrize("size", [0, -1, 4, 1.5, True])
def test_a_size_beyond_the_split_is_refused(place: Path, size: int) -> None:
    with pytest.raises(CapdecError, match=f"{size!r} images of split 'train' are asked for; it has 3"):
        Flickr8k({"train": size})


def test_an_unknown_split_is_refused(place: Path) -> None:
    with pytest.raises(CapdecError, match="no split 'pretrain'; the splits are train, val, test"):
        Flickr8k({"pretrain": 1})


@pytest.mark.parametrize("photographs", [write_archive, write_folder])
@pytest.mark.parametrize("captions", [write_karpathy, write_text])
def test_every_official_layout_is_the_same_corpus(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photographs: Callable, captions: Callable
) -> None:
    expected = Flickr8k(SIZES)
    photographs(tmp_path / "other")
    captions(tmp_path / "other")
    monkeypatch.setattr(paths, "REAL_DATA", [tmp_path / "other"])
    found = Flickr8k(SIZES)
    assert found.fingerprint == expected.fingerprint
    assert found.split("test").captions == expected.split("test").captions
    assert np.array_equal(found.split("test").render([0, 1]), expected.split("test").render([0, 1]))


def test_the_first_place_that_has_a_thing_gives_it(place: Path, places: list[Path]) -> None:
    before = Flickr8k(SIZES).fingerprint
    text = write_karpathy(places[0])
    text.write_text(text.read_text().replace("picture", "photograph"))
    after = Flickr8k(SIZES)
    assert after.fingerprint != before
    assert "photograph" in after.split("test").captions[0][0]


def test_the_fingerprint_is_the_bytes_of_the_photographs_that_are_used(place: Path) -> None:
    first = Flickr8k(SIZES).fingerprint
    write_archive(place, {"Flicker8k_Dataset/another.jpg": jpeg(5)})
    assert Flickr8k(SIZES).fingerprint == first
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_archive(place, {f"Flicker8k_Dataset/{names()[0]}": jpeg(5)})
    assert Flickr8k(SIZES).fingerprint != first


def test_a_folder_is_read_once_for_its_checksums(
    places: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(places[0])
    write_text(places[0])
    first = Flickr8k(SIZES).fingerprint
    read: list[str] = []
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or original(path))
    assert Flickr8k(SIZES).fingerprint == first
    assert read == []
    (folder / names()[1]).write_bytes(jpeg(50))
    assert Flickr8k(SIZES).fingerprint != first
    assert read == [names()[1]]


def test_what_is_missing_is_said_with_all_places_and_how_to_get_it(places: list[Path]) -> None:
    with pytest.raises(CapdecError) as raised:
        Flickr8k(SIZES)
    message = str(raised.value)
    assert "no photographs (Flickr8k_Dataset.zip or Flicker8k_Dataset)" in message
    assert "no captions (dataset_flickr8k.json or Flickr8k_text)" in message
    assert all(str(place / "flickr8k") in message for place in places)
    assert "caption_datasets.zip" in message
    assert "CAPDEC_DATA" in message
    write_karpathy(places[0])
    with pytest.raises(CapdecError, match=r"^flickr8k: no photographs \([^)]*\); looked in"):
        Flickr8k(SIZES)


def test_nothing_is_written(place: Path, places: list[Path]) -> None:
    before = sorted(place.rglob("*"))
    Flickr8k(SIZES).split("test").render([0])
    assert sorted(place.rglob("*")) == before
    assert not places[0].exists()


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_archive_is_named(place: Path, share: float) -> None:
    path = place / "flickr8k" / "Flickr8k_Dataset.zip"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CapdecError, match=rf"{path} is truncated or no zip archive: .*jbrownlee"):
        Flickr8k(SIZES)


def test_an_archive_of_something_else_is_named(place: Path) -> None:
    path = place / "flickr8k" / "Flickr8k_Dataset.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no photographs")
    with pytest.raises(CapdecError, match=rf"lacks 7 of 7 photographs, the first is {names()[0]}.*jbrownlee"):
        Flickr8k(SIZES)


def test_a_folder_that_lacks_photographs_is_named(places: list[Path]) -> None:
    folder = write_folder(places[0])
    write_karpathy(places[0])
    (folder / names()[4]).unlink()
    with pytest.raises(CapdecError, match=rf"{folder} lacks 1 of 7 photographs, the first is {names()[4]}"):
        Flickr8k(SIZES)


@pytest.mark.parametrize(
    "name", ["../outside.jpg", "/etc/passwd", "Flicker8k_Dataset/../../up.jpg", "a\\..\\b"]
)
def test_an_archive_that_reaches_outside_is_refused(place: Path, name: str) -> None:
    write_archive(place, {name: b"trap"})
    with pytest.raises(CapdecError, match="points outside"):
        Flickr8k(SIZES)


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd", "a/b.jpg", "..", "", 7, None])
def test_captions_that_name_a_file_elsewhere_are_refused(places: list[Path], name: object) -> None:
    write_folder(places[0])
    (places[0] / "flickr8k" / "secret.jpg").write_bytes(jpeg(1))
    path = write_karpathy(places[0])
    table = read_json(path)
    table["images"][0]["filename"] = name
    path.write_text(json.dumps(table))
    with pytest.raises(CapdecError, match="is not a plain file name"):
        Flickr8k(SIZES)


def test_a_damaged_photograph_is_named_and_the_others_are_read(place: Path) -> None:
    path = place / "flickr8k" / "Flickr8k_Dataset.zip"
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(f"Flicker8k_Dataset/{name_of('val', 1)}").header_offset
    data[start + 300] ^= 0xFF
    path.write_bytes(data)
    split = Flickr8k(SIZES).split("val")
    with pytest.raises(CapdecError, match=rf"photograph {name_of('val', 1)} cannot be read: Bad CRC"):
        split.render([0, 1])
    assert len(split.render([0])) == 1


@pytest.mark.parametrize("data", [b"no picture", jpeg(1)[:200], b""], ids=["text", "cut off", "empty"])
def test_a_file_that_is_no_photograph_is_named(places: list[Path], data: bytes) -> None:
    folder = write_folder(places[0])
    write_karpathy(places[0])
    (folder / name_of("test", 0)).write_bytes(data)
    with pytest.raises(CapdecError, match=f"{name_of('test', 0)} is not a JPEG photograph"):
        Flickr8k(SIZES).split("test").render([0])


def test_a_member_that_unpacks_beyond_measure_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("capdec_core.corpora.photographs._MOST_BYTES", 100)
    with pytest.raises(CapdecError, match="unpacks to"):
        Flickr8k(SIZES).split("test").render([0])


def test_photographs_are_read_from_several_threads_at_once(place: Path) -> None:
    split = Flickr8k(SIZES).split("train")
    expected, found = split.render([0, 1, 2]), []
    threads = [threading.Thread(target=lambda: found.append(split.render([0, 1, 2]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(np.array_equal(images, expected) for images in found)


def cut(path: Path) -> None:
    path.write_text(path.read_text()[:-40])


def without_images(path: Path) -> None:
    path.write_text('{"dataset": "flickr8k"}')


def a_list(path: Path) -> None:
    path.write_text("[]")


def another_split(path: Path) -> None:
    path.write_text(path.read_text().replace('"val"', '"restval"'))


def no_words(path: Path) -> None:
    path.write_text(path.read_text().replace(captions_of("val", 1)[2], "  "))


def no_captions(path: Path) -> None:
    path.write_text(re.sub(r'"sentences": \[.*?\]\}\]', '"sentences": []', path.read_text(), count=1))


def not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    "spoil", [cut, without_images, a_list, another_split, no_words, no_captions, not_text]
)
def test_a_spoilt_file_of_captions_is_named(place: Path, spoil: Callable[[Path], None]) -> None:
    path = place / "flickr8k" / "dataset_flickr8k.json"
    spoil(path)
    with pytest.raises(CapdecError, match=rf"{path} is truncated or does not hold .*caption_datasets"):
        Flickr8k(SIZES)


def test_a_photograph_named_twice_is_refused(place: Path) -> None:
    path = place / "flickr8k" / "dataset_flickr8k.json"
    path.write_text(path.read_text().replace(name_of("val", 1), name_of("train", 1)))
    with pytest.raises(CapdecError, match="names a photograph twice"):
        Flickr8k(SIZES)


@pytest.mark.parametrize("name", ["Flickr8k.token.txt", "Flickr_8k.devImages.txt"])
def test_a_text_folder_that_is_not_whole_is_named(places: list[Path], name: str) -> None:
    write_archive(places[0])
    folder = write_text(places[0])
    content = (folder / name).read_text()
    (folder / name).unlink()
    with pytest.raises(CapdecError, match=rf"{folder} is truncated or does not hold .*{name}"):
        Flickr8k(SIZES)
    (folder / name).write_text(content[:-12])
    with pytest.raises(CapdecError, match=r"is truncated or does not hold|asked for"):
        Flickr8k(SIZES)


@pytest.fixture
def real(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real data, and nothing else to be found."""
    monkeypatch.setattr(paths, "REAL_DATA", [shared_data])
    if not (shared_data / "flickr8k" / "Flickr8k_Dataset.zip").is_file():
        pytest.skip(f"no flickr8k/Flickr8k_Dataset.zip in {shared_data}")
    return shared_data


def test_the_real_flickr8k_is_as_published(real: Path) -> None:
    sizes = {"train": 6000, "val": 1000, "test": 1000}
    corpus = load_corpus("flickr8k", 0, sizes)
    for name, size in sizes.items():
        split = corpus.split(name)
        assert len(split.ids) == len(split.captions) == size
        assert {len(group) for group in split.captions} == {5}
    images = corpus.split("test").render(range(0, 1000, 100))
    assert images.shape == (10, SIDE, SIDE, 3)
    assert images.std(axis=(1, 2, 3)).min() > 10


def test_the_real_files_of_captions_agree(real: Path) -> None:
    folder = real / "flickr8k"
    assert read_captions(folder / "Flickr8k_text") == read_captions(folder / "dataset_flickr8k.json")
