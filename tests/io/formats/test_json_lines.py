"""Files that grow by a line: torn ends, and numbers that JSON does not have."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.io.formats.json_lines import SharedLines


def test_a_torn_last_line_is_cut_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    first = SharedLines(path)
    first.append({"a": 1})
    first.append({"b": "ä"})
    with path.open("ab") as file:
        file.write(b'{"c": ')  # killed here
    lines = SharedLines(path)
    assert [json.loads(line) for _, line in lines.read_new()] == [{"a": 1}, {"b": "ä"}]
    lines.append({"c": 3})
    assert [json.loads(line) for line in path.read_text().splitlines()][2] == {"c": 3}


def test_a_file_without_a_whole_line_has_none(tmp_path: Path) -> None:
    for content in (b"", b'{"a"', b'{"a"\0\0', b"\0"):
        (tmp_path / "lines.jsonl").write_bytes(content)
        lines = SharedLines(tmp_path / "lines.jsonl")
        assert lines.read_new() == []
        lines.append({"b": 2})
        assert (tmp_path / "lines.jsonl").read_bytes() == b'{"b": 2}\n'


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"notes")
    with pytest.raises(SettingsError, match=r"not a file of records, its last line is b'notes'"):
        SharedLines(tmp_path / "a.txt").read_new()


def test_what_json_does_not_have_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    with pytest.raises(ValueError, match="Out of range"):
        SharedLines(path).append({"a": float("nan")})
    assert not path.exists()


def test_two_take_turns_in_a_shared_file_and_cut_what_a_third_left_torn(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    one, two = SharedLines(path), SharedLines(path)
    assert one.read_new() == []
    one.append({"a": 1})
    assert one.read_new() == []
    assert two.read_new() == [(f"{path}, line 1", b'{"a": 1}')]
    with path.open("ab") as file:
        file.write(b'{"a": 2}\n{"a": ')
    assert two.read_new() == [(f"{path}, line 2", b'{"a": 2}')]
    two.append({"a": 3})
    assert [line for _, line in one.read_new()] == [b'{"a": 2}', b'{"a": 3}']
    path.write_bytes(b"")
    with pytest.raises(SettingsError, match="has become shorter"):
        one.read_new()


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="is a named pipe, a file is needed"):
        SharedLines(tmp_path / "pipe").append({})


def test_a_pipe_is_no_empty_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="is a named pipe"):
        SharedLines(tmp_path / "pipe").read_new()


def test_a_link_in_a_circle_is_no_empty_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(SettingsError, match="cannot be read"):
        SharedLines(tmp_path / "link").read_new()


def test_a_full_disk_is_an_error_of_the_file_and_loses_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = SharedLines(tmp_path / "a.jsonl")
    lines.append({"a": 1})

    def full(number: int) -> None:
        os.ftruncate(number, 12)  # of 18 bytes
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*a\.jsonl'"):
            lines.append({"b": 2})
    assert lines.read_new() == []
    lines.append({"c": 3})
    assert [line for _, line in SharedLines(tmp_path / "a.jsonl").read_new()] == [
        b'{"a": 1}',
        b'{"c": 3}',
    ]
