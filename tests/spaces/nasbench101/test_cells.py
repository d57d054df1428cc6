from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.spaces.nasbench101 import nasbench101_cells
from pyg_nas.spaces.nasbench101.cells import cached_costs, read_cells, read_hashes


def test_the_space_from_the_cache_is_the_enumerated_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYG_NAS_CACHE", str(tmp_path))
    enumerated, from_cache = read_cells(), read_cells()
    assert from_cache is not enumerated
    assert from_cache == enumerated == nasbench101_cells()


def test_hashes_from_the_cache_are_the_computed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYG_NAS_CACHE", str(tmp_path))
    few = nasbench101_cells()[:90]
    computed = read_hashes(few)
    np.testing.assert_array_equal(read_hashes(few), computed)
    assert [digest.decode() for digest in computed] == [cell.hash for cell in few]


def test_costs_of_all_cells_are_computed_once_for_each_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYG_NAS_CACHE", str(tmp_path))
    whole, computed = nasbench101_cells(), []
    few = whole[:5]

    def compute(cells: CellArray, size: NetworkSize) -> NDArray[np.int64]:
        computed.append(len(cells))
        return np.full(len(cells), size.stem_channels)

    def costs(cells: CellArray, size: NetworkSize) -> list[int]:
        return np.unique(cached_costs("parameters", cells, size, compute)).tolist()

    small, large = NetworkSize(8, 1, 1), NetworkSize(16, 1, 1)
    assert [costs(whole, small), costs(whole, large), costs(whole, small)] == [[8], [16], [8]]
    assert [costs(few, large), costs(few, small)] == [[16], [8]]
    assert computed == [len(whole), len(whole), 5, 5]
