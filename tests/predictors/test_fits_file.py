"""The file of fits against lines written by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.fits_file import FitsFile

HEAD = '{"comparison": "abc"}\n'
FIT = '{"candidate": "{}", "split": 3, "score": -1.5, "seconds": 2.0}\n'


def test_what_was_appended_is_found_again(tmp_path: Path) -> None:
    file = FitsFile(tmp_path / "folder" / "fits.jsonl")
    with file.locked():
        assert file.open("abc") == {}
    file.append("{}", 3, -1.5, 2.0)
    file.append("{}", 4, math.nan, 1.0)
    assert file.path.read_text().startswith(HEAD + FIT)
    found = file.open("abc")
    assert found["{}", 3] == (-1.5, 2.0)
    assert math.isnan(found["{}", 4][0])
    with pytest.raises(SettingsError, match="other cells, labels or settings"):
        file.open("abd")


def test_a_torn_line_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "fits.jsonl"
    path.write_text(HEAD + FIT + FIT[:20])
    assert list(FitsFile(path).open("abc")) == [("{}", 3)]
    assert path.read_text() == HEAD + FIT


@pytest.mark.parametrize("torn", ["", HEAD[:9], HEAD[:-1], "\0" * 5])
def test_a_first_line_that_a_full_disk_tore_is_written_again(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "fits.jsonl"
    path.write_text(torn)
    assert FitsFile(path).open("abc") == {}
    assert path.read_text() == HEAD


@pytest.mark.parametrize("foreign", ["nonsense\n", '{"a": 1}', HEAD + "[]\n"])
def test_a_foreign_file_is_refused_and_kept(tmp_path: Path, foreign: str) -> None:
    path = tmp_path / "fits.jsonl"
    path.write_text(foreign)
    with pytest.raises(SettingsError, match="not a file of fits"):
        FitsFile(path).open("abc")
    assert path.read_text() == foreign


def test_a_second_process_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    file = FitsFile(tmp_path / "folder" / "fits.jsonl")
    with file.locked():
        file.open("abc")
        other = FitsFile(file.path)  # another lock: that it is in this process changes nothing
        with pytest.raises(SettingsError, match="another tuning is at work"), other.locked():
            pass
    with other.locked():
        assert file.path.read_text() == HEAD
