"""What chapter 7 across corpora is set beside: the same chapter where the decoder has read the images' own corpus.

The numbers in domain are reference results (`capdec_core.reference`) of the profile that is called as the images'
corpus is. Either side chooses its settings on validation images, the same ones.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd
from scipy import stats

from capdec_core.corpora import corpus_of_images, trains_on_text
from capdec_core.profiles import Profile
from capdec_core.reference.manifest import read_manifest
from capdec_core.reference.read import has_reference, reference_folder
from capdec_core.statistics import Estimate

TABLE = "tables/07_bridges.csv"
DECIDING = ("encoder", "mapper", "language_model", "pretraining", "training", "decoding")
"""Settings of a profile that a comparison of corpora must leave alone."""


@dataclass(frozen=True)
class InDomain:
    """Reference results of chapter 7 in domain.

    Attributes:
        manifest: of the reference.
        scores: lines of the chapter's tidy table: CIDEr of validation and of test captions, of each seed and over all.
    """

    manifest: Mapping[str, Any]
    scores: pd.DataFrame = field(repr=False)

    def best(self, family: str) -> tuple[str, Estimate] | None:
        """Return the setting of a way that validation images choose, and its CIDEr on test images; None for no way.

        As in `Results.best`, settings are compared on the seeds that all of them have.
        """
        rows = self.scores[self.scores.family == family]
        chosen_by = rows[(rows.split == "val") & rows.seed.notna()]
        validation = chosen_by.pivot(index="condition", columns="seed", values="estimate")
        if validation.empty:
            return None
        label = str(validation.dropna(axis="columns").mean(axis="columns").idxmax())
        shown = rows[(rows.split == "test") & rows.seed.isna()].set_index("condition")
        return label, _estimate(shown.loc[label])

    def differing(self, profile: Profile) -> list[str]:
        """Return, in words, which settings of `DECIDING` differ from those of `profile`; new ones do not count."""
        theirs, ours = self.manifest["settings"], asdict(profile)
        tables = [(name, theirs[name] or {}, ours[name] or {}) for name in DECIDING]
        return [
            f"`{table}.{name}` is {own.get(name)} here and {value} in domain"
            for table, other, own in tables
            for name, value in other.items()
            if own.get(name) != value
        ]


def in_domain(profile: Profile) -> InDomain | None:
    """Return what to set beside a profile that reads another corpus's captions; None for others, or without results.

    Raises CapdecError where the reference is damaged.
    """
    name = corpus_of_images(profile.corpus.name)
    if not trains_on_text(profile.corpus.name) or not has_reference(name):
        return None
    manifest = read_manifest(reference_folder(name), name)
    table = pd.read_csv(reference_folder(name) / TABLE)
    return InDomain(manifest, table[(table.kind == "score") & (table.metric == "CIDEr")])


def _estimate(row: pd.Series) -> Estimate:
    """Return a line's number with its interval; the standard error is the one that a normal one would have."""
    value, low, high, level = (float(row[name]) for name in ("estimate", "low", "high", "level"))
    error = (high - low) / 2 / float(stats.norm.ppf((1 + level) / 2))
    return Estimate(value, low, high, level, error, int(row.images), int(row.seeds))
