"""Fixtures that several test files share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is imported: processes of several threads each on few cores wait for one another for minutes.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data (`CAPDEC_DATA`, or beside the project); the test is skipped where it is absent."""
    folder = Path(os.environ.get("CAPDEC_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set CAPDEC_DATA)")
    return folder


def _chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("no chromium on this machine, and CI must open the report in a browser")
    if found is None:
        pytest.skip("no chromium on this machine, so the report is not opened in a browser")
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """A headless chromium that keeps to itself."""
    executable = _chromium()
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet += ["--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=quiet)
        yield chromium
        chromium.close()
