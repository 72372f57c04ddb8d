"""Flickr30k's captions in the form that the corpus reads, each image marked where Flickr8k has it too."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from capdec_core.corpora import flickr8k
from capdec_core.corpora.told import image_told
from capdec_core.downloads import karpathy
from capdec_core.downloads.transport import partial_of
from capdec_core.errors import CapdecError

_ORDER = ("train", "val", "test")

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


def make_captions(member: Path, target: Path) -> None:
    """Write Karpathy's file of Flickr30k as gzipped JSON, one image a line, by split and name.

    Args:
        member: `dataset_flickr30k.json`; may be `target` itself.
        target: the file to write.

    Raises:
        CapdecError: `member` is something else.
    """
    also = _flickr8k_numbers(partial_of(target.with_name("dataset_flickr8k.json")))
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(member, also)]
    target.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def _flickr8k_numbers(scratch: Path) -> set[str]:
    """Return the numbers of all Flickr8k photographs; `scratch` holds the file of captions meanwhile."""
    try:
        karpathy.unpack("dataset_flickr8k.json", scratch)
        told = flickr8k.read_captions(scratch)
    finally:
        scratch.unlink(missing_ok=True)
    return numbers(name for rows in told.values() for name, _ in rows) | set(_UNUSED.split())


def _rows(path: Path, also: set[str]) -> list[dict[str, Any]]:
    try:
        images = json.loads(path.read_text(encoding="utf-8"))["images"]
        rows = [_row(image, also) for image in images]
        return sorted(rows, key=lambda row: (_ORDER.index(row["split"]), row["filename"]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CapdecError(
            f"{path} is truncated or not Karpathy's file of Flickr30k ({type(error).__name__}: {error})"
        ) from None


def _row(image: dict[str, Any], also: set[str]) -> dict[str, Any]:
    name, captions = image_told(image["filename"], [sentence["raw"] for sentence in image["sentences"]])
    known = not numbers([name]).isdisjoint(also)
    return {"filename": name, "split": image["split"], "in_flickr8k": known, "captions": captions}


def numbers(names: Iterable[str]) -> set[str]:
    """Return Flickr's numbers of photographs: "1000268201_693b08cb0e.jpg" and "1000268201.jpg" are the same one."""
    return {name.partition(".")[0].partition("_")[0] for name in names}
