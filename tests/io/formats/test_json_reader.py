"""JSON from files: limits, and the same values as Python's own reader within them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.io.formats.json_reader import parse_json, read_json, read_object
from pyg_nas.io.limits import MOST_JSON_DEPTH, MOST_JSON_VALUES, MOST_SETTINGS_BYTES

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)  # fmt: skip


@given(VALUES, st.booleans())
def test_values_are_those_of_the_standard_library(value: Any, plain: bool) -> None:
    text = json.dumps(value, ensure_ascii=plain)
    assert parse_json(text) == value
    assert parse_json(b"\xef\xbb\xbf" + text.encode()) == value


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("depth", [1, MOST_JSON_DEPTH - 1, MOST_JSON_DEPTH])
def test_depth_up_to_the_limit(depth: int) -> None:
    assert parse_json(nested(depth)) == json.loads(nested(depth))


def test_brackets_in_strings_and_behind_escapes_do_not_nest() -> None:
    for inner in ("[" * 1_000, '\\"' * 50 + "[" * 1_000, "\\" * 51 + "[{" * 1_000):
        value = {inner: [inner, {"a": [1] * 100}]}
        assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (nested(MOST_JSON_DEPTH + 1), "nested more than 64 levels deep"),
        ("[" * 10_000_000, "nested more than 64 levels deep"),
        ('{"a":' * 1_000, "nested more than 64 levels deep"),
        ('["' + "x" * 2**20 + '",' + "[" * 100, "nested more than 64 levels deep"),
        ('["\\\\",' + "[" * 100, "nested more than 64 levels deep"),
        ("[" + "0," * MOST_JSON_VALUES + "0]", "more than 4,000,000 values"),
        ('{"a": 1, "b": 2, "a": 3}', "the name 'a' more than once"),
        ("[NaN]", "must be finite, got NaN"),
        ("[-Infinity]", "must be finite, got -Infinity"),
        ("[1e999]", "must be finite, got 1e999"),
        ("9" * 5_000, "not JSON that can be read"),
        (r'["\ud800"]', "string .* must be UTF-8 text"),
        (r'{"a": {"\udcff": 1}}', "string .* must be UTF-8 text"),
        ('["\ud800"]', "not UTF-8"),
        (b'["\xff"]', "not UTF-8"),
        ('{"a"', "not JSON"),
        ("", "not JSON"),
        ("\x00", "not JSON"),
    ],
)
def test_what_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        parse_json(text)
    assert len(str(caught.value)) < 500


def test_numbers_that_are_not_finite_are_read_where_they_are_allowed() -> None:
    found = parse_json("[NaN, Infinity, -1e999, 1.5]", finite=False)
    assert str(found) == "[nan, inf, -inf, 1.5]"


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": "\xc3\xa9"}')
    assert read_json(path) == read_object(path) == {"a": "é"}
    path.write_text("[]")
    with pytest.raises(ModelError, match=r"a\.json: must be a JSON object"):
        read_object(path, ModelError)
    os.truncate(path, MOST_SETTINGS_BYTES + 1)
    with pytest.raises(SettingsError, match=r"a\.json: larger than"):
        read_json(path)


BRACKETS = """
import resource, sys
from pyg_nas.errors import SettingsError
from pyg_nas.io.formats.json_reader import read_json
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_json(sys.argv[1])
except SettingsError as error:
    print(error)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("text", ["[", "[],", '"",'])
def test_a_large_file_of_brackets_takes_little_more_memory_than_itself(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "brackets.json"
    path.write_text("[" + text * (60 * 2**20 // len(text)))
    command = [sys.executable, "-c", BRACKETS, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    *_, mebibytes = run.stdout.splitlines()
    assert int(mebibytes) < 200
