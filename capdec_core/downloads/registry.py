"""Every part of every data set, with its size, its licence and what is on record to check it by.

Checksums are those that others who distribute the files put on record; where none is, sizes, counts and hashes of
lists of photographs stand in. The cards in `data/` say which come from where.
"""

from pathlib import Path

from capdec_core.corpora import coco, flickr8k, flickr30k
from capdec_core.corpora.told import Told
from capdec_core.downloads import karpathy
from capdec_core.downloads.captions import Captions, expect
from capdec_core.downloads.flickr30k import make_captions
from capdec_core.downloads.parts import Part
from capdec_core.downloads.photographs import SERVER, Photographs
from capdec_core.downloads.released import Released
from capdec_core.downloads.transport import Remote
from capdec_core.files import digest

COCO_COUNTS = {"train": (113_287, 566_747), "val": (5_000, 25_010), "test": (5_000, 25_010)}
"""Images and captions by split; Karpathy's restval is part of train."""

COCO_NAMES = {
    "val": "2249516a9a59afa4616ed848ab0d430ce60f24812ac07c9b1986e41852743e49",
    "test": "bcc6b5fa3a15e158e72461b607a134fd44d3175627fc5ae8d7776eda79d9e80b",
}
"""`files.digest` of the sorted names of the photographs in Karpathy's validation and test splits."""

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

_COCO_PROBE = f"{SERVER}/val2014/COCO_val2014_000000391895.jpg"


def _counts(found: Told) -> dict[str, tuple[int, int]]:
    """Return (images, captions) of each split."""
    return {split: (len(rows), sum(len(captions) for _, captions in rows)) for split, rows in found.items()}


def _check_coco(path: Path) -> None:
    found = coco.read_captions(path)
    expect(path, _counts(found), COCO_COUNTS)
    names = {split: digest(sorted(name for name, _ in found[split])) for split in COCO_NAMES}
    expect(path, names, COCO_NAMES)


def _check_flickr8k(path: Path) -> None:
    expect(path, _counts(flickr8k.read_captions(path)), FLICKR8K_COUNTS)


def _check_flickr30k(path: Path) -> None:
    found = flickr30k.read_captions(path)
    expect(path, {split: len(rows) for split, rows in found.items()}, FLICKR30K_COUNTS)


def _coco(split: str, what: str) -> Photographs:
    count = COCO_COUNTS[split][0]
    return Photographs(
        name=f"coco/{split}",
        what=f"{count:,} photographs, {what}",
        licence="each its author's, by Flickr's terms",
        size=count * PHOTOGRAPH_BYTES,
        probe=_COCO_PROBE,
        about=True,
        needs=("coco/captions",),
        split=split,
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
    _coco("val", "Karpathy's validation split"),
    _coco("test", "Karpathy's test split"),
    _coco("train", "Karpathy's training split with restval"),
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
