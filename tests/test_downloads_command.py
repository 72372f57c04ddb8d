"""`capdec data`: what it prints, and one message with exit code 2 where something is wrong."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import small_downloads
import small_flickr
from loopback import Loopback, serving
from small_downloads import COCO, ZIP

from capdec_core import cli
from capdec_core.downloads import PARTS

Run = Callable[..., tuple[int, list[str], str]]
"""From arguments to exit code, lines printed, and what was said on stderr."""

VAL = [name for name, split in COCO.items() if split == "val"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    with serving() as site:
        small_downloads.serve(site, tmp_path, monkeypatch)
        yield site


@pytest.fixture
def capdec(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `capdec data …` and return its exit code, the lines that it printed, and what it said on stderr."""

    def run(*arguments: str) -> tuple[int, list[str], str]:
        monkeypatch.setattr(sys, "argv", ["capdec", "data", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        assert isinstance(stopped.value.code, int)
        return stopped.value.code, captured.out.splitlines(), captured.err

    return run


def message(stderr: str) -> str:
    """The one message among the progress bars."""
    (line,) = re.findall(r"(?:^|\r)capdec: (.*)$", stderr, flags=re.MULTILINE)
    return line


def test_list_says_of_every_part_size_licence_and_whether_it_is_here(
    site: Loopback, capdec: Run, tmp_path: Path
) -> None:
    code, before, _ = capdec("list")
    assert code == 0
    heads = [line for line in before if line.startswith(tuple(PARTS))]
    assert [line.split()[0] for line in heads] == list(PARTS)
    assert all(line.endswith("here: no") for line in heads)
    assert "coco/val              about 820 MB   here: no" in before
    assert "flickr8k/photographs  1.12 GB        here: no" in before
    for part in PARTS.values():
        assert f"    {part.what}; {part.licence}" in before
    assert any(
        re.fullmatch(rf"Still to be fetched, all together: 20\.2 GB, to {tmp_path}/data,", x) for x in before
    )
    capdec("fetch", "coco/val")
    (tmp_path / "data" / "coco" / "val2014" / VAL[0]).unlink()
    _, after, _ = capdec("list")
    assert "coco/captions         144 MB         here: yes" in after
    assert "coco/val              about 820 MB   here: 1 of 2" in after


def test_fetch_says_where_things_are(site: Loopback, capdec: Run, tmp_path: Path) -> None:
    code, lines, _ = capdec("fetch", "coco/captions", "flickr30k/captions")
    assert code == 0
    data = tmp_path / "data"
    wanted = [
        f"coco/captions         {data}/coco/dataset_coco.json",
        f"flickr30k/captions    {data}/flickr30k/captions.jsonl.gz",
    ]
    assert lines == wanted
    assert capdec("where", "coco/captions", "flickr30k/captions")[:2] == (0, wanted)


def test_where_says_where_a_part_would_be_put(site: Loopback, capdec: Run, tmp_path: Path) -> None:
    code, lines, stderr = capdec("where")
    assert code == 0
    assert len(lines) == len(PARTS)
    assert f"coco/captions         not here; it is fetched to {tmp_path}/data/coco/dataset_coco.json" in lines
    assert stderr == ""


def test_verify_of_what_is_whole(site: Loopback, capdec: Run, tmp_path: Path) -> None:
    capdec("fetch", *PARTS)
    code, lines, _ = capdec("verify")
    assert code == 0
    assert [line.split()[:2] for line in lines] == [[name, "whole,"] for name in PARTS]
    assert lines[0] == f"coco/captions         whole, {tmp_path}/data/coco/dataset_coco.json"


def test_verify_without_anything_here(site: Loopback, capdec: Run) -> None:
    assert capdec("verify") == (0, ["Nothing is here: capdec data fetch PART…"], "")
    code, lines, stderr = capdec("verify", "coco/test")
    assert code == 2
    assert lines == ["coco/test             wrong", "    it is not here"]
    assert message(stderr).startswith("1 of 1 parts are damaged or not complete: coco/test. ")


def test_verify_names_what_is_damaged(site: Loopback, capdec: Run, tmp_path: Path) -> None:
    capdec("fetch", *PARTS)
    data = tmp_path / "data"
    photograph = data / "coco" / "val2014" / VAL[1]
    photograph.write_bytes(photograph.read_bytes()[:-200])
    (data / "coco" / "train2014" / "COCO_train2014_000000000001.jpg").unlink()
    archive = data / "flickr8k" / "Flickr8k_Dataset.zip"
    content = bytearray(archive.read_bytes())
    content[content.index(small_flickr.jpeg(0)) + 200] ^= 1
    archive.write_bytes(content)
    (data / "flickr30k" / "captions.jsonl.gz").write_bytes(b"cut")
    code, lines, stderr = capdec("verify")
    assert code == 2
    wrong = ["coco/val", "coco/train", "flickr8k/photographs", "flickr30k/captions"]
    assert [line.split()[0] for line in lines if line.endswith("wrong")] == wrong
    told = "\n".join(lines)
    assert re.search(rf"{VAL[1]} is not a JPEG photograph: ", told)
    assert "    only 1 of 2 is here" in lines
    assert re.search(r"Flickr8k_Dataset\.zip: Flicker8k_Dataset/\S+\.jpg: Bad CRC-32", told)
    assert re.search(r"captions\.jsonl\.gz is truncated or does not hold Flickr30k's captions", told)
    assert message(stderr).startswith(f"4 of 7 parts are damaged or not complete: {', '.join(wrong)}. ")
    assert message(stderr).endswith(f"`capdec data fetch {' '.join(wrong)}` fetches what is missing.")


def test_verify_of_an_archive_that_is_none(site: Loopback, capdec: Run, tmp_path: Path) -> None:
    archive = tmp_path / "data" / "flickr8k" / "Flickr8k_Dataset.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"no zip")
    code, lines, _ = capdec("verify", "flickr8k/photographs")
    assert code == 2
    assert lines[1] == f"    {archive} is truncated or no zip archive: File is not a zip file"
    archive.write_bytes(small_downloads.zipped({"Flicker8k_Dataset/1.jpg": b""}))
    _, lines, _ = capdec("verify", "flickr8k/photographs")
    assert lines[1] == f"    {archive} holds 1 photographs, not 8"


@pytest.mark.parametrize("command", ["fetch", "verify", "where"])
def test_an_unknown_part(command: str, site: Loopback, capdec: Run) -> None:
    code, lines, stderr = capdec(command, "coco/all")
    assert (code, lines) == (2, [])
    assert stderr == f"capdec: no part 'coco/all'; the parts are: {', '.join(PARTS)}\n"


def test_a_fetch_that_fails_is_one_message(
    site: Loopback, capdec: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    del site.files[ZIP]
    code, lines, stderr = capdec("fetch", "coco/captions")
    assert (code, lines) == (2, [])
    assert message(stderr) == f"{site.address}{ZIP} answers 404 Not Found"
    monkeypatch.setenv("CAPDEC_MIRROR", "http://127.0.0.1:1")
    code, _, stderr = capdec("fetch", "coco/captions")
    assert code == 2
    assert re.match(r"no answer from 127\.0\.0\.1:1 \(.*\): is there a network\?", message(stderr))
