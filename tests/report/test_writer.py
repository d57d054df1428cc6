"""What a report can be made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.report import write_report


def test_sources_that_are_none(model_source: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        write_report(tmp_path / "nowhere", None, tmp_path / "r.html")
    with pytest.raises(ModelError, match="not a model folder"):
        write_report(tmp_path, None, tmp_path / "r.html")
    (tmp_path / "asked.jsonl").touch()
    with pytest.raises(SettingsError, match="has no outcome yet"):
        write_report(tmp_path, None, tmp_path / "r.html")
    with pytest.raises(SettingsError, match="needs a table as well"):
        write_report(model_source[0], None, tmp_path / "r.html")
