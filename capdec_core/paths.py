"""Every path that the project reads or writes, one a line."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
INSTALLED = PACKAGE / "artefacts"
"""In an installed package, what a checkout has in `data/`: `setup.py` puts it there."""
HOME = Path.home() / "capdec" if INSTALLED.is_dir() else PACKAGE.parent
ROOT = Path(os.environ.get("CAPDEC_ROOT", HOME)).resolve()

PROFILES = PACKAGE / "profiles"
OWN_PROFILES = Path(os.environ["CAPDEC_PROFILES"]).resolve() if "CAPDEC_PROFILES" in os.environ else None
DATA = ROOT / "data"
ARTEFACTS = INSTALLED if INSTALLED.is_dir() else DATA
ATLAS = ARTEFACTS / "scenes"
MINIATURE = ARTEFACTS / "miniature"
TOWERS = ARTEFACTS / "towers"
SHIPPED = ARTEFACTS / "captioner"
CACHE = DATA / "cache"
BANKS = CACHE / "embeddings"
MODELS = Path(os.environ.get("CAPDEC_MODELS", DATA / "models")).resolve()

REAL_DATA = [
    Path(p).resolve() for p in (os.environ.get("CAPDEC_DATA"), DATA, ROOT.parent / "shared/data") if p
]

NOTEBOOKS = ROOT / "notebooks"
REPORT_SOURCE = NOTEBOOKS / "_report"

RESULTS = Path(os.environ.get("CAPDEC_RESULTS", ROOT / "results")).resolve()
CELLS = RESULTS / "cells"
EXECUTED = RESULTS / "executed"
REPORT = RESULTS / "report"
LEDGER = RESULTS / "ledger"
WORKFLOW = RESULTS / "workflow"
