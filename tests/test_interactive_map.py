"""The interactive map: one piece of HTML, whatever the text in it; opened in a browser, offline, by keyboard."""

import json
import re
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import pytest

from capdec_core.interactive_map import Axis, Level, Place, grid_map

HOSTILE = '</script><img src=x onerror=alert(1)> & \u2028 "β"'
AXES = [
    Axis("Arm", ("one", "two")),
    Axis("N", ("30", "500")),
    Axis("β", ("0.01", "0.05", "0.1")),
    Axis("Threshold", ("0.7", "0.9")),
]
LEVELS = [Level("No noise", 30.0, 28.0, 32.0, "CIDEr 30.0"), Level(HOSTILE, 60.0, 58.0, 62.0, HOSTILE)]


def small_map(title: str = "A map", tag: str = "all kept", shift: float = 0.0) -> str:
    """Two trainings: the one of β 0.05 and threshold 0.7, and one of everything else."""
    places = {
        at: Place(int(at[2:] == (1, 0)), tag, (("CIDEr", f"row {at}"), ("Training", HOSTILE)))
        for at in product(range(2), range(2), range(3), range(2))
    }
    trainings = [
        Level("aaaa", 30 + shift, 29.0, 31.0, "CIDEr 30"),
        Level("bbbb", 45.5, 44.0, 47.0, "CIDEr 45.5"),
    ]
    return grid_map(AXES, places, trainings, LEVELS, title)


class _Elements(HTMLParser):
    """Collects elements with their attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_text_from_outside_stays_text() -> None:
    page = small_map(title=HOSTILE, tag=HOSTILE)
    elements = _Elements(page).found
    assert not [tag for tag, _ in elements if tag == "img"]
    assert [tag for tag, _ in elements].count("script") == 2
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)[1])
    assert data["levels"][1]["name"] == HOSTILE
    assert data["places"][0][1] == HOSTILE
    assert elements[0][1]["aria-label"] == HOSTILE


def test_nothing_is_fetched_and_every_input_has_a_label() -> None:
    page = small_map()
    assert not [1 for _, attributes in _Elements(page).found if {"src", "href", "srcset"} & set(attributes)]
    assert not re.search(r"url\(|@import|fetch\(|https?:(?!//www\.w3\.org/2000/svg)", page)
    assert page.count("<label>") == page.count('class="gm-axis"') == 4


def test_maps_have_ids_of_their_own_and_the_same_map_has_the_same() -> None:
    ids = [
        _Elements(page).found[0][1]["id"]
        for page in (small_map(), small_map(), small_map(shift=1), small_map("B"))
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    for page, name in zip((small_map(), small_map("B")), (ids[0], ids[3]), strict=True):
        assert page.count(str(name)) == 2
        assert not [1 for _, attributes in _Elements(page).found[1:] if "id" in attributes]


def test_a_position_without_a_place_is_refused() -> None:
    place = Place(0, "x", ())
    with pytest.raises(ValueError, match="do not fit"):
        grid_map(AXES, {(0, 0, 0, 0): place}, [LEVELS[0]], LEVELS, "A map")
    with pytest.raises(ValueError, match="3 axes"):
        grid_map(AXES[:3], {}, [LEVELS[0]], LEVELS, "A map")


@pytest.fixture
def page(browser, tmp_path: Path):
    """Two maps on one page, opened from a file with no network; it may say nothing on the console."""
    file = tmp_path / "page.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{small_map()}{small_map('B')}", encoding="utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert not errors


def test_the_map_is_walked_by_slider_click_and_arrow_key(page) -> None:
    root = page.locator(".grid-map").first
    facts, pressed = root.locator(".gm-facts"), root.locator("button[aria-pressed=true]")
    assert "row (0, 0, 0, 0)" in facts.inner_text()
    assert not root.locator(".gm-off").is_visible()
    root.locator("input").nth(1).fill("1")
    assert "row (0, 0, 1, 0)" in facts.inner_text()
    assert pressed.inner_text().split() == ["45.5", "all", "kept"]
    pressed.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert "row (0, 0, 2, 1)" in facts.inner_text()
    assert pressed.evaluate("b => b === document.activeElement")
    assert pressed.get_attribute("aria-label") == "β 0.1, Threshold 0.9: CIDEr 30, all kept"
    root.locator("button").first.click()
    root.locator("select").select_option("1")
    assert "row (1, 0, 0, 0)" in facts.inner_text()
    assert "row (0, 0, 0, 0)" in page.locator(".grid-map").nth(1).locator(".gm-facts").inner_text()


def test_the_map_marks_what_is_the_same_training_and_draws_the_interval(page) -> None:
    root = page.locator(".grid-map").first
    assert root.locator("button").count() == 6
    assert root.locator("button.gm-same").count() == 5
    assert root.locator("a").get_attribute("href") == "#cell-aaaa"
    ends = root.locator("svg line").evaluate_all(
        "lines => lines.map(l => [+l.getAttribute('x1'), +l.getAttribute('x2')])"
    )
    span = (62 - 28) / (ends[1][1] - ends[0][0])
    assert [round((high - low) * span, 3) for low, high in ends] == [4, 4, 2]
    assert (
        HOSTILE in root.locator(".gm-facts").inner_text().replace("\n", " ") or "onerror" in root.inner_text()
    )
    assert page.locator("img").count() == 0
