"""Profiles: every number of a scale in one file, read strictly.

A profile is a TOML file in this folder or in the one that CAPDEC_PROFILES names, which goes before. An unknown key, a
missing one or a wrong type is refused with its name.
"""

import tomllib
from pathlib import Path
from typing import Any

from capdec_core import paths
from capdec_core.errors import CapdecError
from capdec_core.profiles.reading import strict
from capdec_core.profiles.settings import (
    BridgesSettings,
    CalibrationSettings,
    CorpusSettings,
    CosineDirectedSettings,
    DecodingGridSettings,
    DecodingSettings,
    EncoderSettings,
    GeometrySettings,
    HeadsLayersSettings,
    LanguageModelSettings,
    MapperSettings,
    NamedLanguageModelSettings,
    NoiseTypesSettings,
    PrefixLengthSettings,
    Profile,
    ProtocolSettings,
    StatisticsSettings,
)

__all__ = [
    "BridgesSettings",
    "CalibrationSettings",
    "CorpusSettings",
    "CosineDirectedSettings",
    "DecodingGridSettings",
    "DecodingSettings",
    "EncoderSettings",
    "GeometrySettings",
    "HeadsLayersSettings",
    "LanguageModelSettings",
    "MapperSettings",
    "NamedLanguageModelSettings",
    "NoiseTypesSettings",
    "PrefixLengthSettings",
    "Profile",
    "ProtocolSettings",
    "StatisticsSettings",
    "load_profile",
    "profile_names",
    "read_profile",
    "strict",
]


def profile_names() -> list[str]:
    """Return the names that `load_profile` knows."""
    return sorted(_files())


def _files() -> dict[str, Path]:
    """Return the profiles' files by name: of two of one name that of the user's own folder."""
    folders = [paths.PROFILES] + ([paths.OWN_PROFILES] if paths.OWN_PROFILES else [])
    return {path.stem: path for folder in folders for path in folder.glob("*.toml")}


def load_profile(name: str, device: str = "cuda") -> Profile:
    """Return the profile called `name`, or the part of it that a CPU is given, where it has such a part.

    CapdecError names the right profiles, or the wrong key in the file.
    """
    return read_profile(_file(name), device)


def _file(name: str) -> Path:
    files = _files()
    if name not in files:
        raise CapdecError(f"no profile {name!r}; PROFILE is one of: {', '.join(sorted(files))}")
    return files[name]


def read_profile(path: Path, device: str = "cuda") -> Profile:
    """Return the profile in a TOML file, checked key by key.

    What its table `on_cpu` holds stands in place of the rest where the device is a CPU: the chapters that are run
    there, and smaller grids. Where it is `like` another profile, it has what that one says and it does not.
    """
    table = _read(path)
    if other := table.pop("like", None):
        table = _over(_read(_file(other)), table)
    part = table.pop("on_cpu", {})
    whole = strict(Profile, {"name": path.stem} | table, path.name)
    if not part or not device.startswith("cpu"):
        return whole
    return strict(Profile, {"name": path.stem, "partial": True} | _over(table, part), f"{path.name} on a CPU")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise CapdecError(f"{path.name} is not TOML: {error}") from None


def _over(table: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return a table in which what `part` holds stands in place of what was there.

    A table within it that has a name stands in place of one that has none, which is of another kind, as a whole.
    """
    nested = {
        key: _over(table[key], value)
        for key, value in part.items()
        if isinstance(value, dict) and key in table and ("name" in table[key] or "name" not in value)
    }
    return table | part | nested
