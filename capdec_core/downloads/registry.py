"""Every part of every data set, with its size, its licence and what is on record to check it by.

Checksums are those that others who distribute the files put on record; where none is, sizes, counts and hashes of
lists of photographs stand in. The cards in `data/` say which come from where.
"""

import re
from pathlib import Path

from capdec_core.downloads import karpathy
from capdec_core.downloads.captions import Captions, expect
from capdec_core.downloads.flickr30k import make_captions
from capdec_core.downloads.parts import Part
from capdec_core.downloads.photographs import SERVER, Photographs
from capdec_core.downloads.released import Released
from capdec_core.downloads.transport import Remote
from capdec_core.errors import CapdecError

COCO_COUNTS = {
    "train": (82_783, 414_113),
    "restval": (30_504, 152_634),
    "val": (5_000, 25_010),
    "test": (5_000, 25_010),
}
"""Images and captions by split; the captioner trains on train and restval, 113,287 images and 566,747 captions."""

COCO_IDS = {
    "val": "a58d7185decc0929e23ccdd0b5a83c6e90b0acc0d06e9d9e88649ce1e0a78ad0",
    "test": "642299954c9ed5adc4601fe35191da39519bbf384c7c827e4c4ad1c99c9f9609",
}
"""`karpathy.id_hash` of the photographs of Karpathy's validation and test splits."""

FLICKR8K_COUNTS = {"train": (6_000, 30_000), "val": (1_000, 5_000), "test": (1_000, 5_000)}
FLICKR30K_COUNTS = {"train": 22_007, "val": 772, "test": 757}
"""Images by split that Flickr8k does not have; with those that it has 29,000, 1,014 and 1,000."""

PHOTOGRAPH_BYTES = 164_000
"""Mean size of a COCO photograph: val2014.zip has 6,645,013,297 bytes for 40,504, train2014.zip as many for each."""

FLICKR8K_ZIP = Remote(
    "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/Flickr8k_Dataset.zip",
    1_115_419_746,
    "md5:f18a1e2920de5bd84dae7cf08ec78978",
)
"""The MD5 is the one by which the download scripts of libtorch's and R torch's data sets check the same address."""

_COCO_NAME = re.compile(r"(?P<half>train|val)2014/COCO_(?P=half)2014_\d{12}\.jpg")
_COCO_PROBE = f"{SERVER}/val2014/COCO_val2014_000000391895.jpg"


def _check_coco(path: Path) -> None:
    told = karpathy.summary(path)
    expect(path, told.counts(), COCO_COUNTS)
    for split, wanted in COCO_IDS.items():
        if karpathy.id_hash(told.photographs[split]) != wanted:
            raise CapdecError(f"{path}: the images of split {split} are not those of Karpathy's split")
    for name in (name for names in told.photographs.values() for name in names):
        if not _COCO_NAME.fullmatch(name):
            raise CapdecError(f"{path} names a photograph {name!r}, which is none of COCO 2014")


def _check_flickr8k(path: Path) -> None:
    from capdec_core.corpora.flickr8k import read_captions

    told = read_captions(path)
    counts = {split: (len(rows), sum(len(row[1]) for row in rows)) for split, rows in told.items()}
    expect(path, counts, FLICKR8K_COUNTS)


def _check_flickr30k(path: Path) -> None:
    from capdec_core.corpora.flickr30k import read_captions

    expect(path, {split: len(rows) for split, rows in read_captions(path).items()}, FLICKR30K_COUNTS)


def _coco(name: str, splits: tuple[str, ...], what: str) -> Photographs:
    count = sum(COCO_COUNTS[split][0] for split in splits)
    return Photographs(
        name=f"coco/{name}",
        what=f"{count:,} photographs, {what}",
        licence="each its author's, by Flickr's terms",
        size=count * PHOTOGRAPH_BYTES,
        probe=_COCO_PROBE,
        about=True,
        needs=("coco/captions",),
        splits=splits,
        count=count,
    )


_PARTS: tuple[Part, ...] = (
    Captions(
        name="coco/captions",
        what="616,767 captions of 123,287 photographs, Karpathy's splits",
        licence="CC BY 4.0",
        size=144_186_139,
        probe=karpathy.ARCHIVE.url,
        file="dataset_coco.json",
        member="dataset_coco.json",
        check=_check_coco,
    ),
    _coco("val", ("val",), "Karpathy's validation split"),
    _coco("test", ("test",), "Karpathy's test split"),
    _coco("train", ("train", "restval"), "Karpathy's training split with restval"),
    Captions(
        name="flickr8k/captions",
        what="40,000 captions of 8,000 photographs",
        licence="research and education only",
        size=9_035_673,
        probe=karpathy.ARCHIVE.url,
        file="dataset_flickr8k.json",
        member="dataset_flickr8k.json",
        instead=("Flickr8k_text",),
        check=_check_flickr8k,
    ),
    Released(
        name="flickr8k/photographs",
        what="8,091 photographs",
        licence="research and education only",
        size=FLICKR8K_ZIP.size,
        probe=FLICKR8K_ZIP.url,
        file="Flickr8k_Dataset.zip",
        remote=FLICKR8K_ZIP,
        folder="Flicker8k_Dataset",
        count=8_091,
    ),
    Captions(
        name="flickr30k/captions",
        what="155,070 captions of 31,014 photographs, those that Flickr8k has too marked",
        licence="non-commercial research only",
        size=3_400_000,
        probe=karpathy.ARCHIVE.url,
        about=True,
        file="captions.jsonl.gz",
        member="dataset_flickr30k.json",
        made=make_captions,
        check=_check_flickr30k,
    ),
)

PARTS: dict[str, Part] = {part.name: part for part in _PARTS}
"""Every part by name, in the order in which they are listed."""
