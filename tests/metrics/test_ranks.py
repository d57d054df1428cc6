"""Ranks against those of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from pyg_nas.metrics.ranks import Ties, ranks


@pytest.mark.parametrize("ties", ["average", "ordinal"])
@pytest.mark.parametrize("shape", [(0,), (1,), (50,), (40, 3), (30, 2, 3), (0, 2)])
def test_ranks_are_those_of_scipy(shape: tuple[int, ...], ties: Ties) -> None:
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=shape), rng.integers(0, 6, shape), np.zeros(shape)):
        np.testing.assert_array_equal(ranks(values, ties), rankdata(values, ties, axis=0))
