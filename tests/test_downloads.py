"""Parts of the real data: fetched whole, checked, read by the corpora; and what is said where something is wrong."""

import gzip
import json
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_downloads
import small_flickr
from loopback import Fault, Loopback, serving
from small_downloads import COCO, FLICKR8K_ZIP, ZIP, photograph_path

from capdec_core import downloads, paths
from capdec_core.corpora.coco import Coco
from capdec_core.corpora.flickr8k import Flickr8k
from capdec_core.corpora.flickr30k import Flickr30k
from capdec_core.downloads import PARTS, bytes_missing, ensure, flickr30k, karpathy, photographs, registry
from capdec_core.downloads.transport import partial_of
from capdec_core.errors import CapdecError
from capdec_core.files import digest

VAL = [name for name, split in COCO.items() if split == "val"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """A server that has everything in miniature; data go to `tmp_path`/data."""
    with serving() as site:
        small_downloads.serve(site, tmp_path, monkeypatch)
        yield site


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def visible(folder: Path) -> set[str]:
    """The files below a folder that are not hidden."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)) for path in files}


def test_everything_arrives_where_the_corpora_read_it(site: Loopback, data: Path) -> None:
    ensure(list(PARTS))
    coco = {f"coco/{name.split('_')[1]}/{name}" for name in COCO}
    flickr8k = {"flickr8k/dataset_flickr8k.json", "flickr8k/Flickr8k_Dataset.zip"}
    others = {"coco/dataset_coco.json", "flickr30k/captions.jsonl.gz", "karpathy/caption_datasets.zip"}
    assert visible(data) == coco | flickr8k | others
    assert not list(data.rglob(".*.part"))
    for name in COCO:
        path = data / "coco" / name.split("_")[1] / name
        assert path.read_bytes() == site.files[photograph_path(name)]
    assert Coco({"train": 2, "val": 2, "test": 1}).split("train").text_only is False
    assert Flickr8k(small_flickr.SIZES).split("test").captions[0] == small_flickr.captions_of("test", 0)
    assert Flickr30k({"train": 1, "val": 1, "test": 1}).split("train").ids == ["9000.jpg"]


def test_what_is_here_is_not_asked_for(site: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure(list(PARTS))
    assert bytes_missing(list(PARTS)) == 0
    monkeypatch.setenv("CAPDEC_MIRROR", "http://127.0.0.1:1")
    ensure(list(PARTS))
    assert site.ranges(ZIP) == [""]
    assert not downloads.reachable()


def test_photographs_bring_the_captions_that_name_them(site: Loopback, data: Path) -> None:
    ensure(["coco/val"])
    own = {f"coco/val2014/{name}" for name in VAL}
    assert visible(data) == own | {"coco/dataset_coco.json", "karpathy/caption_datasets.zip"}


def test_only_missing_photographs_are_fetched_a_few_at_a_time(site: Loopback, data: Path) -> None:
    ensure(["coco/captions"])
    (data / "coco" / "val2014").mkdir()
    (data / "coco" / "val2014" / VAL[0]).write_bytes(small_flickr.jpeg(7))
    assert PARTS["coco/val"].here() == "1 of 2"
    site.asked.clear()
    ensure(["coco/val"])
    assert [request.path for request in site.asked] == [photograph_path(VAL[1])]


def test_never_more_connections_than_said(
    site: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {f"COCO_val2014_{number:012}.jpg": "val" for number in range(12)}
    captions = tmp_path / "data" / "coco" / "dataset_coco.json"
    captions.parent.mkdir(parents=True)
    captions.write_bytes(small_downloads.told(names))
    site.files |= {photograph_path(name): small_flickr.jpeg(1) for name in names}
    monkeypatch.setattr(photographs, "CONNECTIONS", 3)
    site.delay = 0.02
    ensure(["coco/val"])
    assert len(site.asked) == 12
    assert 1 < site.most_at_once <= 3


def test_a_photograph_that_the_server_lacks_does_not_hold_up_the_others(site: Loopback, data: Path) -> None:
    picture = site.files.pop(photograph_path(VAL[0]))
    with pytest.raises(CapdecError, match=rf"coco/val: 1 photographs were refused.*{VAL[0]} answers 404"):
        ensure(["coco/val"])
    assert (data / "coco" / "val2014" / VAL[1]).exists()
    site.files[photograph_path(VAL[0])] = picture
    ensure(["coco/val"])
    assert PARTS["coco/val"].here() == "yes"


@pytest.mark.parametrize("answer", [b"<html>Log in first</html>", small_flickr.jpeg(1)[:-300]])
def test_what_is_no_whole_photograph_is_not_kept(site: Loopback, data: Path, answer: bytes) -> None:
    site.files[photograph_path(VAL[0])] = answer
    with pytest.raises(CapdecError, match=f"{VAL[0]} gives no whole JPEG photograph"):
        ensure(["coco/val"])
    assert visible(data / "coco" / "val2014") == {VAL[1]}


def test_a_server_that_refuses_everything_is_left_alone(
    site: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {f"COCO_val2014_{number:012}.jpg": "val" for number in range(1000, 1200)}
    captions = tmp_path / "data" / "coco" / "dataset_coco.json"
    captions.parent.mkdir(parents=True)
    captions.write_bytes(small_downloads.told(names))
    with pytest.raises(CapdecError, match=f"{photographs.MOST_REFUSED} photographs were refused"):
        ensure(["coco/val"])
    assert len(site.asked) < 100


def test_a_failing_server_ends_it_with_what_was_fetched_kept(site: Loopback, data: Path) -> None:
    site.fail(photograph_path(VAL[1]), *[Fault(500)] * 6)
    with pytest.raises(CapdecError, match=rf"{VAL[1]} answers 500 .* again and again.*kept"):
        ensure(["coco/val"])
    assert visible(data / "coco" / "val2014") <= {VAL[0]}
    ensure(["coco/val"])
    assert visible(data / "coco" / "val2014") == set(VAL)


def test_too_little_disk_is_said_before_anything_is_fetched(
    site: Loopback, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = downloads.shutil.disk_usage(data.parent)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=10**9))
    with pytest.raises(CapdecError, match=r"coco/captions, coco/train need 18\.\d GB, .* has 1\.0 GB free"):
        ensure(["coco/train"])
    assert site.asked == []
    assert not data.exists()


def test_a_folder_that_cannot_be_written(site: Loopback, data: Path) -> None:
    data.write_text("a file where the folder should be")
    with pytest.raises(CapdecError, match=r"cannot write .*data: (File exists|Not a directory)"):
        ensure(["coco/captions"])


def test_bytes_missing_are_the_archive_once_and_photographs_by_their_mean(site: Loopback, data: Path) -> None:
    archive = karpathy.ARCHIVE.size
    assert bytes_missing(["coco/captions"]) == archive
    assert bytes_missing(["coco/captions", "flickr8k/captions", "flickr30k/captions"]) == archive
    assert bytes_missing(["coco/val"]) == archive + 5000 * registry.PHOTOGRAPH_BYTES
    partial = partial_of(data / "karpathy" / "caption_datasets.zip")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(site.files[ZIP][:100])
    assert bytes_missing(["coco/captions"]) == archive - 100
    ensure(["coco/captions"])
    assert bytes_missing(["coco/val"]) == 2 * registry.PHOTOGRAPH_BYTES
    assert site.ranges(ZIP) == ["bytes=100-"]


def test_two_calls_at_once_fetch_nothing_twice(site: Loopback) -> None:
    calls = [threading.Thread(target=ensure, args=(list(PARTS),)) for _ in range(2)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    paths_asked = [request.path for request in site.asked]
    assert sorted(paths_asked) == sorted(site.files)


def test_an_unknown_part() -> None:
    for ask in (ensure, bytes_missing, downloads.reachable):
        with pytest.raises(CapdecError, match="no part 'coco/all'; the parts are: coco/captions, coco/val, "):
            ask(["coco/all"])


@pytest.mark.parametrize("name", ["../../evil.json", "/evil.json", "a\\b.json"])
def test_an_archive_that_points_outside_gives_nothing(
    site: Loopback, data: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    files = small_downloads.members(data.parent / "source") | {name: b"{}"}
    small_downloads.serve_archive(site, files, monkeypatch)
    with pytest.raises(CapdecError, match="has a member that points outside of it"):
        ensure(["coco/captions"])
    assert visible(data) == {"karpathy/caption_datasets.zip"}
    assert not list(data.parent.rglob("evil.json"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset_coco.json": None}, "holds no dataset_coco.json: it is another archive"),
        ({"dataset_coco.json": b'{"images": ['}, "is truncated or does not hold COCO's captions"),
        (
            {"dataset_coco.json": small_downloads.told(dict(list(COCO.items())[:-1]))},
            r"on record is test: \(1, 2\)",
        ),
        (
            {"dataset_coco.json": small_downloads.told({n.replace("05", "06"): s for n, s in COCO.items()})},
            "holds test: [0-9a-f]{64}, val: .*; on record is test: ",
        ),
    ],
    ids=["missing", "truncated", "an image too few", "another test split"],
)
def test_captions_that_are_others_do_not_get_the_name(
    site: Loopback, data: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, bytes | None], message: str
) -> None:
    files = small_downloads.members(data.parent / "source") | change
    small_downloads.serve_archive(site, {n: d for n, d in files.items() if d is not None}, monkeypatch)
    with pytest.raises(CapdecError, match=message):
        ensure(["coco/captions"])
    assert visible(data) == {"karpathy/caption_datasets.zip"}
    assert list((data / "coco").iterdir()) == []


def test_a_damaged_archive_is_said(site: Loopback, data: Path) -> None:
    archive = data / "karpathy" / "caption_datasets.zip"
    archive.parent.mkdir(parents=True)
    content = bytearray(site.files[ZIP])
    content[60:90] = bytes(30)
    archive.write_bytes(content)
    with pytest.raises(CapdecError, match=r"caption_datasets\.zip is damaged: .*Delete it"):
        ensure(["coco/captions"])
    archive.unlink()
    ensure(["coco/captions"])


def test_a_member_that_unpacks_to_too_much_is_refused(
    site: Loopback, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(karpathy, "_LARGEST", 100)
    with pytest.raises(CapdecError, match=r"dataset_coco\.json unpacks to [\d,]+ bytes"):
        ensure(["coco/captions"])
    assert list((data / "coco").iterdir()) == []


def test_other_forms_of_the_data_are_taken(site: Loopback, data: Path) -> None:
    small_flickr.write_text(data)
    small_flickr.write_folder(data.parent / "elsewhere")
    ensure(["flickr8k/captions", "flickr8k/photographs"])
    assert site.asked == []
    assert PARTS["flickr8k/captions"].damage() == []
    assert PARTS["flickr8k/photographs"].found() == data.parent / "elsewhere/flickr8k/Flicker8k_Dataset"


def test_photographs_in_coco_s_own_archives_are_taken(site: Loopback, data: Path) -> None:
    ensure(["coco/captions"])
    pictures = {f"val2014/{name}": small_flickr.jpeg(1) for name in COCO if "val2014" in name}
    (data / "coco" / "val2014.zip").write_bytes(small_downloads.zipped(pictures))
    site.asked.clear()
    ensure(["coco/val", "coco/test"])
    assert site.asked == []
    assert PARTS["coco/val"].damage() == []
    assert PARTS["coco/train"].here() == "1 of 2"
    ensure(["coco/train"])
    assert [request.path for request in site.asked] == [photograph_path("COCO_train2014_000000000001.jpg")]
    assert not (data / "coco" / "val2014").exists()  # it would stand before the archive


def test_what_another_place_has_a_part_of_is_fetched_whole(site: Loopback, data: Path) -> None:
    """The corpus reads a folder in one place: the first that has it."""
    ensure(["coco/captions"])
    other = data.parent / "elsewhere" / "coco" / "val2014"
    other.mkdir(parents=True)
    (other / VAL[0]).write_bytes(small_flickr.jpeg(1))
    assert PARTS["coco/val"].here() == "1 of 2"
    ensure(["coco/val"])
    assert visible(data / "coco" / "val2014") == set(VAL)


def test_a_photograph_that_cannot_be_written(site: Loopback, data: Path) -> None:
    ensure(["coco/captions"])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
    try:
        with pytest.raises(CapdecError, match=r"cannot write .*COCO_val2014_\d+\.jpg: File too large"):
            ensure(["coco/val"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert visible(data / "coco" / "val2014") == set()
    ensure(["coco/val"])
    assert PARTS["coco/val"].damage() == []


def test_flickr8k_s_archive_goes_on_where_it_was_cut_off(site: Loopback, data: Path) -> None:
    partial = partial_of(data / "flickr8k" / "Flickr8k_Dataset.zip")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(site.files[FLICKR8K_ZIP][: len(site.files[FLICKR8K_ZIP]) // 2])
    assert PARTS["flickr8k/photographs"].here() == "50% of it"
    ensure(["flickr8k/photographs"])
    assert site.ranges(FLICKR8K_ZIP) == [f"bytes={len(site.files[FLICKR8K_ZIP]) // 2}-"]
    assert PARTS["flickr8k/photographs"].damage() == []


def test_reachable(site: Loopback) -> None:
    assert downloads.reachable()
    assert downloads.reachable(["coco/val"])


def test_flickr30k_is_made_as_the_file_that_the_book_used(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same sentences in Karpathy's layout: the same lines, of all images that Flickr8k has and some others."""
    with gzip.open(shared_data / "flickr30k" / "captions.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    wanted = [row for number, row in enumerate(rows) if row["in_flickr8k"] or number % 10 == 0]
    assert sum(row["in_flickr8k"] for row in wanted) == 7478
    images = [{**row, "sentences": [{"raw": text} for text in row["captions"]]} for row in reversed(wanted)]
    member = tmp_path / "dataset_flickr30k.json"
    member.write_text(json.dumps({"images": images}))
    archive = tmp_path / "karpathy" / "caption_datasets.zip"
    archive.parent.mkdir()
    flickr8k = (shared_data / "flickr8k" / "dataset_flickr8k.json").read_bytes()
    archive.write_bytes(small_downloads.zipped({"dataset_flickr8k.json": flickr8k}))
    monkeypatch.setattr(paths, "REAL_DATA", [tmp_path])
    flickr30k.make_captions(member, tmp_path / "captions.jsonl.gz")
    with gzip.open(tmp_path / "captions.jsonl.gz", "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    assert found == wanted


def test_what_is_on_record_of_the_real_data(shared_data: Path) -> None:
    for split in ("val", "test"):
        lines = (shared_data / "coco" / f"karpathy_{split}_images.txt").read_text().splitlines()
        names = sorted(line.split()[0].removeprefix("val2014/") for line in lines)
        assert len(names) == registry.COCO_COUNTS[split][0]
        assert digest(names) == registry.COCO_NAMES[split]
    registry._check_flickr8k(shared_data / "flickr8k" / "dataset_flickr8k.json")
    registry._check_flickr30k(shared_data / "flickr30k" / "captions.jsonl.gz")
