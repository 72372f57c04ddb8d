"""A whole grid on many GPUs: what each part of it takes, at a speed that was measured or is assumed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from capdec_core import downloads
from capdec_core.memory import FLOAT
from capdec_core.planning import space
from capdec_core.planning.encoding import PHOTOGRAPH, encoding, towers
from capdec_core.planning.fetching import parts_of
from capdec_core.planning.grid import Grid
from capdec_core.planning.judging import judging
from capdec_core.planning.operations import PEAK_BF16
from capdec_core.planning.schedule import Schedule, longest_first
from capdec_core.planning.speed import Speed
from capdec_core.profiles import Profile

GPU, UTILISATION, EITHER_WAY = "H100", 0.2, 2.0
"""The GPU that is assumed where none was timed, the share of its peak that training reaches, and the factor by which
this may be wrong either way: CapDec's batches of 34 captions are small for it."""
DECODING = 0.1
"""Share of that speed that decoding reaches, each step of which waits for the one before."""
CORES, BANDWIDTH = 32, 12.5e6
"""Cores of the host that decodes photographs and scores, and bytes a second of its network (100 Mbit/s)."""


def assumed(gpu: str = GPU, utilisation: float = UTILISATION) -> Speed:
    """Return the speed of a GPU that reaches a share of its data sheet's peak: an assumption, not a result."""
    training = PEAK_BF16[gpu] * utilisation
    told = f"{gpu} at {utilisation:.0%} of its {PEAK_BF16[gpu] / 1e12:.0f} Tflop/s, assumed"
    return Speed(told, [[0.0, 0.0], [training, 1.0]], DECODING * training)


@dataclass(frozen=True)
class Phases:
    """Seconds of the parts of a run, each of which waits for the one before."""

    fetching: float
    encoding: float
    cells: float
    scoring: float

    @property
    def whole(self) -> float:
        """Seconds of the run."""
        return sum(vars(self).values())

    @property
    def longest(self) -> str:
        """The part that takes most."""
        return max(vars(self), key=vars(self).__getitem__)


@dataclass(frozen=True)
class Campaign:
    """A profile's whole grid, from nothing, at the speed of one GPU; `took` are seconds of cells that were measured."""

    profile: Profile
    grid: Grid
    speed: Speed
    took: Mapping[str, float]

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Each cell's seconds on one GPU by its id: measured where it was computed, else estimated."""
        found = {name: self.speed.seconds(work) for name, work in self.grid.works.items()}
        return found | {name: s for name, s in self.took.items() if name in found}

    def at(self, speed: Speed) -> "Campaign":
        """Return the same grid at another speed, nothing of it measured."""
        return replace(self, speed=speed, took={})

    def schedule(self, gpus: int) -> Schedule:
        """Return the cells dealt to so many GPUs, the longest first; no decoding is made to wait for its captioner."""
        return longest_first(list(self.seconds.values()), gpus)

    def phases(self, gpus: int) -> Phases:
        """Return what a run takes whose cells are spread over so many GPUs, all else on one host."""
        todo = encoding(self.profile, self.grid.wanted)
        scores = judging(self.grid.cells, "cuda")
        return Phases(
            fetching=(self.data + self.weights) / BANDWIDTH,
            encoding=self.speed.step(todo.operations) + PHOTOGRAPH * todo.photographs / CORES,
            cells=self.schedule(gpus).wall,
            scoring=scores.wall(CORES),
        )

    @property
    def data(self) -> int:
        """Bytes of the data sets that are fetched; photographs' are estimated."""
        wanted = parts_of(self.profile.corpus.name, bool(self.grid.wanted.images))
        return sum(part.size for part in downloads.chosen(wanted))

    @property
    def weights(self) -> int:
        """Bytes of the encoders' and the language model's weights in float32."""
        models = {each.model for each in (self.profile.encoder, *filter(None, self.grid.wanted.images))}
        language_model = max(space.parameters(cell)[1] for cell in self.grid.trained)
        return FLOAT * (sum(towers(model).parameters for model in models) + language_model)

    @property
    def kept(self) -> int:
        """Bytes of the cells when all are done."""
        return space.cell_bytes(self.grid.cells, self.profile)

    @property
    def banks(self) -> int:
        """Bytes of the embeddings."""
        return space.bank_bytes(self.profile, self.grid.wanted)
