"""Sentences of chapter 9, written from the ledger's rows; all return Markdown."""

from collections.abc import Sequence

from capdec_core.ledger import LedgerRow
from capdec_core.studies import NOTEBOOKS
from capdec_core.studies.conclusions_view import VERDICTS, Conclusions
from capdec_core.studies.phrases import listed

HEADS = {
    ("supported",): "Holds",
    ("not supported", "artefact"): "Does not hold, or not for the reason given",
    ("undecided",): "Is left open",
}
"""Under which verdicts a study's claims are told, with the heading."""


def in_short(study: Conclusions) -> str:
    """Return how many claims there are and what became of them: by study and verdict, each by name."""
    lines = [f"**Of {_count(len(study.rows))} in all,** {_parted(study.rows)}."]
    for source in study.sources:
        for verdict in VERDICTS:
            if rows := study.of(source, verdict):
                named = "; ".join(f"“{row.claim.rstrip('.')}” ({_chapter(row.chapter)})" for row in rows)
                lines.append(f"**{source}, {verdict}:** {named}.")
    return listed(lines)


def of_study(study: Conclusions, source: str) -> str:
    """Return what a study got right, what it did not, and what is left open, each with the reason.

    Claims, reasons and verdicts are the chapters' own; nothing is said of a verdict that no claim has.
    """
    parts = []
    for verdicts, head in HEADS.items():
        if rows := study.of(source, *verdicts):
            parts.append(f"**{head}:**\n\n{listed([_told(row) for row in rows])}")
    return "\n\n".join(parts) or "The chapters of this book judge none of its claims."


def of_papers(study: Conclusions) -> str:
    """Return the same of everybody else whose claims are judged, each under its own heading."""
    others = [source for source in study.sources if not source.startswith("Study ")]
    return "\n\n".join(f"*{source}*\n\n{of_study(study, source)}" for source in others)


def artefacts(study: Conclusions) -> str:
    """Return what the artefacts have in common: a real difference with another cause."""
    rows = [row for row in study.rows if row.verdict == "artefact"]
    if not rows:
        return "In this run no claim is an artefact: no difference that was found is owed to something else."
    places = ", ".join(f"“{row.claim.rstrip('.')}” ({_chapter(row.chapter)})" for row in rows)
    return (
        f"{_count(len(rows)).capitalize()} {'rests' if len(rows) == 1 else 'rest'} on a difference that is real and "
        f"owed to something other than what is claimed: {places}."
    )


def twice(study: Conclusions) -> str:
    """Return which claims are judged in two chapters, and whether the two verdicts agree."""
    found: dict[tuple[str, str], list[LedgerRow]] = {}
    for row in study.rows:
        found.setdefault((row.source, _stem(row.claim)), []).append(row)
    pairs = [rows for rows in found.values() if len(rows) > 1]
    if not pairs:
        return "No claim is judged twice."
    told = [
        f"“{_stem(rows[0].claim)}” is {' and '.join(f'{row.verdict} in {_chapter(row.chapter)}' for row in rows)}"
        for rows in pairs
    ]
    return f"Some claims are judged twice, by different measures: {'; '.join(told)}."


def computed(study: Conclusions) -> str:
    """Return where the ledger was written, and with what the verdicts were computed."""
    names = " and ".join(f"`results/ledger/{path.name}`" for path in study.export())
    statistics = study.results.statistics
    return (
        f"Profile `{study.profile.name}`; {statistics.resamples} resamples for every interval and every p, with seed "
        f"{statistics.seed}. The ledger is written to {names}: one row a claim in the first, all evidence of every "
        f"claim in the second. Devices, versions, and the signatures of the scores stand at the end of each chapter."
    )


def _parted(rows: Sequence[LedgerRow]) -> str:
    counted = {verdict: sum(row.verdict == verdict for row in rows) for verdict in VERDICTS}
    return ", ".join(
        f"{count} {'is' if count == 1 else 'are'} {'an artefact' if verdict == 'artefact' else verdict}"
        for verdict, count in counted.items()
        if count
    )


def _count(number: int) -> str:
    return f"{number} claim{'' if number == 1 else 's'}"


def _told(row: LedgerRow) -> str:
    return f"*{row.claim}* {row.verdict.capitalize()} ({_chapter(row.chapter)}). {row.reason}"


def _chapter(number: int) -> str:
    """Return a link to the chapter."""
    notebook = next(name for name in NOTEBOOKS.values() if int(name[:2]) == number)
    return f"[chapter {number}]({notebook}.ipynb)"


def _stem(claim: str) -> str:
    """Return a claim without what is said in brackets of how it was measured."""
    return claim.partition(" (")[0].rstrip(".")
