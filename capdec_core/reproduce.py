"""What `make reproduce`, `make study` and `make report` do: cells, notebooks, report, in that order."""

import time
from dataclasses import dataclass
from pathlib import Path

from capdec_core import paths
from capdec_core.book import build_report, execute
from capdec_core.device import check_device
from capdec_core.profiles import Profile, load_profile
from capdec_core.runner import Runner
from capdec_core.store import CellStore
from capdec_core.studies import NOTEBOOKS, STUDIES, study_named


@dataclass(frozen=True)
class Book:
    """One profile's book on one device: where its parts lie below `results/`."""

    profile: Profile
    device: str

    def __post_init__(self) -> None:
        check_device(self.device)

    @property
    def executed(self) -> Path:
        """Folder of the executed notebooks."""
        return paths.EXECUTED / self.profile.name

    @property
    def report(self) -> Path:
        """Folder of the HTML report."""
        return paths.REPORT / self.profile.name

    def compute(self, names: list[str]) -> None:
        """Compute the cells of studies that are missing, all side by side."""
        runner = Runner(self.profile, CellStore(paths.CELLS), self.device)
        runner.compute(
            [cell for name in names for cell in study_named(name).cells(self.profile, runner.material)]
        )

    def execute(self, name: str) -> Path:
        """Run one study's notebook and return the executed copy."""
        notebook = f"{NOTEBOOKS[name]}.ipynb"
        output = self.executed / notebook
        parameters = {"profile": self.profile.name, "device": self.device, "seeds": self.profile.seeds}
        execute(paths.NOTEBOOKS / notebook, output, parameters)
        return output

    def bind(self) -> Path:
        """Render the executed notebooks and return the report's first page."""
        return build_report(self.executed, self.report)


def reproduce(profile: str, device: str) -> Path:
    """Run the whole book and return the report's first page; what is finished already is not done again."""
    started = time.monotonic()
    book = Book(load_profile(profile), device)
    book.compute(list(STUDIES))
    for name in STUDIES:
        book.execute(name)
    page = book.bind()
    print(f"The book took {(time.monotonic() - started) / 60:.1f} minutes.")
    return page


def study(name: str, profile: str, device: str) -> Path:
    """Run one study, cells and notebook, and return the executed notebook."""
    study_named(name)
    book = Book(load_profile(profile), device)
    book.compute([name])
    return book.execute(name)


def report(profile: str, device: str) -> Path:
    """Render the notebooks that were executed and return the report's first page."""
    return Book(load_profile(profile), device).bind()
