"""Files are written whole, read with a message, and hashed in one form."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capdec_core import files
from capdec_core.errors import CapdecError
from capdec_core.files import digest, file_digest, read_json, write_atomic, write_json

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)


def test_text_is_utf8_and_parents_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    write_atomic(path, "ε − naïve")
    assert path.read_bytes() == "ε − naïve".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "value.json"
    write_atomic(path, b"old")

    def full(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "value"
    write_atomic(path, b"old")
    seen = []
    replace = os.replace

    def spying(source: str, target: Path) -> None:
        seen.append((path.read_bytes(), Path(source).read_bytes(), Path(source).parent))
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", spying)
    write_atomic(path, b"new")
    assert seen == [(b"old", b"new", tmp_path)]
    assert path.read_bytes() == b"new"


@given(VALUES)
def test_json_comes_back(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.mktemp("json") / "value.json"
    write_json(path, value)
    assert read_json(path) == value


def test_json_has_sorted_keys_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"b": 1, "a": 2})
    assert list(json.loads(path.read_text())) == ["a", "b"]
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"no such file: .*value\.json"),
        (b"", r"value\.json is not JSON"),
        (b'{"a": ', r"value\.json is not JSON"),
        (b'"\xff\xfe"', r"value\.json is not JSON"),
    ],
)
def test_what_is_no_json_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "value.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CapdecError, match=message):
        read_json(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CapdecError, match=f"cannot read {tmp_path}"):
        read_json(tmp_path)


def test_digest_is_the_hash_of_the_canonical_form() -> None:
    expected = hashlib.sha256(b'{"a":[1,2.5,null,"\\u03b5"],"b":true}').hexdigest()
    assert digest({"b": True, "a": (1, 2.5, None, "ε")}) == expected
    with pytest.raises(ValueError, match="JSON compliant"):
        digest([float("inf")])


def test_file_digest_is_the_hash_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"abc")  # the example of FIPS 180-4
    assert file_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
