"""What pyproject.toml cannot say: a wheel carries the artefacts of `data/`, where `capdec_core.paths` has them."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ARTEFACTS = ("captioner", "miniature", "scenes", "towers")


class BuildWithArtefacts(build_py):
    """Builds the package and copies the artefacts into it; an editable package reads them where they are."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if not self.editable_mode:
            for name in ARTEFACTS:
                target = Path(self.build_lib, "capdec_core", "artefacts", name)
                shutil.copytree(Path("data", name), target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithArtefacts})
