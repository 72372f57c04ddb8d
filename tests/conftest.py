"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data (`CAPDEC_DATA`, or beside the project); the test is skipped where it is absent."""
    folder = Path(os.environ.get("CAPDEC_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set CAPDEC_DATA)")
    return folder
