"""Candidates of a list are drawn by the graphs that the folder of their search has."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.errors import SettingsError
from pyg_nas.report.network_drawings import network_drawings
from pyg_nas.search.evaluators.network_list import NetworkListEvaluator
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.nasbench101.space import NASBENCH101
from pyg_nas.visualization.cells import network_drawing
from tests.spaces.modules.networks import random_network


def test_networks_are_drawn_by_their_names(tmp_path: Path) -> None:
    networks = NetworkArray.from_graphs([random_network(size, seed=size) for size in (5, 9)])
    evaluator = NetworkListEvaluator(NetworkTable(networks, ["a", "b"]))
    evaluator.save(tmp_path)
    draw = network_drawings(tmp_path, evaluator.domain.space)
    assert draw is not None
    for row, cell in enumerate(evaluator.domain.cells):
        assert draw(cell) == network_drawing(networks, row)
    assert network_drawings(tmp_path, NASBENCH101) is None
    NetworkTable(networks, ["a", "c"]).save(tmp_path / "networks.hdf5")
    with pytest.raises(SettingsError, match=r"networks\.hdf5: has other networks"):
        network_drawings(tmp_path, evaluator.domain.space)
