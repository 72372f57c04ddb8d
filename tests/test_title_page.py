"""The title page's photographs: what the packages carry, as licensed, under what the shipped captioner says."""

import base64
import html
import io
import re
import shutil
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image
from small_book import prose, write_notebook
from small_captioner import CAPTIONS, ColourEncoder, material, profile, trained, write_cell, write_decoded

from capdec_core import paths
from capdec_core.book import build_report
from capdec_core.bridges import MeanShift
from capdec_core.captioning import checkpoint, export, title_page
from capdec_core.captioning.checkpoint import FACTS
from capdec_core.captioning.export import write_checkpoint
from capdec_core.captioning.packaged import PHOTOGRAPHS, Photograph
from capdec_core.captioning.title_page import THUMBNAIL, photographs_part
from capdec_core.errors import CapdecError
from capdec_core.files import read_json, write_json
from capdec_core.store import CellStore


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the small captioner."""
    folder = tmp_path_factory.mktemp("shipped")
    store = CellStore(folder / "cells")
    captioner, tokenizer = trained()
    cell = write_cell(store, captioner, tokenizer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "prepare", lambda *_: material(tokenizer, folder / "material"))
        write_checkpoint(cell.id, profile(), store, folder / "captioner")
    return folder / "captioner"


@pytest.fixture
def shipped(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small captioner as the one that ships, with a cache of its own."""
    folder = Path(shutil.copytree(written, tmp_path / "captioner"))
    monkeypatch.setattr(paths, "SHIPPED", folder)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(checkpoint, "load_encoder", lambda *_: ColourEncoder())
    return folder


class _Page(HTMLParser):
    """The pictures, captions and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures: list[dict[str, str | None]] = []
        self.links: list[str | None] = []
        self.said: list[str] = []
        self._in_caption = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.pictures.append(values)
        if tag == "a":
            self.links.append(values["href"])
        self._in_caption = values.get("class") == "said"

    def handle_data(self, data: str) -> None:
        if self._in_caption:
            self.said.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_caption = False


def test_without_a_shipped_captioner_there_is_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "SHIPPED", tmp_path)
    assert photographs_part() == ""


@pytest.mark.usefixtures("shipped")
def test_every_photograph_stands_with_caption_author_licence_and_source() -> None:
    page = _Page(photographs_part())
    assert [picture["alt"] for picture in page.pictures] == [each.shows for each in PHOTOGRAPHS]
    assert page.links == [link for each in PHOTOGRAPHS for link in (each.source, each.licence[1])]
    assert len(page.said) == len(PHOTOGRAPHS)
    assert set(page.said) <= set(CAPTIONS.values())
    text = photographs_part()
    assert all(html.escape(each.author) in text and each.licence[0] in text for each in PHOTOGRAPHS)


@pytest.mark.usefixtures("shipped")
def test_pictures_are_small_and_stand_in_the_page() -> None:
    page = _Page(photographs_part())
    for picture in page.pictures:
        data = base64.b64decode((picture["src"] or "").removeprefix("data:image/jpeg;base64,"))
        with Image.open(io.BytesIO(data)) as image:
            assert image.width <= THUMBNAIL[0]
            assert image.height <= THUMBNAIL[1]
            assert max(image.width / THUMBNAIL[0], image.height / THUMBNAIL[1]) > 0.99
        assert len(data) < 60_000


def test_a_captioner_of_moved_pictures_is_said_to_be_one(
    tmp_path: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "moved" not in photographs_part()
    store = CellStore(tmp_path / "cells")
    captioner, tokenizer = trained()
    cell = write_decoded(store, write_cell(store, captioner, tokenizer), [MeanShift("image")])
    monkeypatch.setattr(export, "prepare", lambda *_: material(tokenizer, tmp_path / "material"))
    write_checkpoint(cell.id, profile(), store, shipped)
    text = photographs_part()
    assert "learned to speak from sentences alone" in text
    assert f"that is moved ({MeanShift('image').label}), by what training pictures tell." in text


def test_numbers_come_from_the_checkpoints_record(shipped: Path) -> None:
    assert "43.2 points of CIDEr" in photographs_part()
    facts = read_json(shipped / FACTS)
    write_json(shipped / FACTS, facts | {"scores": {"test/image": {"CIDEr": 0.5555}}})
    assert "55.5 points of CIDEr" in photographs_part()
    write_json(shipped / FACTS, facts | {"scores": {}})
    assert "CIDEr" not in photographs_part()


def test_captions_are_made_once_for_a_captioner(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = photographs_part()
    monkeypatch.setattr(title_page, "load_shipped", None)
    assert photographs_part() == first
    write_json(shipped / FACTS, read_json(shipped / FACTS) | {"licence": "another"})
    with pytest.raises(TypeError):
        photographs_part()


@pytest.mark.usefixtures("shipped")
def test_a_caption_is_text_whatever_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = "a <b>dog</b> & a `cat` <|unk|>"
    monkeypatch.setattr(title_page, "_captions", lambda: [odd] * len(PHOTOGRAPHS))
    text = photographs_part()
    assert "<b>" not in text
    assert text.count(html.escape(odd)) == len(PHOTOGRAPHS)


def test_a_captioner_that_cannot_be_loaded_is_told(shipped: Path) -> None:
    write_json(shipped / FACTS, read_json(shipped / FACTS) | {"embeddings": "another"})
    with pytest.raises(CapdecError, match="was trained for another encoder"):
        photographs_part()


@pytest.mark.parametrize("package", ["skimage", "no_such_package"])
def test_a_photograph_that_is_not_installed_is_named(package: str) -> None:
    missing = Photograph(package, "the-package", "data/no.png", "", "", ("", ""), "")
    with pytest.raises(CapdecError, match=r"the package the-package with its photograph data/no\.png is not"):
        _ = missing.path


@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda each: each.file)
def test_the_package_states_the_licence(photograph: Photograph) -> None:
    """What is printed under a picture is what its package says of it, in words of the package."""
    package = Path(find_spec(photograph.package).origin).parent  # type: ignore[union-attr, arg-type]
    name = Path(photograph.file).stem
    if photograph.package == "sklearn":
        text = (package / "datasets/images/README.txt").read_text()
        said = next(part for part in text.split("Image: ") if part.startswith(f"{name}.jpg"))
        assert photograph.licence[1] in said
        assert photograph.source in said
    else:
        text = (package / "data/_fetchers.py").read_text()
        said = re.search(rf'def {name}\(\):\n    """(.*?)"""', text, re.DOTALL)[1]  # type: ignore[index]
        phrase = {"CC0 1.0": "CC0 by the photographer", "public domain": "in\\S* the public domain"}
        assert re.search(phrase[photograph.licence[0]], said)
        assert photograph.author in said


@pytest.mark.usefixtures("shipped")
def test_the_report_begins_with_the_photographs(tmp_path: Path) -> None:
    book = tmp_path / "book"
    write_notebook(book / "01_only.ipynb", prose("# 1. Only"))
    shutil.copy(paths.NOTEBOOKS / "index.md", book)
    page = build_report(book, tmp_path / "report", book).read_text(encoding="utf-8")
    first, second = (
        page.index("What a captioner says of photographs</a>"),
        page.index("What you are reading</a>"),
    )
    assert first < second
    shown = [
        picture for picture in _Page(page).pictures if picture["alt"] in {each.shows for each in PHOTOGRAPHS}
    ]
    assert len(shown) == len(PHOTOGRAPHS)
