"""The plan of a run: what of a profile's grid is missing, how long it takes here, what it fetches and what it fills."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from capdec_core import paths
from capdec_core.cell import CellConfig, StoredCell
from capdec_core.device import cores, devices_of
from capdec_core.errors import CapdecError
from capdec_core.planning import fetching, space
from capdec_core.planning.grid import Grid, grid
from capdec_core.planning.judging import Judging, judging
from capdec_core.planning.schedule import Schedule, longest_first
from capdec_core.planning.speed import Speed
from capdec_core.planning.stored import measured
from capdec_core.planning.timings import speed_of
from capdec_core.planning.work import Work, pretraining_of
from capdec_core.profiles import Profile
from capdec_core.store import CellStore


@dataclass(frozen=True)
class Plan:
    """What a run of a profile's book is about to do.

    Attributes:
        profile, device: of the run.
        grid: every cell of the book.
        took: seconds of the cells that the store holds, by id: as their records say.
        speed: of this machine; None where nothing is missing.
        missing: what is to be fetched.
        disk: bytes that the missing cells and all embeddings take, when all is done.
    """

    profile: Profile
    device: str
    grid: Grid
    took: Mapping[str, float]
    speed: Speed | None
    missing: fetching.Missing
    disk: int

    @cached_property
    def todo(self) -> list[StoredCell]:
        """The cells that the store lacks; too few where other data were run at the same shapes."""
        return [cell for cell in self.grid.cells if cell.id not in self.took]

    @property
    def trained(self) -> list[CellConfig]:
        """The missing cells that are trained."""
        return [cell for cell in self.todo if isinstance(cell, CellConfig)]

    @cached_property
    def seconds(self) -> list[float]:
        """Estimated seconds of each missing cell, computed alone: of one core on a CPU, of one GPU."""
        return [self.speed.seconds(self.grid.works[cell.id]) for cell in self.todo] if self.speed else []

    @cached_property
    def pretraining(self) -> float:
        """Estimated seconds of training the language models that missing cells start from."""
        if self.speed is None:
            return 0.0
        return sum(self.speed.seconds(work) for work in pretrainings(self.trained).values())

    @cached_property
    def schedule(self) -> Schedule:
        """The missing cells dealt to this machine's cores, or to the GPUs that were named."""
        return longest_first(self.seconds, workers(self.device))

    @property
    def judging(self) -> Judging:
        """What the scores of missing cells take at most."""
        return judging(self.todo, self.device)

    @property
    def computing(self) -> float:
        """Estimated seconds until all cells are trained and decoded."""
        return self.pretraining + self.schedule.wall

    @property
    def wall(self) -> float:
        """Estimated seconds until all cells are computed and scored, at most; encoding and chapters apart."""
        return self.computing + self.judging.wall(cores())

    def refuse_downloads(self) -> None:
        """Raise CapdecError where what is to be fetched is larger than the disk that it goes to."""
        place = paths.REAL_DATA[0]
        if self.missing.size > (room := space.free(place)):
            raise CapdecError(
                f"profile {self.profile.name} has {self.missing.size / 1e9:.1f} GB to fetch, and {place} has "
                f"{room / 1e9:.1f} GB free. Nothing was fetched; make room, set CAPDEC_DATA to a folder on a larger "
                "disk, or take another scale with PROFILE=…"
            )


def make_plan(profile: Profile, device: str) -> Plan:
    """Plan a run of a profile's book on a device; where cells are missing, the machine is timed for some seconds."""
    found, store = grid(profile), CellStore(paths.CELLS)
    took = measured(found.cells, store)
    todo = [cell for cell in found.cells if cell.id not in took]
    speed = speed_of(profile.name, found.trained, devices_of(device)[0]) if todo else None
    missing = fetching.missing(profile, bool(found.wanted.images))
    disk = space.cell_bytes(todo, profile) + space.bank_bytes(profile, found.wanted)
    return Plan(profile, device, found, took, speed, missing, disk)


def pretrainings(cells: Sequence[CellConfig]) -> dict[str, Work]:
    """Return the work of every language model that cells start from and that is trained for them."""
    return {
        repr((cell.pretraining, _shape(cell))): pretraining_of(cell) for cell in cells if cell.pretraining
    }


def _shape(cell: CellConfig) -> dict:
    return {key: value for key, value in cell.language_model.items() if key != "tuned"}


def workers(device: str) -> int:
    """Return how many cells a run computes side by side: one a core, or one a GPU."""
    return cores() if device == "cpu" else len(devices_of(device))
