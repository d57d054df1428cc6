"""Collated cells equal those that PyG collates one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import InMemoryDataset

from pyg_nas.data.datasets.collate import collate_cells
from pyg_nas.errors import CellError
from pyg_nas.testing import small_cells


def test_collated_tensors_equal_a_loop_over_cells() -> None:
    cells = small_cells(4)
    y = np.linspace(0.5, 0.9, len(cells))
    graphs = []
    for row, cell in enumerate(cells):
        graph = cell.to_data()
        graph.y = torch.tensor([y[row]], dtype=torch.float32)
        graph.row = torch.tensor([row])
        graphs.append(graph)
    expected, expected_slices = InMemoryDataset.collate(graphs)
    data, slices = collate_cells(cells, y)
    assert list(data.keys()) == list(expected.keys())
    for key, value in expected.items():
        assert data[key].dtype == value.dtype
        assert torch.equal(data[key], value)
        assert slices[key].dtype == expected_slices[key].dtype
        assert torch.equal(slices[key], expected_slices[key])
    assert list(slices) == list(expected_slices)


def test_collate_refuses_labels_of_another_number() -> None:
    with pytest.raises(CellError, match=r"\[21\]"):
        collate_cells(small_cells(4), np.zeros(3))


def test_collate_of_no_cells() -> None:
    data, slices = collate_cells(small_cells(4)[:0], [])
    assert data.x.shape == (0, 5)
    assert data.edge_index.shape == (2, 0)
    assert slices["x"].tolist() == [0]
