"""Sources are refused by their names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyg_nas.errors import SpaceError, TableError
from pyg_nas.scoring.source import check_source


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("graphs.jsonl").touch()
    os.mkfifo("pipe.arrow")
    for good in ("nasbench101", "graphs.jsonl", "missing.py:function"):
        check_source(good)
    for source, error, message in (
        ("nonsense", SpaceError, "nonsense.*other sources are a graph file"),
        ("missing.jsonl", TableError, "missing.jsonl: no such file"),
        ("pipe.arrow", TableError, "is a named pipe"),
    ):
        with pytest.raises(error, match=message):
            check_source(source)
