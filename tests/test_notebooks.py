"""How a chapter begins: the badge that opens it in Colab, the cell that makes the package ready, the parameters."""

import re

import nbformat
import pytest
from small_scripts import load_script

from capdec_core import __version__, paths

CHAPTERS = sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
README = paths.ROOT / "README.md"


def stamp():
    return load_script("stamp")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_first_cell_has_the_title_and_a_badge_that_opens_this_chapter_at_this_version(chapter):
    first = nbformat.read(chapter, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith(f"# {int(chapter.stem[:2])}. ")
    (target,) = re.findall(r"\[!\[Open in Colab\]\(https://\S+\.svg\)\]\((\S+)\)", first.source)
    slug = stamp().address().removeprefix("https://github.com/")
    address = f"https://colab.research.google.com/github/{slug}/blob/v{__version__}/notebooks/{chapter.name}"
    assert target == address


def test_second_cell_is_the_same_everywhere_and_not_in_the_report():
    cells = [nbformat.read(chapter, as_version=4).cells[1] for chapter in CHAPTERS]
    assert len({cell.source for cell in cells}) == 1
    assert all((cell.cell_type, cell.metadata.tags) == ("code", ["remove-cell"]) for cell in cells)
    assert f'"capdec_core @ git+{stamp().address()}@v{__version__}"' in cells[0].source


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_parameters_follow_and_are_what_the_machine_gets(chapter):
    """Papermill puts its own after them, so that what it is told stands."""
    third = nbformat.read(chapter, as_version=4).cells[2]
    assert third.metadata.tags == ["parameters", "remove-cell"]
    assert third.source.splitlines() == [f"{name} = here.{name}" for name in ("profile", "device", "seeds")]


def test_address_and_tag_are_the_same_everywhere():
    """No drift from pyproject.toml and the package's version (mend with `make sync`)."""
    module = stamp()
    assert f"v{__version__}" == module.TAG
    assert [README, *(chapter.with_suffix(".py") for chapter in CHAPTERS)] == module.FILES
    texts = {path.name: path.read_text() for path in module.FILES}
    stale = [
        name for name, text in texts.items() if module.stamped(text, module.address(), module.TAG) != text
    ]
    assert stale == []


def test_a_new_address_and_tag_reach_every_link():
    """Whatever stood there: nothing of the old address or tag is left, and stamping again changes nothing."""
    module, new = stamp(), "new-owner/new_name.x"
    texts = [path.read_text() for path in module.FILES]
    changed = [module.stamped(text, f"https://github.com/{new}", "v9.8.7rc1") for text in texts]
    old = module.address().removeprefix("https://github.com/")
    assert [text for text in changed if old in text or f"v{__version__}" in text] == []
    assert [text.count(new) for text in changed] == [text.count(old) for text in texts]
    assert min(text.count(old) for text in texts) >= 2
    assert [module.stamped(text, module.address(), module.TAG) for text in changed] == texts


def test_an_address_that_colab_cannot_open_is_refused(tmp_path, monkeypatch):
    module = stamp()
    (tmp_path / "pyproject.toml").write_text(
        '[project.urls]\nRepository = "https://git.example/owner/name"\n'
    )
    monkeypatch.setattr(module, "ROOT", tmp_path)
    with pytest.raises(
        SystemExit, match=r"'https://git\.example/owner/name', not https://github\.com/OWNER/NAME"
    ):
        module.address()
