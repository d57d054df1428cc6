from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.spaces.nasbench101 import nasbench101_cells
from pyg_nas.spaces.nasbench101.cells import read_cells, read_hashes


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
