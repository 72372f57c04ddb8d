"""Scores as published: copied into a data file, each with its paper, what was trained, and where it was read."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from capdec_core.profiles import strict
from capdec_core.tables import DASH, Markup

FILE = Path(__file__).with_name("captioners.toml")
METRICS = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "CIDEr", "SPICE")


@dataclass(frozen=True)
class Paper:
    """A source: title, authors, year and arXiv number; a study without publication has a title alone."""

    title: str
    authors: str = ""
    year: int | None = None
    arxiv: str = ""


@dataclass(frozen=True)
class PublishedScores:
    """One row of a published table.

    Attributes:
        system: what the row is called.
        paper: key of its `Paper`.
        scores: by metric, in points (100 times the metric's value), as printed; what is not known is left out.
        trained: which parts were trained, and on what.
        read: where the numbers were read.
        prefix_length: k, where the system has one.
        parameters: trainable parameters, millions, as printed.
    """

    system: str
    paper: str
    scores: dict[str, float]
    trained: str
    read: str
    prefix_length: int | None = None
    parameters: float | None = None


@dataclass(frozen=True)
class Published:
    """All published tables that the book shows.

    Attributes:
        read_on: the day on which the numbers were read.
        papers: sources by key.
        prefix_lengths: Study B's table of prefix lengths.
        comparison: Study B's table of ClipCap beside other captioners.
        later: systems published since.
        not_found: papers of which no score could be read.
    """

    read_on: str
    papers: dict[str, Paper]
    prefix_lengths: list[PublishedScores]
    comparison: list[PublishedScores]
    later: list[PublishedScores]
    not_found: list[str]

    def prefix_length(self, k: int) -> PublishedScores:
        """Return Study B's own row of prefix length k; StopIteration if it has none."""
        return next(row for row in self.prefix_lengths if (row.paper, row.prefix_length) == ("study_b", k))

    def compared(self, system: str) -> PublishedScores:
        """Return a row of Study B's table of captioners by its name; StopIteration if it has none."""
        return next(row for row in self.comparison if row.system == system)

    def reading_table(self, rows: Sequence[PublishedScores], metrics: Sequence[str]) -> pd.DataFrame:
        """Return rows for reading: system, scores as printed, trainable parameters, and the paper with a link."""
        lines = [
            {"System": row.system}
            | {metric: as_printed(row.scores.get(metric)) for metric in metrics}
            | {"Parameters, M": DASH if row.parameters is None else f"{row.parameters:g}"}
            | {"Paper": self._linked(row)}
            for row in rows
        ]
        return pd.DataFrame(lines)

    def sources(self, rows: Sequence[PublishedScores]) -> str:
        """Return a Markdown list, one line a row: its paper, what was trained, and where it was read."""
        lines = []
        for row in rows:
            paper = self.papers[row.paper]
            cited = f"{paper.authors} ({paper.year}), *{paper.title}*" if paper.arxiv else paper.title
            lines.append(f"- **{row.system}**: {cited}. Trained: {row.trained}. Read: {row.read}.")
        return "\n".join(lines)

    def _linked(self, row: PublishedScores) -> str:
        paper = self.papers[row.paper]
        if not paper.arxiv:
            return paper.title
        first, *others = paper.authors.split(", ")
        name = escape(f"{first} et al. {paper.year}" if others else f"{first} {paper.year}")
        return Markup(f'<a href="https://arxiv.org/abs/{paper.arxiv}">{name}</a>')


def load_published(path: Path = FILE) -> Published:
    """Return the published tables; CapdecError for a key that is unknown, missing or of another type."""
    return strict(Published, tomllib.loads(path.read_text(encoding="utf-8")), path.name)


def as_printed(points: float | None) -> str:
    """Return a published score as papers print it, with one decimal at least; a dash for none."""
    if points is None:
        return DASH
    return f"{points:.1f}" if float(points).is_integer() else f"{points:g}"
