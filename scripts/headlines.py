"""Write what the reference results say about photographs and about speed into the README, between marks.

Every number comes from `results/reference`; after new reference results or benchmarks, `make sync`.
"""

import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from capdec_core.corpora import CROSS
from capdec_core.paths import RESULTS
from capdec_core.profiles import profile_names
from capdec_core.reference.manifest import read_manifest
from capdec_core.reference.read import has_reference, reference_folder
from capdec_core.statistics import Estimate
from capdec_core.studies.bridges_grid import GAUSSIAN, IMAGES, NOISY_PROJECTION, NONE, WAYS
from capdec_core.studies.bridges_in_domain import TABLE, InDomain
from capdec_core.tables import with_interval

README = Path(__file__).resolve().parent.parent / "README.md"
PROFILE = "flickr8k"
BENCHMARKS = RESULTS / "reference" / "benchmarks"
BLOCK = "<!-- {name}: written by make sync -->\n{text}\n<!-- end of {name} -->"
WIDTH = 120
SHOWN = [family for family in WAYS if not family.endswith(("pairs", "clusters"))]
"""Ways that are listed; noise shaped by a covariance is in the report alone."""


def headlines() -> str:
    """Return the README's paragraphs and table about the reference results of `PROFILE`."""
    settings, best = _chosen(PROFILE)
    order = sorted(best, key=lambda family: -best[family][1].value)
    rows = [
        f"| {WAYS[family].title} | {WAYS[family].source} | {label} | {_points(estimate)} | {estimate.n_seeds} |"
        for family in order
        for label, estimate in [best[family]]
    ]
    return "\n".join(
        [
            textwrap.fill(_in_short(settings, {name: score for name, (_, score) in best.items()}), WIDTH),
            "",
            "| way over the gap | from | setting that validation images chose | CIDEr | seeds |",
            "|---|---|---|---|---|",
            *rows,
            "",
            textwrap.fill(_verdicts(), WIDTH, break_on_hyphens=False),
        ]
    )


def _chosen(profile: str) -> tuple[dict[str, Any], dict[str, tuple[str, Estimate]]]:
    """Return a reference's settings and, by way, what validation images chose there with its CIDEr on test images."""
    manifest = read_manifest(reference_folder(profile), profile)
    table = pd.read_csv(reference_folder(profile) / TABLE)
    known = InDomain(manifest, table[(table.kind == "score") & (table.metric == "CIDEr")])
    return manifest["settings"], {family: found for family in SHOWN if (found := known.best(family))}


def _across() -> str:
    """Return how decoders fare that have read another corpus's captions, as far as there are reference results."""
    told = []
    for profile, (text, images) in CROSS.items():
        if images == PROFILE and has_reference(profile):
            _, best = _chosen(profile)
            told.append(
                f" A decoder that has read the captions of {text.capitalize()} instead scores "
                f"{_points(best[NONE][1])} without noise, {_points(best[GAUSSIAN][1])} with Gaussian noise and "
                f"{_points(best[NOISY_PROJECTION][1])} with noise and a memory."
            )
    return "".join(told)


def _points(score: Estimate) -> str:
    return with_interval(score.value, score.low, score.high)


def _in_short(settings: Mapping[str, Any], scores: Mapping[str, Estimate]) -> str:
    """Return what was measured, and the ways that matter most beside no noise and the captioner trained on images."""
    none, images = scores[NONE], scores[IMAGES]
    gaussian, memory = (
        f"{scores[family].value / none.value:.1f} times the former and {scores[family].value / images.value:.0%}"
        for family in (GAUSSIAN, NOISY_PROJECTION)
    )
    training = settings["training"]
    return (
        f"On Flickr8k's {settings['corpus']['sizes']['test']:,} test images, with packaged towers and a small GPT-2 "
        f"that is trained for {training['steps']:,} batches of {training['batch_size']}, a decoder that has only "
        f"ever read text scores {_points(none)} points of CIDEr without noise, and one trained on the images "
        f"{_points(images)}. Gaussian noise reaches {gaussian} of the latter; noise with a memory of captions "
        f"{memory}.{_across()} Beams of {settings['decoding']['beams']}; 95% intervals over images and seeds."
    )


def _verdicts() -> str:
    """Return how many claims of studies and papers stand, for every profile with reference results."""
    told = []
    for profile in filter(has_reference, profile_names()):
        claims = json.loads((reference_folder(profile) / "ledger.json").read_text(encoding="utf-8"))["claims"]
        verdicts = pd.Series([claim["verdict"] for claim in claims]).value_counts()
        told.append(f"`{profile}`: " + ", ".join(f"{count} {name}" for name, count in verdicts.items()))
    return (
        "Claims of the studies and papers by verdict, each with its test in chapter 9's ledger: "
        f"{'; '.join(told)}. `make report PROFILE={PROFILE}`, or another of these, shows all of it from "
        "`results/reference/`."
    )


def speed() -> str:
    """Return the table of ratios that have a bar, of the benchmarks that are kept, and where they were run."""
    machine = json.loads((BENCHMARKS / "training.json").read_text(encoding="utf-8"))["machine"]
    ratios = (BENCHMARKS / "README.md").read_text(encoding="utf-8").partition("\n## ")[0]
    told = (
        f"As last kept, on {machine['cores']} cores of {machine['cpu']} ({machine['cpu capability']}); all parts are "
        "in `results/reference/benchmarks/`:"
    )
    return f"{textwrap.fill(told, WIDTH)}\n\n{ratios.removeprefix('# Benchmarks').strip()}\n"


SECTIONS = {"headlines": headlines, "speed": speed}


def written(text: str) -> str:
    """Return a README with what is true now between its marks."""
    for name, told in SECTIONS.items():
        block = BLOCK.format(name=name, text=told())
        around = re.escape(BLOCK.format(name=name, text="@")).replace("@", ".*?")
        text = re.sub(around, lambda _, block=block: block, text, flags=re.DOTALL)
    return text


def main() -> None:
    """Rewrite the README in place."""
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
