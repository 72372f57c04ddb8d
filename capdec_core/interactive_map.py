"""An interactive map of a grid of trainings as one piece of HTML: no file, no network, nothing but this page.

Works in the report opened from `file://` and in JupyterLab. All text is made here and put into the page by
the script as text, never as HTML.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from itertools import product
from typing import Any

from capdec_core.files import digest


@dataclass(frozen=True)
class Level:
    """A score with its interval, in points, and how it is printed, metric and all."""

    name: str
    value: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Place:
    """One row of the grid.

    Attributes:
        training: index of its training among those of the map.
        tag: a word or two on the button ("no noise").
        facts: name and text of what is said of the row, in the order in which it is shown.
    """

    training: int
    tag: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Axis:
    """One axis of the grid: its name and its values as they are printed."""

    name: str
    values: tuple[str, ...]


def grid_map(
    axes: Sequence[Axis],
    places: Mapping[tuple[int, ...], Place],
    trainings: Sequence[Level],
    levels: Sequence[Level],
    title: str,
) -> str:
    """Return the map as HTML.

    Args:
        axes: four: the first is chosen from a list, the second by a slider, and the last two span the map,
            rows and columns, and have sliders too.
        places: what stands at each position, by one index an axis.
        trainings: the different trainings; their `name` is the cell's id, to which the page has `#cell-<id>`.
        levels: what every score is seen against.
        title: the map's accessible name.

    Raises:
        ValueError: not four axes, or positions without a place.
    """
    positions = list(product(*(range(len(axis.values)) for axis in axes)))
    if len(axes) != 4 or set(positions) != set(places):
        raise ValueError(
            f"{len(axes)} axes, {len(positions)} positions and {len(places)} places do not fit together"
        )
    data = {
        "axes": [asdict(axis) for axis in axes],
        "places": [_packed(places[position]) for position in positions],
        "trainings": [asdict(level) for level in trainings],
        "levels": [asdict(level) for level in levels],
    }
    name = f"map-{digest([title, data])[:12]}"
    return (
        f'<div class="grid-map" id="{name}" role="group" aria-label="{escape(title)}">'
        f"<style>{STYLE}</style>"
        '<p class="gm-off">This map needs scripts, which are off here; the table of the grid has the same rows.</p>'
        f'<div class="gm-body" hidden>{_body(axes)}</div>'
        f'<script type="application/json">{_json(data)}</script>'
        f"<script>{SCRIPT.replace('MAP_ID', name)}</script></div>"
    )


def _packed(place: Place) -> list[Any]:
    return [place.training, place.tag, [list(fact) for fact in place.facts]]


def _json(data: Any) -> str:
    """Return JSON that may stand in a script element: nothing in it can close the element or open a comment."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _body(axes: Sequence[Axis]) -> str:
    first, *others = axes
    options = "".join(f'<option value="{i}">{escape(value)}</option>' for i, value in enumerate(first.values))
    chooser = f'<label>{escape(first.name)} <select class="gm-axis">{options}</select></label>'
    sliders = "".join(
        f'<label>{escape(axis.name)} <output></output><input class="gm-axis" type="range" min="0" '
        f'max="{len(axis.values) - 1}" step="1" value="0"></label>'
        for axis in others
    )
    rows, columns = axes[2], axes[3]
    return (
        f'<div class="gm-controls">{chooser}{sliders}</div>'
        f'<div class="gm-cells" role="group" aria-label="{escape(rows.name)} by {escape(columns.name)}; '
        f'arrow keys move" style="grid-template-columns:auto repeat({len(columns.values)},1fr)"></div>'
        '<svg class="gm-scale" viewBox="0 0 640 92" aria-hidden="true"></svg>'
        '<div class="gm-facts" aria-live="polite"></div>'
    )


STYLE = """
.grid-map{font:14px/1.4 system-ui,"Segoe UI",Roboto,sans-serif;font-variant-numeric:tabular-nums}
.grid-map{max-width:46rem;padding:2px}
.grid-map .gm-controls{display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;margin:.3rem 0 .8rem}
.grid-map label{display:flex;align-items:center;gap:.45rem;margin:0}
.grid-map output{min-width:2.4em;font-weight:600}
.grid-map input[type=range]{width:8.5rem;accent-color:#0072b2}
.grid-map select{font:inherit;color:inherit;background:transparent;padding:.1rem .3rem}
.grid-map select{border:1px solid;border-radius:4px}
.grid-map select option{color:#111;background:#fdfdfd}
.grid-map .gm-cells{display:grid;gap:3px;align-items:stretch}
.grid-map .gm-cells span{padding:.15rem .5rem;align-self:center;text-align:center;opacity:.85}
.grid-map button{font:inherit;color:inherit;padding:.3rem .2rem;cursor:pointer}
.grid-map button{border:2px solid transparent;border-radius:4px}
.grid-map button small{display:block;font-size:.8em;opacity:.9}
.grid-map button.gm-same{border:2px dashed currentColor}
.grid-map button[aria-pressed=true]{border:2px solid currentColor;font-weight:700}
.grid-map :focus-visible{outline:3px solid #d1861f;outline-offset:1px}
.grid-map .gm-scale{display:block;width:100%;margin:.8rem 0 .2rem;overflow:visible}
.grid-map .gm-scale text{fill:currentColor;font-size:13px}
.grid-map .gm-facts{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}
.grid-map .gm-facts span{opacity:.85}
.grid-map .gm-off{font-style:italic}
"""

