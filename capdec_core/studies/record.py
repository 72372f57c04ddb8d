"""How a chapter was computed: its cells, their cost, the signature of its scores and the versions used."""

import pandas as pd

from capdec_core.studies.view import StudyView


def cells(study: StudyView) -> pd.DataFrame:
    """Return one row a cell: id, condition, seed, seconds of training and decoding, test CIDEr (own value).

    A cell that several conditions share is listed once, under the first of them.
    """
    results = study.results
    rows: dict[str, dict] = {}
    for condition, found in results.cells.items():
        for cell, scores in zip(found, results.scores(condition), strict=True):
            entry = {"Cell": cell.id, "Condition": condition.label, "Seed": cell.seed}
            entry["Seconds"] = f"{results.store.record(cell)['seconds']:.1f}"
            entry["CIDEr"] = f"{100 * scores['corpus']['CIDEr']:.1f}"
            rows.setdefault(cell.id, entry)
    return pd.DataFrame(list(rows.values()))


def anchors(study: StudyView) -> list[str]:
    """Return the HTML id of each row of `cells`, to which evidence links."""
    return [f"cell-{cell}" for cell in cells(study)["Cell"]]


def costs(study: StudyView) -> pd.DataFrame:
    """Return one row a heading: cells, median and total seconds of a cell, trainable parameters, peak memory."""
    table = study.results.costs().set_index("cell")
    heading: dict[str, str] = {}
    for condition, found in study.results.cells.items():
        for cell in found:
            heading.setdefault(cell.id, study.heading(condition))
    groups = table.groupby(table.index.map(heading), sort=False)
    return pd.DataFrame(
        [{"Family": name} | _cost(group) for name, group in groups] + [{"Family": "All cells"} | _cost(table)]
    )


def _cost(group: pd.DataFrame) -> dict[str, object]:
    smallest, largest = (
        f"{count / 1e6:.2f}" for count in (group.trainable_parameters.min(), group.trainable_parameters.max())
    )
    return {
        "Cells": len(group),
        "Seconds a cell, median": f"{group.seconds.median():.1f}",
        "Seconds, all": f"{group.seconds.sum():.0f}",
        "Trainable parameters, millions": smallest if smallest == largest else f"{smallest} to {largest}",
        "Peak memory, MiB": f"{group.peak_memory.max() / 2**20:.0f}",
    }


def signature(study: StudyView) -> list[str]:
    """Return the signatures of the chapter's scores of test captions; one, where all are comparable."""
    return sorted({s["signature"] for c in study.results.cells for s in study.results.scores(c)})


def footer(study: StudyView) -> str:
    """Return the closing paragraph in Markdown: seeds, device, versions, signature."""
    results = study.results
    record = results.store.record(next(iter(results.cells.values()))[0])
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    devices = ", ".join(sorted(set(results.costs().device)))
    seeds = sorted({cell.seed for found in results.cells.values() for cell in found})
    some = "for headline conditions, the first of them for all others"
    shared = "for every condition" if _equally_many(study) else some
    lines = [
        f"Profile `{study.profile.name}`; training seeds {', '.join(map(str, seeds))} {shared}; "
        f"{results.statistics.resamples} resamples for every interval and every p, with seed "
        f"{results.statistics.seed}; device {devices}.",
        f"Versions: {versions}.",
        "Signature of the scores: " + "; ".join(f"`{text}`" for text in signature(study)) + ".",
    ]
    return "\n\n".join(lines)


def _equally_many(study: StudyView) -> bool:
    return len({len(found) for found in study.results.cells.values()}) == 1
