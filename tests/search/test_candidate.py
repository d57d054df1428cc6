"""What a search hands out: an architecture as text, JSON and a module."""

from __future__ import annotations

import json

import pytest
import torch

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.candidate import Candidate
from pyg_nas.search.domain import Domain
from pyg_nas.search.history import Proposal
from pyg_nas.search.methods.strategies import RandomSearch
from tests.search.conftest import SMALL


def test_a_candidate_is_text_json_and_a_module() -> None:
    cells = sample_cells(50, seed=0)
    domain = Domain(cells.space, cells)
    own = Search(None, cells.space, strategy=RandomSearch(), domain=domain)
    (candidate,) = own.ask()
    assert candidate.text == candidate.cell.to_text()
    record = json.loads(json.dumps(candidate.to_dict()))
    assert record["id"] == 0
    assert record["hash"] == candidate.cell.hash
    assert record["parameters"] == candidate.cell.trainable_parameters
    module = candidate.build(NetworkSize(16, 2, 1, num_labels=5))
    assert module(torch.zeros(3, 3, 16, 16)).shape == (3, 5)
    official = candidate.build()
    assert sum(w.numel() for w in official.parameters()) == record["parameters"]
    with pytest.raises(SettingsError, match="have no network"):
        Candidate(0, Proposal(Domain(SMALL).cells[0]), None, 0).build()
