"""What a search's answer must keep."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.history import Proposal, Query
from pyg_nas.search.outcome import Outcome


@pytest.mark.parametrize("limit", [100.1, 100.3, 1234.7])
def test_a_training_that_takes_exactly_the_limit_is_kept(limit: float) -> None:
    cell = sample_cells(1, 0)[0]
    single = np.float32(limit)

    def allows(seconds: float | None) -> bool:
        query = Query(Proposal(cell), Outcome(0.9, seconds))
        return Constraints(max_seconds=limit).allows(query)

    assert allows(limit)
    assert allows(float(single))  # as a table stores it
    assert not allows(float(np.nextafter(single, np.float32(1e9))))
    assert not allows(None)  # not known
    assert Constraints().allows(Query(Proposal(cell), Outcome(0.9, None)))
