"""Flickr30k's captions: text only, free of what Flickr8k has; and text from one corpus for another's images."""

import gzip
import zipfile
from pathlib import Path

import pytest
from small_flickr import SIZES, write_archive, write_flickr30k, write_karpathy

from capdec_core import paths
from capdec_core.corpora import CORPORA, load_corpus
from capdec_core.corpora.cross import CrossCorpus
from capdec_core.corpora.flickr8k import Flickr8k
from capdec_core.corpora.flickr30k import Flickr30k
from capdec_core.corpora.photographs import SIDE
from capdec_core.errors import CapdecError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place where data is looked for."""
    monkeypatch.setattr(paths, "REAL_DATA", [tmp_path])
    return tmp_path


def test_flickr30k_leaves_out_what_flickr8k_has(place: Path) -> None:
    write_flickr30k(place)
    split = Flickr30k({"train": 2, "val": 2}).split("train")
    assert split.ids == ["train0.jpg", "train2.jpg"]
    assert split.captions[1] == ["Someone in train does thing 2 .", "A person , 2 ."]
    assert split.text_only
    with pytest.raises(CapdecError, match=r"text only: there is no photograph train2\.jpg"):
        split.render([1])
    with pytest.raises(CapdecError, match="3 images of split 'train' are asked for; it has 2"):
        Flickr30k({"train": 3})


def test_flickr30k_is_fingerprinted_by_its_captions(place: Path) -> None:
    path = write_flickr30k(place)
    first = Flickr30k({"train": 2}).fingerprint
    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(text.replace("thing 1 ", "nothing ").encode(), compresslevel=1))
    assert Flickr30k({"train": 2}).fingerprint == first
    path.write_bytes(gzip.compress(text.replace("thing 2 ", "nothing ").encode()))
    assert Flickr30k({"train": 2}).fingerprint != first


def test_missing_or_spoilt_captions_of_flickr30k_are_named(place: Path) -> None:
    with pytest.raises(CapdecError, match=r"no captions \(captions\.jsonl\.gz\); looked in .*multi30k"):
        Flickr30k({"train": 1})
    path = write_flickr30k(place)
    whole = path.read_bytes()
    for data in (
        whole[:-30],
        b"no archive",
        gzip.compress(b"[1, 2]\n"),
        gzip.compress(b'{"split": "train"}\n'),
    ):
        path.write_bytes(data)
        with pytest.raises(CapdecError, match=rf"{path} is truncated or does not hold .*multi30k"):
            Flickr30k({"train": 1})


def test_across_corpora_text_comes_from_one_and_images_from_the_other(place: Path) -> None:
    write_archive(place)
    write_karpathy(place)
    write_flickr30k(place)
    corpus = load_corpus("flickr30k-to-flickr8k", 0, {"train": 2, "val": 1, "test": 2})
    assert isinstance(corpus, CrossCorpus)
    assert corpus.name == "flickr30k-to-flickr8k"
    assert corpus.objects_mentioned is None
    assert corpus.split("train").text_only
    assert corpus.split("train").ids == ["train0.jpg", "train2.jpg"]
    assert corpus.split("test").ids == Flickr8k(SIZES).split("test").ids
    assert corpus.split("test").render([0]).shape == (1, SIDE, SIDE, 3)
    others = [
        load_corpus(corpus.name, 0, sizes) for sizes in ({"train": 1, "test": 2}, {"train": 2, "test": 1})
    ]
    assert len({corpus.fingerprint, *(other.fingerprint for other in others)}) == 3


def test_an_unknown_corpus_is_answered_with_the_right_ones() -> None:
    with pytest.raises(CapdecError, match=", ".join(CORPORA)):
        load_corpus("flickr", 0, {})


def test_the_real_flickr30k_shares_no_image_with_flickr8k(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("flickr8k/Flickr8k_Dataset.zip", "flickr30k/captions.jsonl.gz"):
        if not (shared_data / name).is_file():
            pytest.skip(f"no {name} in {shared_data}")
    monkeypatch.setattr(paths, "REAL_DATA", [shared_data])
    corpus = load_corpus("flickr30k-to-flickr8k", 0, {"train": 22_007, "val": 1000, "test": 1000})
    captions = corpus.split("train").captions
    assert sum(map(len, captions)) == 110_035
    with zipfile.ZipFile(shared_data / "flickr8k" / "Flickr8k_Dataset.zip") as archive:
        own = {Path(name).stem.split("_")[0] for name in archive.namelist()}
    assert not own & {Path(name).stem for name in corpus.split("train").ids}
    with pytest.raises(CapdecError, match="it has 22007"):
        load_corpus("flickr30k", 0, {"train": 22_008})
