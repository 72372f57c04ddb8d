"""Flickr30k's captions in the form that the corpus reads, each image marked where Flickr8k has it too."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

from capdec_core.downloads import karpathy
from capdec_core.downloads.transport import partial_of

ORDER = {"train": 0, "val": 1, "test": 2}

_UNUSED = """
61209225 199463720 236095031 240696675 358875403 394563330 423066487 482088914 531197115 843616798 1155138244
1468103286 1479857177 1643915227 1797554350 1808504612 2058091220 2087317114 2136455112 2221818690 2319197581
2394824046 2410153942 2428275562 2553619107 2557972410 2582390123 2616508003 2714703706 2719101587 2747714500
2755314937 2792195540 2831578193 2838085973 2895966469 2973269132 2978236380 2998861375 3005123298 3016708786
3033825101 3056569684 3086507638 3088074124 3099091086 3131990048 3136688093 3155400369 3160531982 3196100539
3225058391 3231237864 3239866450 3246804978 3269661567 3274691778 3295418287 3300679815 3314900697 3315726723
3333039854 3335501468 3338590946 3354489242 3366571152 3375134059 3409326324 3409947123 3430782104 3434526008
3470008804 3479245321 3491607076 3504479370 3517056462 3518687038 3525453732 3535664885 3551281733 3561543598
3564907603 3574930742 3582048078 3591461782 3599392711 3619232550 3640109324 3640443200 3664928753 3736786640
"""
"""Flickr's numbers of the 91 photographs that Flickr8k's archive holds beside the 8,000 in its splits."""


def make_captions(told: Path, target: Path) -> None:
    """Write Karpathy's file of Flickr30k as gzipped JSON, one image a line, the splits one after the other.

    Args:
        told: `dataset_flickr30k.json`; may be `target` itself.
        target: the file to write.
    """
    flickr8k = partial_of(target.with_name("dataset_flickr8k.json"))
    try:
        karpathy.unpack("dataset_flickr8k.json", flickr8k)
        shared = numbers(image.name for image in karpathy.images(flickr8k)) | set(_UNUSED.split())
    finally:
        flickr8k.unlink(missing_ok=True)
    rows = sorted(karpathy.images(told), key=lambda image: (ORDER.get(image.split, 3), image.name))
    with target.open("wb") as stream, gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as packed:
        for image in rows:
            packed.write((json.dumps(row(image, shared), ensure_ascii=False) + "\n").encode())


def row(image: karpathy.Image, flickr8k: set[str]) -> dict:
    """Return an image's line; `flickr8k` are the numbers of that data set's photographs."""
    known = not numbers([image.name]).isdisjoint(flickr8k)
    return {"filename": image.name, "split": image.split, "in_flickr8k": known, "captions": image.captions}


def numbers(names: Iterable[str]) -> set[str]:
    """Return Flickr's numbers of photographs: "1000268201_693b08cb0e.jpg" and "1000268201.jpg" are the same one."""
    return {name.partition(".")[0].partition("_")[0] for name in names}
