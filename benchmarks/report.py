"""The benchmarks' results as Markdown: one table of ratios, then what each part has to say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from capdec_core.files import read_json, write_atomic

QUICK = "smallest sizes: the numbers mean nothing"


def write_report(folder: Path, parts: Sequence[str]) -> Path:
    """Write README.md from the parts' JSON files that are in `folder`, in the order of `parts`; return its path."""
    found = [read_json(folder / f"{part}.json") for part in parts if (folder / f"{part}.json").is_file()]
    path = folder / "README.md"
    write_atomic(path, "\n".join(_lines(found)))
    return path


def _lines(records: list[dict[str, Any]]) -> list[str]:
    lines = ["# Benchmarks", "", *headline(records)]
    for record in records:
        lines += ["", f"## {record['part'].capitalize()}", "", signature(record), ""]
        if "failed" in record:
            lines += [f"Not run: {record['failed']}", ""]
            continue
        result = record["result"]
        lines += comparison_lines(result.get("comparisons", []))
        for table in result.get("tables", []):
            lines += table_lines(table)
        lines += [f"- {note}" for note in result.get("notes", [])]
    return [*lines, ""]


def headline(records: list[dict[str, Any]]) -> list[str]:
    """Return the lines of the table of all ratios that have a bar."""
    rows = [
        [
            item["name"],
            ratio_text(item),
            bar_text(item),
            QUICK if record["quick"] else _met(item),
        ]
        for record in records
        for item in record.get("result", {}).get("comparisons", [])
        if item["bar"] is not None
    ]
    return markdown_table(["Work", "Ratio, median (least to greatest)", "Asked for", "Met"], rows)


def ratio_text(item: dict[str, Any]) -> str:
    """Return a comparison's ratio of speed, or of cost where its bar is on cost, with its range."""
    ratio = item["ratio"]
    triple = [ratio["median"], ratio["min"], ratio["max"]]
    if item["at_most"]:
        triple = [1 / ratio["median"], 1 / ratio["max"], 1 / ratio["min"]]
    return "{} ({} to {})".format(*map(number, triple))


def bar_text(item: dict[str, Any]) -> str:
    """Return what is asked for: "at least 2" times the speed, or "costs at most 1.2" times."""
    if item["bar"] is None:
        return ""
    return f"costs at most {number(item['bar'])}" if item["at_most"] else f"at least {number(item['bar'])}"


def comparison_lines(items: list[dict[str, Any]]) -> list[str]:
    """Return a table of comparisons: both sides' rates, the ratio and its quartiles."""
    rows = [
        [
            item["name"],
            f"{number(item['reference']['rate'])} ({item['reference']['name']})",
            f"{number(item['ours']['rate'])} ({item['ours']['name']})",
            ratio_text(item),
            _quartiles(item),
            len(item["ratios"]),
            bar_text(item),
            _met(item),
        ]
        for item in items
    ]
    unit = items[0]["unit"] if items else ""
    columns = [
        "Work",
        f"Reference, {unit}/s",
        f"Ours, {unit}/s",
        "Ratio, median (range)",
        "Quartiles",
        "Pairs",
        "Asked for",
        "Met",
    ]
    return [*markdown_table(columns, rows), ""] if rows else []


def _quartiles(item: dict[str, Any]) -> str:
    ends = [item["ratio"]["q1"], item["ratio"]["q3"]]
    if item["at_most"]:
        ends = [1 / end for end in reversed(ends)]
    return " to ".join(map(number, ends))


def _met(item: dict[str, Any]) -> str:
    return {None: "", True: "yes", False: "no"}[item["met"]]


def table_lines(table: dict[str, Any]) -> list[str]:
    """Return a part's table with its title and note."""
    note = [table["note"], ""] if table.get("note") else []
    return [f"**{table['title']}**", "", *markdown_table(table["columns"], table["rows"]), "", *note]


def signature(record: dict[str, Any]) -> str:
    """Return one line that says where and on what the part was run."""
    told = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    where = told.get("gpu") or f"{told['cpu']}, {told['cores']} cores, {told['cpu capability']}"
    line = f"{where}; {told['threads']} threads; {told['system']}; {versions}; {told['code']}; device {told['device']}"
    return f"{line}; {QUICK}" if record["quick"] else line


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return the lines of a Markdown table; numbers have three significant digits, None is a dash."""
    shown = [[_cell(value) for value in row] for row in rows]
    return [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(row) + " |" for row in shown),
    ]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return number(value)
    return str(value).replace("|", "\\|")


def number(value: float) -> str:
    """Return three significant digits, never in scientific notation from a thousandth to a billion."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
