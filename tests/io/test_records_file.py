"""The file of records against lines written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.io.records_file import RecordsFile

HEAD = '{"sum": [1, 2]}\n'


def test_records_are_found_again_behind_the_subject(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "records.jsonl"
    file = RecordsFile(path, "sum")
    with file.locked():
        assert file.open((1, 2)) == ([1, 2], [])
        file.append({"a": 1})
        file.append({"a": 2})
    assert path.read_text() == HEAD + '{"a": 1}\n{"a": 2}\n'
    subject, records = RecordsFile(path, "sum").open("something else")
    assert subject == [1, 2]
    assert records == [(f"{path}, line 2", {"a": 1}), (f"{path}, line 3", {"a": 2})]


@pytest.mark.parametrize("torn", ["", HEAD[:9], HEAD[:-1], "\0" * 5])
def test_a_torn_first_line_is_written_again(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(torn)
    assert RecordsFile(path, "sum").open([1, 2]) == ([1, 2], [])
    assert path.read_text() == HEAD


@pytest.mark.parametrize(
    "foreign", ["nonsense\n", '{"a": 1}', '{"a": 1}\n', HEAD + "[]\n", HEAD + HEAD]
)
def test_a_foreign_file_is_refused_and_kept(tmp_path: Path, foreign: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(foreign)
    with pytest.raises(SettingsError, match="record"):
        RecordsFile(path, "sum").open([1, 2])
    assert path.read_text() == foreign


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    file = RecordsFile(tmp_path / "records.jsonl", "sum")
    other = RecordsFile(
        file.path, "sum"
    )  # another lock: that it is in this process changes nothing
    with (
        file.locked(),
        pytest.raises(SettingsError, match="another process uses this file"),
        other.locked(),
    ):
        pass