SCRIPT = """
(function () {
  var root = document.getElementById("MAP_ID");
  if (!root || root.dataset.ready) { return; }
  root.dataset.ready = "yes";
  var data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  var sizes = data.axes.map(function (axis) { return axis.values.length; });
  var at = [0, 0, 0, 0];
  var inputs = root.querySelectorAll(".gm-axis");
  var cells = root.querySelector(".gm-cells");
  var facts = root.querySelector(".gm-facts");
  var scale = root.querySelector(".gm-scale");
  var buttons = [];

  function place(position) {
    var index = position.reduce(function (sum, i, axis) { return sum * sizes[axis] + i; }, 0);
    var packed = data.places[index];
    return {training: packed[0], tag: packed[1], facts: packed[2], score: data.trainings[packed[0]]};
  }
  function element(parent, name, text) {
    var made = document.createElement(name);
    made.textContent = text;
    parent.appendChild(made);
    return made;
  }
  function drawing(name, attributes, text) {
    var made = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.keys(attributes).forEach(function (key) { made.setAttribute(key, attributes[key]); });
    if (text) { made.textContent = text; }
    scale.appendChild(made);
  }
  var all = data.trainings.concat(data.levels);
  var least = Math.min.apply(null, all.map(function (s) { return s.low; }));
  var most = Math.max.apply(null, all.map(function (s) { return s.high; }));
  var values = data.trainings.map(function (s) { return s.value; });
  var bottom = Math.min.apply(null, values), top = Math.max.apply(null, values);
  function across(value) { return 150 + 480 * (value - least) / ((most - least) || 1); }
  function shade(value) { return 0.08 + 0.5 * (value - bottom) / ((top - bottom) || 1); }

  function line(score, y, colour) {
    drawing("text", {x: 142, y: y + 4, "text-anchor": "end"}, score.name);
    drawing("line", {x1: across(score.low), x2: across(score.high), y1: y, y2: y, stroke: colour, "stroke-width": 3});
    drawing("circle", {cx: across(score.value), cy: y, r: 5, fill: colour});
  }
  function show() {
    var here = place(at);
    inputs.forEach(function (input, axis) {
      var text = data.axes[axis].values[at[axis]];
      input.value = at[axis];
      input.setAttribute("aria-valuetext", text);
      if (input.previousElementSibling) { input.previousElementSibling.textContent = text; }
    });
    buttons.forEach(function (button) {
      var there = place([at[0], at[1], button.row, button.column]);
      var chosen = button.row === at[2] && button.column === at[3];
      var label = data.axes[2].name + " " + data.axes[2].values[button.row] + ", " + data.axes[3].name + " " +
        data.axes[3].values[button.column] + ": " + there.score.text + ", " + there.tag;
      button.node.firstChild.textContent = there.score.value.toFixed(1);
      button.node.lastChild.textContent = there.tag;
      button.node.style.background = "rgba(0,114,178," + shade(there.score.value) + ")";
      button.node.className = there.training === here.training ? "gm-same" : "";
      button.node.setAttribute("aria-pressed", chosen);
      button.node.setAttribute("aria-label", label);
      button.node.tabIndex = chosen ? 0 : -1;
    });
    facts.textContent = "";
    here.facts.forEach(function (fact) { element(facts, "span", fact[0]); element(facts, "div", fact[1]); });
    data.levels.forEach(function (level) {
      element(facts, "span", level.name);
      element(facts, "div", level.text);
    });
    element(facts, "span", "Cell");
    var link = element(element(facts, "div", ""), "a", here.score.name);
    link.href = "#cell-" + here.score.name;
    scale.textContent = "";
    data.levels.forEach(function (level, index) { line(level, 40 + 24 * index, "#808890"); });
    line({name: "selected", low: here.score.low, high: here.score.high, value: here.score.value}, 16, "#0072b2");
    scale.setAttribute("viewBox", "0 0 640 " + (46 + 24 * data.levels.length));
    drawing("text", {x: 150, y: 42 + 24 * data.levels.length}, least.toFixed(1));
    drawing("text", {x: 630, y: 42 + 24 * data.levels.length, "text-anchor": "end"}, most.toFixed(1));
  }
  function go(axis, value, focus) {
    at[axis] = Math.max(0, Math.min(sizes[axis] - 1, value));
    show();
    if (focus) {
      buttons.filter(function (b) { return b.row === at[2] && b.column === at[3]; })[0].node.focus();
    }
  }
  element(cells, "span", data.axes[2].name + " \\\\ " + data.axes[3].name);
  data.axes[3].values.forEach(function (value) { element(cells, "span", value); });
  data.axes[2].values.forEach(function (value, row) {
    element(cells, "span", value);
    data.axes[3].values.forEach(function (_, column) {
      var node = element(cells, "button", "");
      node.type = "button";
      element(node, "b", "");
      element(node, "small", "");
      node.addEventListener("click", function () { at[2] = row; go(3, column, true); });
      node.addEventListener("keydown", function (event) {
        var step = {ArrowUp: [2, -1], ArrowDown: [2, 1], ArrowLeft: [3, -1], ArrowRight: [3, 1]}[event.key];
        if (step) { event.preventDefault(); go(step[0], at[step[0]] + step[1], true); }
      });
      buttons.push({row: row, column: column, node: node});
    });
  });
  inputs.forEach(function (input, axis) {
    input.addEventListener("input", function () { go(axis, Number(input.value), false); });
  });
  root.querySelector(".gm-off").hidden = true;
  root.querySelector(".gm-body").hidden = false;
  show();
}());
"""
