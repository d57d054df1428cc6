from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pyg_nas.errors import CellError, SpaceError
from pyg_nas.features.graph_features import cell_features, graph_feature_names
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101 import NASBENCH101, nasbench101_cells

SIZES = [
    NetworkSize(8, 3, 3, image_size=(16, 16)),
    NetworkSize(7, 2, 1, num_labels=4, image_channels=1, image_size=(9, 6)),
    NetworkSize(5, 1, 2),
]


@pytest.mark.parametrize("size", SIZES)
def test_costs_are_those_of_the_network_in_pytorch(size: NetworkSize) -> None:
    cells = sample_cells(12, seed=11)
    network_of = NASBENCH101.support.network
    assert network_of is not None
    assert (network_of.least_stem_channels(cells) <= 5).all()
    parameters, macs = cells.trainable_parameters(size), cells.macs(size)
    images = torch.zeros(1, 1, size.image_channels, *size.image_size)
    for row, cell in enumerate(cells):
        network = network_of.build(cell, size).eval()
        with FlopCounterMode(display=False) as counter:
            assert network(images).shape == (1, 1, size.num_labels)
        assert parameters[row] == sum(p.numel() for p in network.parameters())
        assert 2 * macs[row] == counter.get_total_flops()


def test_one_cell_has_the_costs_of_its_row() -> None:
    cells = sample_cells(5, seed=3)
    assert [cell.macs for cell in cells] == cells.macs().tolist()
    assert [cell.trainable_parameters for cell in cells] == cells.trainable_parameters().tolist()


def test_too_narrow_networks_are_those_that_the_formula_calls_so() -> None:
    cells = sample_cells(60, seed=2)
    network_of = NASBENCH101.support.network
    assert network_of is not None
    least = network_of.least_stem_channels(cells)
    assert least.max() <= network_of.sufficient_stem_channels
    for cell, stem in zip(cells, least.tolist(), strict=True):
        network_of.build(cell, NetworkSize(max(1, stem), 1, 1))
        if stem > 1:
            with pytest.raises(Exception, match="channels"):
                network_of.build(cell, NetworkSize(stem - 1, 1, 1))


def test_a_space_of_equal_content_has_the_same_support_and_another_has_not() -> None:
    equal = SearchSpace.from_dict(NASBENCH101.to_dict())
    assert pickle.loads(pickle.dumps(equal)).support is NASBENCH101.support
    smaller = SearchSpace("nasbench101", NASBENCH101.operations, 6, 9, NASBENCH101.terminals)
    assert smaller.support.network is None
    assert smaller.support.num_cells is None
    cell = Cell([[0, 1], [0, 0]], ["input", "output"], smaller)
    with pytest.raises(CellError, match="parameters are not known for cells of 'nasbench101'"):
        _ = cell.trainable_parameters
    with pytest.raises(CellError, match="multiply-accumulates are not known"):
        _ = cell.macs
    assert cell.to_text() == "0100:input,output"
    assert Cell.from_text("0100:input,output", smaller) == cell
    with pytest.raises(SpaceError, match="no text form"):
        SearchSpace("nasbench101", ("a,b",), 6, 9, NASBENCH101.terminals).support.to_text(cell)


def test_names_and_values_of_features_agree_with_and_without_the_space() -> None:
    cells = sample_cells(30, seed=1)
    plain = SearchSpace("plain", NASBENCH101.operations, 7, 9, NASBENCH101.terminals)
    same = CellArray(cells.adjacency, cells.operations, cells.num_vertices, plain)
    for array in (cells, same):
        features = cell_features(array).groups["graph"]
        names = graph_feature_names(array.space)
        assert features.shape == (30, len(names))
        assert ("log parameters" in names) == (array is cells)
    shared = [n for n in graph_feature_names(plain) if n in graph_feature_names(NASBENCH101)]
    for name in shared:
        columns = [
            cell_features(a).groups["graph"][:, graph_feature_names(a.space).index(name)]
            for a in (cells, same)
        ]
        np.testing.assert_array_equal(*columns)


def test_all_cells_are_the_whole_space_wherever_they_come_from() -> None:
    support, cells = NASBENCH101.support, nasbench101_cells()
    copied = CellArray(cells.adjacency.copy(), cells.operations, cells.num_vertices)
    assert support.is_whole(cells)
    assert support.is_whole(copied)
    assert support.is_whole(pickle.loads(pickle.dumps(cells)))
    assert not support.is_whole(cells[:-1])
    assert not support.is_whole(cells[::-1])
