"""Chapter 8's scores: every system under every protocol, from the cosines that the cells keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from capdec_core.protocol import (
    Captioners,
    Drawn,
    Round,
    advantages,
    another_seed,
    as_published,
    draw,
    other_captions,
    other_references,
    whole_test_set,
)
from capdec_core.statistics import Estimate
from capdec_core.studies.conditions import Condition
from capdec_core.studies.cosine_directed_grid import UNIT
from capdec_core.studies.pretrained_capdec import baseline_of, retrained
from capdec_core.studies.protocol_systems import by_group, place_of
from capdec_core.studies.view import StudyView

METRIC = "MiniLM"

PUBLISHED = "Study A's protocol"
CAPTIONS = "Chosen by other captions"
REFERENCES = "Chosen by other references"
SEED = "Chosen by another seed"
WHOLE = "All test images"

PROTOCOLS = (PUBLISHED, CAPTIONS, REFERENCES, SEED, WHOLE)
"""Every protocol by its name, from all of the baseline's luck to none of it."""


@dataclass(frozen=True)
class ProtocolScores(StudyView):
    """The systems, numbered from the baseline, 0, and their MiniLM scores under every protocol."""

    @property
    def chosen(self) -> int:
        """How many images are chosen."""
        return self.profile.protocol.selected

    @cached_property
    def baseline(self) -> Condition:
        """Pre-trained CapDec, or what stands for it: Gaussian noise of the variance that Study A names."""
        return baseline_of(self.results)

    @cached_property
    def sampler(self) -> Condition:
        """What is trained here as the baseline was, several times: the baseline itself, unless that was published."""
        return retrained(self.results)

    @cached_property
    def systems(self) -> list[Condition]:
        """The compared systems by group, the baseline first, then the controls.

        Of the cosine-directed grid, the row with the highest CIDEr on validation images is compared.
        """
        rows = [c for c in self.results.cells if c.family == UNIT]
        others = [c for c in self.results.cells if c != self.baseline and c not in rows]
        return [self.baseline, *sorted([*others, self.results.best(rows)], key=place_of)]

    @cached_property
    def alternatives(self) -> dict[str, list[Condition]]:
        """Study A's alternatives to the baseline, by group."""
        return by_group(self.systems)

    @cached_property
    def strongest(self) -> dict[str, Condition]:
        """Of each group, the alternative with the highest score on all test images."""
        whole = self.drawn[WHOLE].values
        return {
            group: max(found, key=lambda condition: whole[self.number(condition)])
            for group, found in self.alternatives.items()
        }

    def number(self, condition: Condition) -> int:
        """Return the number of a system."""
        return self.systems.index(condition)

    @cached_property
    def captioners(self) -> Captioners:
        """Every trained captioner's score of each test image: the mean cosine of five captions with the references."""
        matrices = [self.results.matrix(condition, METRIC) for condition in self.systems]
        owner = np.repeat(np.arange(len(matrices)), [len(matrix) for matrix in matrices])
        return Captioners(np.concatenate(matrices), owner)

    @cached_property
    def cosines(self) -> np.ndarray:
        """The cosines behind the scores, (rows, images, captions, references), to four decimals."""
        return np.concatenate([self.results.similarities(condition) for condition in self.systems])

    @cached_property
    def rounds(self) -> dict[str, list[Round]]:
        """The rounds of every protocol."""
        captioners, cosines, n = self.captioners, self.cosines, self.chosen
        return {
            PUBLISHED: as_published(captioners, n),
            CAPTIONS: other_captions(captioners, cosines, n),
            REFERENCES: other_references(captioners, cosines, n),
            SEED: another_seed(captioners, n, self.number(self.sampler)),
            WHOLE: whole_test_set(captioners),
        }

    @cached_property
    def drawn(self) -> dict[str, Drawn]:
        """Every system's score under every protocol, with replicates over images and seeds."""
        return self.draw(self.rounds)

    def draw(self, rounds: Mapping[str, list[Round]]) -> dict[str, Drawn]:
        """Return every system's score under some protocols, with the same resamples each time."""
        return draw(rounds, self.captioners.owner, **self.results.resampling())

    def estimate(self, drawn: Drawn, column: int, *systems: int) -> Estimate:
        """Return a column of `drawn` with its interval; `systems` are those whose seeds it rests on."""
        seeds = min(len(self.captioners.rows(system)) for system in systems)
        return drawn.estimate(column, images=self.captioners.images, seeds=seeds)

    @cached_property
    def effects(self) -> Drawn:
        """What Study A's choice adds to the baseline's advantage over each other system (number - 1)."""
        return advantages(self.drawn[PUBLISHED]) - advantages(self.drawn[WHOLE])
