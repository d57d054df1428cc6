"""The file of a comparison's fits against lines written by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.model_selection.comparison_fits import (
    FITS,
    ComparisonFits,
    Fit,
)

HEADER = {"seed": 0, "label": {"run": 0}}
FIT = Fit("fast", "172", 3, 172, 828, 1.5, 0.25, {"n": 828.0, "kendall_tau": 0.75})
LINE = (
    '{"predictor": "fast", "train": "172", "draw": 3, "training_cells": 172, '
    '"evaluated_cells": 828, "fit_seconds": 1.5, "predict_seconds": 0.25, '
    '"figures": {"n": 828.0, "kendall_tau": 0.75}, "problem": null, "version": "v1", '
    '"train_digest": null}'
)
LINES = json.dumps({"comparison": HEADER}) + "\n" + LINE + "\n"


def written(folder: Path, lines: str = LINES) -> ComparisonFits:
    (folder / FITS).write_text(lines)
    return ComparisonFits(folder)


def test_a_fit_is_one_line(tmp_path: Path) -> None:
    file = ComparisonFits(tmp_path)
    assert file.read(HEADER) == {}
    file.add(FIT, "v1", None)
    assert file.path.read_text() == LINES
    assert ComparisonFits(tmp_path).read(HEADER) == {("fast", "172", 3): FIT}


def test_a_figure_that_is_not_defined_is_null(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.read(HEADER)
    file.add(replace(FIT, draw=4, figures={"kendall_tau": math.nan}), "v1", None)
    assert '"figures": {"kendall_tau": null}' in file.path.read_text()
    found = ComparisonFits(tmp_path).read(HEADER)
    assert math.isnan(found["fast", "172", 4].figures["kendall_tau"])


@pytest.mark.parametrize(
    "changes",
    [
        {"figures": {"spearman": {}}},
        {"figures": None},
        {"fit_seconds": "1"},
        {"training_cells": 1.5},
        {"other": 1},
    ],
)
def test_another_line_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    line = json.dumps({**json.loads(LINE), **changes})
    file = written(tmp_path, LINES.replace(LINE, line))
    with pytest.raises(SettingsError, match=r"fits\.jsonl, line 2: not a fit of a comparison"):
        file.read(HEADER)


def test_another_comparison_is_refused(tmp_path: Path) -> None:
    for header, message in (
        ({**HEADER, "seed": 1}, "was made with seed = 0, 1 was requested"),
        ({**HEADER, "label": {"run": "mean"}}, "label.run = 0, 'mean' was requested"),
    ):
        with pytest.raises(SettingsError, match=message):
            written(tmp_path).read(header)


def test_fits_of_other_code_or_other_split_files_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.read(HEADER)
    file.check_versions({"fast": "v1", "best": "v2"}, {"172": None, "mine.json": "d"})
    with pytest.raises(SettingsError, match="another version of the predictor fast"):
        file.check_versions({"fast": "v2"}, {})
    with pytest.raises(SettingsError, match="another content of the split file 172"):
        file.check_versions({}, {"172": "d"})
