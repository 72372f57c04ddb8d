"""What `make reproduce`, `make study` and `make report` do: cells, notebooks, report, in that order."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from capdec_core import paths
from capdec_core.book import build_report, execute
from capdec_core.device import cores, devices_of
from capdec_core.downloads import ensure
from capdec_core.errors import CapdecError
from capdec_core.planning.command import announced
from capdec_core.planning.fetching import parts_of
from capdec_core.profiles import Profile, load_profile
from capdec_core.reference.read import bind_reference, has_reference, part_told
from capdec_core.runner import Runner
from capdec_core.store import CellStore
from capdec_core.studies import GATHERING, NOTEBOOKS, book_of, grid_of, study_named
from capdec_core.studies.conditions import all_cells, wanted_by


@dataclass(frozen=True)
class Book:
    """One profile's book on one device, or on several GPUs: where its parts lie below `results/`."""

    profile: Profile
    device: str

    def __post_init__(self) -> None:
        devices_of(self.device)
        if not paths.NOTEBOOKS.is_dir():
            raise CapdecError(
                f"no chapters in {paths.NOTEBOOKS}: the book is made in a checkout of its repository, which "
                "CAPDEC_ROOT can name"
            )

    @property
    def studies(self) -> dict[str, str]:
        """The book's studies with their notebooks."""
        return book_of(self.profile)

    @property
    def executed(self) -> Path:
        """Folder of the executed notebooks."""
        return paths.EXECUTED / self.profile.name

    @property
    def report(self) -> Path:
        """Folder of the HTML report."""
        return paths.REPORT / self.profile.name

    def compute(self, names: list[str]) -> None:
        """Compute the cells of studies that are missing, all side by side; data that they lack is fetched first."""
        grid = [each for name in names for each in grid_of(name, self.profile, self.profile.seeds)]
        wanted = wanted_by(grid)
        ensure(parts_of(self.profile.corpus.name, training_images=bool(wanted.images)))
        runner = Runner(self.profile, CellStore(paths.CELLS), self.device, wanted)
        runner.compute(all_cells(grid, self.profile, runner.material))

    def execute(self, name: str) -> Path:
        """Run one study's notebook and return the executed copy."""
        notebook = f"{NOTEBOOKS[name]}.ipynb"
        output = self.executed / notebook
        parameters = {
            "profile": self.profile.name,
            "device": devices_of(self.device)[0],
            "seeds": self.profile.seeds,
        }
        execute(paths.NOTEBOOKS / notebook, output, parameters)
        return output

    def execute_all(self) -> None:
        """Run every study's notebook, as many at a time as there are cores; first those that read all studies."""
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=min(cores(), len(self.studies)), mp_context=context) as pool:
            order = sorted(self.studies, key=lambda name: name not in GATHERING)
            for future in [pool.submit(self.execute, name) for name in order]:
                future.result()

    @property
    def is_executed(self) -> bool:
        """Whether every chapter was executed."""
        return all((self.executed / f"{name}.ipynb").is_file() for name in self.studies.values())

    def bind(self) -> Path:
        """Render the executed notebooks and return the report's first page."""
        return build_report(
            self.executed, self.report, banner=part_told(self.profile), only=self.studies.values()
        )


def reproduce(profile: str, device: str) -> Path:
    """Run the whole book and return the report's first page; what is finished already is not done again.

    What it will take is printed before it starts. "auto" leaves profile or device to the machine. Raises CapdecError,
    before anything is fetched or computed, for a wrong name or a download that is larger than the disk.
    """
    started, plan = time.monotonic(), announced(profile, device)
    book = Book(plan.profile, plan.device)
    book.compute(list(book.studies))
    book.execute_all()
    page = book.bind()
    print(f"The book took {(time.monotonic() - started) / 60:.1f} minutes.")
    return page


def study(name: str, profile: str, device: str) -> Path:
    """Run one study, cells and notebook, and return the executed notebook."""
    study_named(name)
    book = Book(load_profile(profile, device), device)
    book.compute([name])
    return book.execute(name)


def report(profile: str, device: str) -> Path:
    """Render the notebooks that were executed here and return the report's first page.

    Unless every chapter was, it is the profile's reference results that are rendered, where there are any; a
    report is never of both.
    """
    book = Book(load_profile(profile, device), device)
    if book.is_executed or not has_reference(profile):
        return book.bind()
    print("Not every chapter was executed here: this is the report of the reference results.")
    return bind_reference(book.profile, book.report)
