"""The programs of `scripts/`, which are no package, as modules."""

import importlib.util
import sys
from types import ModuleType

from capdec_core import paths


def load_script(name: str) -> ModuleType:
    """Return `scripts/<name>.py` as a module, made anew."""
    spec = importlib.util.spec_from_file_location(name, paths.ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
