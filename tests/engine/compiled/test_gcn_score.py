"""The compiled scorer in several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pyg_nas.engine.score import score
from pyg_nas.engine.shared_terms import refine
from pyg_nas.graphs.cell_array import CellArray
from tests.engine.conftest import networks


def test_networks_scored_at_once_do_not_share_a_buffer(cells: CellArray) -> None:
    members, tables = networks(4), refine(cells)
    expected = score(members, tables)
    with ThreadPoolExecutor(4) as pool:
        scores = list(pool.map(lambda member: score([member], tables)[0], members * 5))
    np.testing.assert_array_equal(scores, np.tile(expected, (5, 1)))
