"""The history of a search holds each cell once."""

from __future__ import annotations

import pytest

from pyg_nas.graphs.cell import Cell
from pyg_nas.search.history import History, Proposal, Query
from pyg_nas.search.outcome import Outcome
from tests.search.conftest import SMALL


def test_isomorphic_copies_are_one_cell() -> None:
    one = Cell([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0] * 4], ["in", "a", "b", "out"], SMALL)
    two = Cell(one.adjacency, ["in", "b", "a", "out"], SMALL)
    history = History()
    history.append(Query(Proposal(one), Outcome(0.5)))
    with pytest.raises(ValueError, match="twice"):
        history.append(Query(Proposal(two), Outcome(0.5)))
