"""The file of fits against lines written by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.model_selection.tuning_fits import TuningFits

HEAD = '{"comparison": "abc"}\n'
FIT = '{"candidate": "{}", "split": 3, "score": -1.5, "seconds": 2.0}\n'


def test_what_was_appended_is_found_again(tmp_path: Path) -> None:
    file = TuningFits(tmp_path / "folder" / "fits.jsonl")
    with file.locked():
        assert file.read("abc") == {}
    file.add("{}", 3, -1.5, 2.0)
    file.add("{}", 4, math.nan, 1.0)
    assert file.path.read_text().startswith(HEAD + FIT)
    found = file.read("abc")
    assert found["{}", 3] == (-1.5, 2.0)
    assert math.isnan(found["{}", 4][0])
    with pytest.raises(SettingsError, match="other cells, labels, settings or code"):
        file.read("abd")


def test_a_torn_line_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "fits.jsonl"
    path.write_text(HEAD + FIT + FIT[:20])
    file = TuningFits(path)
    assert list(file.read("abc")) == [("{}", 3)]
    file.add("{}", 3, -1.5, 2.0)
    assert path.read_text() == HEAD + FIT + FIT


@pytest.mark.parametrize(
    "fit",
    [
        "{}",
        '{"candidate": [], "split": 0, "score": 1, "seconds": 1}',
        '{"candidate": "{}", "split": 0, "score": true, "seconds": 1}',
        '{"candidate": "{}", "split": 0, "score": 1, "seconds": "99"}',
        f'{{"candidate": "{{}}", "split": 0, "score": 1{"0" * 400}, "seconds": 1}}',
    ],
)
def test_a_line_that_is_no_fit_is_refused(tmp_path: Path, fit: str) -> None:
    path = tmp_path / "fits.jsonl"
    path.write_text(f"{HEAD}{fit}\n")
    with pytest.raises(SettingsError, match="not a file of fits"):
        TuningFits(path).read("abc")
