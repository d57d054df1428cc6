"""A limit on latency from a table's target, and the times that a user may write."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.cli.search_latency import seconds_of
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.search.search_folder.folder import SearchFolder
from tests.cli.command import pyg_nas


def test_times() -> None:
    assert [seconds_of(text) for text in ("5ms", "0.5", "2 s", "800us", " 1.5 MS ")] == [
        0.005,
        0.5,
        2.0,
        pytest.approx(8e-4),
        0.0015,
    ]
    for text in ("0ms", "-5ms", "fast", "5 min", ""):
        with pytest.raises(SettingsError, match="must be a time above 0"):
            seconds_of(text)


@pytest.mark.usefixtures("undrawn")
def test_a_limited_search_reports_its_latency(
    small_table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = small_table.subset(slice(0, 120))
    seconds = 0.001 * part.cells.num_vertices
    path, out, known = (tmp_path / name for name in ("t.hdf5", "search", "known.hdf5"))
    part.save(path)
    seconds[60:] = np.nan  # predicted
    Table(part.cells, part.metrics, part.budgets, targets={"latency": seconds}).save(known)
    options = ("--n", 4, "--k", 4, "--rounds", 1, "--method", "random")
    limit = ("--max-latency", "6.2ms", "--latency-device", known)
    assert pyg_nas("search", path, "--out", out, *options, *limit) == 0
    found = json.loads((out / "latency.json").read_text())
    assert found["limit"] == pytest.approx(0.0062)
    assert (found["predicted"] or found["measured"]) <= 0.0062
    assert found["macs"] > 0
    assert SearchFolder.open(out).settings.constraints.max_latency == found["limit"]
    kind = "measured" if found["predicted"] is None else "predicted"
    assert f"latency, {kind}" in (out / "report.md").read_text()
    assert "error of predictions on 60 measured networks" in capsys.readouterr().out
    assert pyg_nas("search", path, "--out", out, *options, "--latency-device", "cuda:9") == 2
    assert "with --max-latency alone" in capsys.readouterr().err
