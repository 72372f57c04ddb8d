"""A chapter on a machine without a checkout, and what is installed there and what is not touched."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from clean_machine import FOLDERS, ROOT, build_wheel, make_venv, outside, pretended, repacked

from capdec_core import bootstrap, cli, paths
from capdec_core.bootstrap import packages
from capdec_core.errors import CapdecError
from capdec_core.profiles import load_profile
from capdec_core.reproduce import Book

MISSING = "efficientnet-lite-pytorch"
"""A small requirement of the package that the clean machine does not have."""

CHAPTER = paths.NOTEBOOKS / "01_geometry.ipynb"
"""It trains no captioner."""

VERSIONS = (
    "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's wheel, built from its sdist."""
    return build_wheel(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a clean machine, without this package and without `MISSING`."""
    return make_venv(tmp_path_factory.mktemp("machine") / "venv", without=[MISSING])


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """What pip can install: newer numpy and torch, `MISSING`, and a newer one of it that asks for the newer numpy."""
    for name in ("numpy", "torch"):
        pretended(name, "99.0", tmp_path / "index")
    pretended(MISSING, "99.0", tmp_path / "index", requires=["numpy>=99"])
    repacked(MISSING, tmp_path / "index")
    return tmp_path / "index"


def test_wheel_holds_the_whole_package_and_its_artefacts(wheel: Path) -> None:
    package, *artefacts = (ROOT / folder for folder in FOLDERS)
    expected = {f"capdec_core/{path.relative_to(package)}": path for path in package.rglob("*")}
    for folder in artefacts:
        expected |= {f"capdec_core/artefacts/{folder.name}/{path.name}": path for path in folder.iterdir()}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        wanted = {name for name, path in expected.items() if path.is_file() and "__pycache__" not in name}
        assert held == wanted
        assert [name for name in held if archive.read(name) != expected[name].read_bytes()] == []


def test_a_chapter_runs_where_there_is_no_checkout(
    wheel: Path, python: Path, index: Path, tmp_path: Path
) -> None:
    """From the wheel, with what is missing installed, nothing replaced, and papermill's parameters standing."""
    environment = outside(tmp_path / "home", index) | {"CAPDEC_PACKAGE": str(wheel)}

    def run(*command: str) -> str:
        arguments = [str(python), *command]
        done = subprocess.run(
            arguments, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    before = json.loads(run("-c", VERSIONS))
    assert not {"capdec_core", MISSING} & set(before)
    given = ["-p", "profile", "smoke", "-p", "device", "cpu", "-p", "seeds", "1"]
    run("-m", "papermill", "--no-progress-bar", str(CHAPTER), "executed.ipynb", *given)
    after = json.loads(run("-c", VERSIONS))
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"capdec_core", MISSING}
    assert after[MISSING] != "99.0"

    text = (tmp_path / "executed.ipynb").read_text()
    second, _, injected, *others = nbformat.reads(text, as_version=4).cells[1:]
    told = "".join(output.text for output in second.outputs)
    assert f"Installing {MISSING}; these stay: numpy=={before['numpy']}, torch=={before['torch']}" in told
    assert 'profile = "smoke"' in injected.source
    assert sum("image/svg" in str(cell.get("outputs")) for cell in others) >= 3
    assert str(ROOT) not in text.replace(str(CHAPTER), "")
    assert list((tmp_path / "home" / "capdec" / "results" / "figures" / "smoke").glob("01_*.svg"))


def test_what_would_need_another_numpy_is_refused_and_numpy_stays(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    pretended("baited", "1.0", index, requires=["numpy>=99"])
    pretended("numpy", "99.0", index)
    for name, value in outside(tmp_path / "home", index).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(packages, "requires", lambda _: ["baited"])
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(CapdecError, match=r"could not install baited beside numpy==") as caught:
        packages.complete()
    assert "baited 1.0 depends on numpy>=99" in str(caught.value)
    assert "take a newer machine image" in str(caught.value)
    found = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout)["numpy"] != "99.0"


@pytest.mark.parametrize(
    ("requirement", "installed", "unmet"),
    [
        ("some", "1.0", False),
        ("some>=2", "2.10.0.dev20261001+cu130", False),
        ("some>=2", "1.9", True),
        ("some", None, True),
        ('some; python_version < "3"', None, False),
        ('some; extra == "dev"', None, False),
    ],
)
def test_unmet_are_requirements_of_this_machine_that_are_not_there_or_too_old(
    requirement: str, installed: str | None, unmet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        assert name == "some"
        if installed is None:
            raise packages.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(packages, "requires", lambda _: [requirement])
    monkeypatch.setattr(packages, "version", version)
    assert packages.unmet() == ([requirement] if unmet else [])


@pytest.mark.parametrize(("replaced", "asks"), [("pytest", True), ("never-loaded", False)])
def test_a_restart_is_asked_for_where_a_loaded_package_was_replaced(
    replaced: str, asks: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    states = iter([{replaced: "1.0", "torch": "2.9"}, {replaced: "2.0", "torch": "2.9", "new": "1.0"}])
    monkeypatch.setattr(packages, "_versions", lambda: next(states))
    monkeypatch.setattr(packages, "_install", lambda missing, kept: None)
    monkeypatch.setattr(packages, "unmet", lambda: ["new"])
    if asks:
        with pytest.raises(
            CapdecError, match=r"pytest had been loaded in older versions.*restart the session"
        ):
            packages.complete()
    else:
        packages.complete()
    assert "Installing new; these stay: " in capsys.readouterr().out


@pytest.mark.parametrize("installed", [True, False])
def test_packages_are_completed_only_where_there_is_no_checkout(
    installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []
    monkeypatch.setattr(bootstrap, "complete", lambda: called.append(True))
    monkeypatch.setattr(paths, "INSTALLED", tmp_path if installed else tmp_path / "nowhere")
    bootstrap.ready()
    assert called == [True] * installed


def test_a_package_that_cannot_be_installed_is_named_by_the_chapter(monkeypatch: pytest.MonkeyPatch) -> None:
    second = nbformat.read(CHAPTER, as_version=4).cells[1]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("CAPDEC_PACKAGE", "./nowhere-1.0-py3-none-any.whl")
    with pytest.raises(
        RuntimeError, match=r"pip could not install \./nowhere-1\.0-py3-none-any\.whl:\n.*does not exist"
    ):
        exec(second.source, {})


def test_a_command_that_needs_a_package_that_is_not_there_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What makes the book does not come with the package alone; a module of our own is a fault of ours."""
    for name in ("capdec_core.reproduce", "capdec_core.book"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "argv", ["capdec", "study", "geometry"])
    monkeypatch.setitem(sys.modules, "papermill", None)
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert "capdec: the package papermill is not installed; " in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "capdec_core.reproduce", None)
    with pytest.raises(ModuleNotFoundError, match=r"capdec_core\.reproduce"):
        cli.main()


def test_the_book_is_made_in_a_checkout_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    with pytest.raises(CapdecError, match=r"no chapters in .*notebooks: .* checkout .* CAPDEC_ROOT can name"):
        Book(load_profile("smoke"), "cpu")
