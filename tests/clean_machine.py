"""A machine like Colab's: the heavy packages are there, this one is not, and neither is a checkout of it."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGED = ("README.md", "LICENSE", "MANIFEST.in", "pyproject.toml", "setup.py")
FOLDERS = ("capdec_core", "data/captioner", "data/miniature", "data/scenes", "data/towers")


def build_wheel(folder: Path) -> Path:
    """Build an sdist of this tree below `folder`, and from that the wheel; return its path."""
    source = folder / "source"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in PACKAGED:
        shutil.copy(ROOT / name, source)
    options = [
        "--offline",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "--out-dir",
        str(folder / "dist"),
    ]
    subprocess.run([sys.executable, "-m", "uv", "build", "--quiet", *options, str(source)], check=True)
    shutil.rmtree(source)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def make_venv(folder: Path, without: Iterable[str]) -> Path:
    """Make a virtual environment that borrows this one's packages, apart from ours and some; return its python.

    What is installed there later lies in its own folder; its kernel is called `python3`.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    hidden = ("capdec_core", "__editable__", *(name.replace("-", "_") for name in without))
    borrowed = folder / "borrowed"
    borrowed.mkdir()
    for site in (Path(path) for path in sys.path if path.endswith("site-packages")):
        for entry in site.iterdir():
            target = borrowed / entry.name
            if not entry.name.startswith(hidden) and entry.suffix != ".pth" and not target.exists():
                target.symlink_to(entry)
    (own,) = folder.glob("lib/python3*/site-packages")
    (own / "borrowed.pth").write_text(str(borrowed))
    python = folder / "bin" / "python"
    kernel = folder / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": argv, "display_name": "clean", "language": "python"}))
    return python


def repacked(name: str, folder: Path) -> None:
    """Write the wheel of an installed distribution of pure Python."""
    found = distribution(name)
    paths = [path for path in found.files or () if ".." not in path.parts and path.suffix != ".pyc"]
    texts = {str(path): path.locate().read_bytes() for path in paths}
    _write_wheel(folder, name, found.version, texts)


def pretended(name: str, version: str, folder: Path, requires: Iterable[str] = ()) -> None:
    """Write a wheel that has a name, a version and requirements, and no content."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    lines = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
        *(f"Requires-Dist: {r}" for r in requires),
    ]
    wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    texts = {f"{info}/METADATA": "\n".join([*lines, ""]).encode(), f"{info}/WHEEL": wheel.encode()}
    _write_wheel(folder, name, version, texts | {f"{info}/RECORD": b""})


def _write_wheel(folder: Path, name: str, version: str, texts: dict[str, bytes]) -> None:
    (record,) = (path for path in texts if path.endswith("/RECORD"))
    texts[record] = "".join(f"{path},,\n" for path in texts).encode()
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
        for path, data in texts.items():
            wheel.writestr(path, data)


def outside(home: Path, index: Path) -> dict[str, str]:
    """Return an environment in which `home` is the user's, and pip knows the wheels of `index` and no others."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CAPDEC_", "PYTHON", "JUPYTER_"))
    }
    home.mkdir(parents=True, exist_ok=True)
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return ours | pip | {"HOME": str(home), "OMP_NUM_THREADS": "1"}
