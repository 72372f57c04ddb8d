"""Write the repository's address and this version's tag wherever they are spelt out: chapters and README.

Each stands in one place: the address under [project.urls] in pyproject.toml, the version in capdec_core/__init__.py.
"""

import re
import tomllib
from pathlib import Path

from capdec_core import __version__

ROOT = Path(__file__).resolve().parent.parent
FILES = [ROOT / "README.md", *sorted(ROOT.glob("notebooks/[0-9][0-9]_*.py"))]
HOST = "https://github.com/"
TAG = f"v{__version__}"


def address() -> str:
    """Return the repository's address; SystemExit where it is not on GitHub, where Colab and Binder look for it."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    if not re.fullmatch(rf"{HOST}[\w.-]+/[\w.-]+", found):
        raise SystemExit(f"[project.urls] Repository in pyproject.toml is {found!r}, not {HOST}OWNER/NAME")
    return found


def stamped(text: str, repository: str, tag: str) -> str:
    """Return a text whose links to Colab and Binder, and whose package at a tag, are of this repository and tag."""
    slug = repository.removeprefix(HOST)
    text = re.sub(r'git\+https://[^@\s"]+@[^\s"]+', f"git+{repository}@{tag}", text)
    text = re.sub(r"(google\.com/github)/[^/]+/[^/]+/blob/[^/]+/", rf"\1/{slug}/blob/{tag}/", text)
    return re.sub(r"(mybinder\.org/v2/gh)/[^/]+/[^/]+/[^/?)]+", rf"\1/{slug}/{tag}", text)


def main() -> None:
    """Rewrite the files in place."""
    for path in FILES:
        path.write_text(stamped(path.read_text(encoding="utf-8"), address(), TAG), encoding="utf-8")


if __name__ == "__main__":
    main()
