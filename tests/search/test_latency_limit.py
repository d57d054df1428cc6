"""Which cells of a search are candidates under its limit on latency, by faked measurements."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pyg_nas.errors import MeasureError, SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.measure.profiles.latency import Latency, processor_name
from pyg_nas.search.latency_limit import FINISH_LATENCY, Candidates, LatencyLimit

CELLS = sample_cells(4, 0)
HASHES = [cell.hash for cell in CELLS]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a search that measured latencies on this processor."""
    found = {
        "device": f"cpu, {processor_name()}, 1 thread", "measured_on": "cpu",
        "median_error": 0.03, "error_90": 0.08, "cells": {HASHES[1]: 0.004},
    }  # fmt: skip
    (tmp_path / "latency.json").write_text(json.dumps(found))
    return tmp_path


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float]]:
    """The medians that networks will be measured to have, one after the other."""
    medians: dict[str, list[float]] = {}

    def measure(network: str, device: str) -> Latency:
        return Latency(medians[network].pop(0), 0.0, 1.0, 20, 1, device)

    monkeypatch.setattr("pyg_nas.search.latency_limit.measure_latency", measure)
    return medians


def build(cell: Cell) -> str:
    return cell.hash


def test_the_best_cells_within_the_limit_are_candidates(
    folder: Path, measured: dict[str, list[float]]
) -> None:
    limit = LatencyLimit.read(folder, 0.005)
    # The first was slowed down by another process, the second is slow, the last is not needed.
    measured |= dict(zip(HASHES, ([0.006, 0.005], [0.0051, 0.0052], [0.001]), strict=False))
    found = Candidates.of(CELLS, 2, limit, build)
    assert [cell.hash for cell in found.cells] == [HASHES[0], HASHES[2]]
    assert found.passed_over == {HASHES[1]: 0.0051}
    assert {key: one.median for key, one in found.latencies.items()} == {
        HASHES[0]: 0.005,
        HASHES[2]: 0.001,
    }
    # Measurements are kept for a resumed command, but not for one on another machine.
    assert Candidates.of(CELLS, 2, limit, build).latencies == found.latencies
    stored = json.loads((folder / FINISH_LATENCY).read_text())
    (folder / FINISH_LATENCY).write_text(json.dumps({**stored, "processor": "another"}))
    measured |= {digest: [0.001] for digest in HASHES}
    assert Candidates.of(CELLS, 2, limit, build).passed_over == {}


def test_no_cell_within_the_limit(folder: Path, measured: dict[str, list[float]]) -> None:
    measured |= {digest: [0.006, 0.0055] for digest in HASHES}
    with pytest.raises(
        MeasureError,
        match=r"of 4 trained cells none is within the limit of 5.00 ms on .*; measured: 5.50 ms, "
        r"5.50 ms, 5.50 ms, 5.50 ms. The search kept it for predicted latencies: search with a "
        r"lower --max-latency$",
    ):
        Candidates.of(CELLS, 2, LatencyLimit.read(folder, 0.005), build)
    measured |= {digest: [0.004] for digest in HASHES}
    assert Candidates.of(CELLS, 2, LatencyLimit.read(folder, 0.005), build).passed_over == {}


def test_nothing_is_measured_without_a_limit_or_for_that_of_another_device(
    folder: Path, measured: dict[str, list[float]]
) -> None:
    assert Candidates.of(CELLS, 2, None, build).cells == CELLS[:2]
    for changes in ({"device": "as in phone.hdf5", "measured_on": None}, {"device": None}):
        found = json.loads((folder / "latency.json").read_text())
        (folder / "latency.json").write_text(json.dumps({**found, **changes}))
        limit = LatencyLimit.read(folder, 1e-9)
        assert Candidates.of(CELLS, 3, limit, build) == Candidates(CELLS[:3], {}, {})


def test_what_the_search_expected(folder: Path) -> None:
    limit = LatencyLimit.read(folder, 0.005)
    expected = {
        "device": f"cpu, {processor_name()}, 1 thread", "median_error": 0.03, "error_90": 0.08,
        "limit": 0.005, "predicted": 0.004,
    }  # fmt: skip
    assert limit.describe(CELLS[1]) == expected
    assert limit.describe(CELLS[0]) == {**expected, "predicted": None}
    assert limit.device == "cpu"
    (folder / "latency.json").write_text('{"measured_on": "cuda:99"}')
    assert LatencyLimit.read(folder, 0.005).device == "cpu"
    (folder / "latency.json").unlink()
    assert LatencyLimit.read(folder, 0.005).describe(CELLS[0])["device"] is None


@pytest.mark.parametrize(
    ("latencies", "place"),
    [
        ("null", ""),
        ("[]", ""),
        ('{"a": 0.004}', "['a']"),
        ('{"a": {"median": "fast"}}', "['a']['median']"),
        ('{"a": {}}', "['a']['median']"),
    ],
)
def test_a_damaged_file_of_measurements_is_refused(
    folder: Path, measured: dict[str, list[float]], latencies: str, place: str
) -> None:
    content = f'{{"processor": {json.dumps(processor_name())}, "latencies": {latencies}}}'
    (folder / FINISH_LATENCY).write_text(content)
    message = re.escape(f"finish-latency.json: latencies{place} is not valid, got ")
    with pytest.raises(SettingsError, match=message):
        Candidates.of(CELLS, 2, LatencyLimit.read(folder, 0.005), build)
    assert (folder / FINISH_LATENCY).read_text() == content
