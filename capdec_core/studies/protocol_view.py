"""What chapter 8 shows: every system's score by who chooses the images, the effect of the choice, the rankings."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from capdec_core.protocol import (
    Drawn,
    Turn,
    advantages,
    agreement_of_halves,
    another_seed,
    as_published,
    best_images,
    kendall_tau,
    ranks,
    reliability,
    selection_effect,
    turned_pairs,
    uplift,
)
from capdec_core.statistics import Estimate
from capdec_core.studies.claims import Claim, contrast_table
from capdec_core.studies.conditions import Condition
from capdec_core.studies.protocol_claims import Compared, claims, comparisons
from capdec_core.studies.protocol_scores import METRIC, PROTOCOLS, PUBLISHED, SEED, WHOLE, ProtocolScores
from capdec_core.studies.protocol_systems import heading_of
from capdec_core.studies.view import Examples

NUMBERS = 12
"""At how many numbers of chosen images the advantage is drawn."""


@dataclass(frozen=True)
class ProtocolStudy(ProtocolScores):
    """The chapter's results: everything that the notebook shows."""

    def heading(self, condition: Condition) -> str:
        """Return the heading under which tables list the condition."""
        return "Baseline" if condition == self.baseline else heading_of(condition)

    @cached_property
    def contrasts(self) -> list[Compared]:
        """The chapter's family of comparisons, corrected together."""
        return comparisons(self)

    @property
    def contrast_table(self) -> pd.DataFrame:
        """One row a comparison, with its protocol."""
        protocols = [contrast.protocol for contrast in self.contrasts]
        return contrast_table(self.contrasts).assign(protocol=protocols)

    @cached_property
    def claims(self) -> list[Claim]:
        """Study A's claims under its own protocol and on all images."""
        return claims(self, self.contrasts)

    @cached_property
    def luck(self) -> Estimate:
        """The baseline's score on images that its own captions chose, minus that where another seed chose."""
        return self.estimate(self.drawn[PUBLISHED] - self.drawn[SEED], 0, 0)

    @cached_property
    def uplift(self) -> Estimate:
        """The baseline's score on the images that it chose, minus that on all."""
        return self.estimate(self.drawn[PUBLISHED] - self.drawn[WHOLE], 0, 0)

    @cached_property
    def lifted(self) -> float:
        """The same lift in standard deviations over images of the baseline's scores, averaged over seeds."""
        own = self.captioners.scores[self.captioners.rows(0)]
        return float(np.mean([uplift(scores, self.chosen) / scores.std() for scores in own]))

    @cached_property
    def reliability(self) -> float:
        """The share of the variance over images of the sampler's scores that another of its seeds shares."""
        return reliability(self.results.matrix(self.sampler, METRIC))

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row a system: its score under each protocol with its interval, and its rank."""
        return pd.DataFrame([self._row(number) for number in range(len(self.systems))])

    def _row(self, number: int) -> dict[str, object]:
        condition = self.systems[number]
        row: dict[str, object] = {
            "label": condition.label,
            "group": self.heading(condition),
            "seeds": condition.seeds,
        }
        for name, drawn in self.drawn.items():
            found = self.estimate(drawn, number, number)
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
            row[f"rank, {name}"] = int(ranks(drawn.values)[number])
        return row

    @cached_property
    def effect_table(self) -> pd.DataFrame:
        """One row a system other than the baseline: effect of the choice, as measured and as predicted."""
        return pd.DataFrame([self._effect(number) for number in range(1, len(self.systems))])

    def _effect(self, number: int) -> dict[str, object]:
        found = self.estimate(self.effects, number - 1, 0, number)
        own = self.captioners.scores[self.captioners.rows(0)]
        other = self.captioners.scores[self.captioners.rows(number)].mean(axis=0)
        return {
            "label": self.systems[number].label,
            "group": self.heading(self.systems[number]),
            "effect": found.value,
            "low": found.low,
            "high": found.high,
            "predicted": float(np.mean([selection_effect(seed, other, self.chosen) for seed in own])),
        }

    @cached_property
    def closest(self) -> Condition:
        """Of all alternatives, the one with the highest score on all test images."""
        whole = self.drawn[WHOLE].values
        return max(self.strongest.values(), key=lambda condition: whole[self.number(condition)])

    @cached_property
    def by_number(self) -> pd.DataFrame:
        """The baseline's advantage over the closest alternative, by how many images are chosen and by whom."""
        images = self.captioners.images
        numbers = np.unique(np.geomspace(1, images, NUMBERS).round().astype(int)).tolist()
        return pd.DataFrame([row for n in sorted({*numbers, self.chosen}) for row in self._with(n)])

    def _with(self, n: int) -> list[dict[str, object]]:
        other = self.number(self.closest)
        drawn = self.draw(
            {
                PUBLISHED: as_published(self.captioners, n),
                SEED: another_seed(self.captioners, n, self.number(self.sampler)),
            }
        )
        found = {name: self.estimate(advantages(d), other - 1, 0, other) for name, d in drawn.items()}
        return [
            {"n": n, "protocol": name, "advantage": e.value, "low": e.low, "high": e.high}
            for name, e in found.items()
        ]

    @cached_property
    def choosers(self) -> pd.DataFrame:
        """Ranks among the baseline and the strongest of each group: one row by who chooses, the last by all images.

        Columns: chooser, then each system's rank, and `often`: in how many resamples the chooser comes first.
        """
        shown = [self.baseline, *self.strongest.values()]
        numbers = [self.number(condition) for condition in shown]
        rounds = {
            condition.label: as_published(self.captioners, self.chosen, number)
            for condition, number in zip(shown, numbers, strict=True)
        }
        rows = []
        for place, (label, found) in enumerate(self.draw(rounds).items()):
            first = ranks(found.replicates[:, numbers])[:, place] == 1
            rows.append([label, *ranks(found.values[numbers]).tolist(), float(first.mean())])
        rows.append([WHOLE, *ranks(self.drawn[WHOLE].values[numbers]).tolist(), None])
        return pd.DataFrame(rows, columns=["chooser", *(c.label for c in shown), "often"])

    @cached_property
    def turns(self) -> list[Turn]:
        """The pairs of systems that Study A's protocol and the whole test set rank in opposite order."""
        return turned_pairs(self.drawn[PUBLISHED], self.drawn[WHOLE])

    @cached_property
    def tau(self) -> Estimate:
        """Kendall's tau between the rankings by Study A's protocol and by the whole test set."""
        one, other = self.drawn[PUBLISHED], self.drawn[WHOLE]
        values = kendall_tau(one.values[None], other.values[None])
        found = Drawn(values, kendall_tau(one.replicates, other.replicates)[:, None])
        return self.estimate(found, 0, *range(len(self.systems)))

    @cached_property
    def agreement(self) -> dict[str, float]:
        """Kendall's tau between rankings on two halves of the test set, averaged over random halves, by protocol."""
        return {name: float(self._halves(name).mean()) for name in PROTOCOLS}

    def _halves(self, name: str) -> np.ndarray:
        halves, owner = self.profile.protocol.halves, self.captioners.owner
        return agreement_of_halves(
            self.rounds[name], owner, halves=halves, generator=self.results.generator()
        )

    def overlap(self, condition: Condition) -> float:
        """Return how many of the images that the baseline chooses a system chooses too, averaged over seeds.

        Of what is trained as the baseline was: how many another training chooses.
        """
        own, others = self.captioners.rows(0), self.captioners.rows(self.number(condition))
        best = {
            row: best_images(self.captioners.scores[row], self.chosen).tolist()
            for row in np.union1d(own, others).tolist()
        }
        return float(np.mean([len({*best[i]} & {*best[j]}) for i in own for j in others if i != j]))

    def chosen_examples(self, count: int) -> Examples:
        """Return the first of the images that the baseline's first seed chooses, best first, with captions."""
        indices = best_images(self.captioners.scores[0], count).tolist()
        return self.captioned([self.baseline, *self.strongest.values()], indices)
