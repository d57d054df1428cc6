"""A residual network and graphs that its two forms are compared on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.dense_residual import ResidualGraphs
from pyg_nas.nn.residual_gnn import ResidualGNN
from pyg_nas.spaces.nasbench101 import nasbench101_cells

MEMBERS = 2


@pytest.fixture(scope="module")
def graphs() -> ResidualGraphs:
    """Of 2 to 7 vertices, with random features."""
    cells: CellArray = nasbench101_cells()[[0, 1, 5, 60, 700, 20_000, 400_000, 410_000]]
    assert set(cells.num_vertices.tolist()) >= {2, 7}
    rng = np.random.default_rng(2)
    vertices = rng.normal(size=(len(cells), 7, 6))
    return ResidualGraphs(
        vertices, cells.adjacency, cells.num_vertices, rng.normal(size=(len(cells), 5))
    )


@pytest.fixture
def network() -> ResidualGNN:
    return changed(ResidualGNN(MEMBERS, 6, 5, 3, hidden=8, depth=2, dropout=0.3).double())


def changed(network: ResidualGNN, seed: int = 3) -> ResidualGNN:
    """Add noise to all weights.

    Biases, shifts and gains start at 0 and 1, where mistakes in them could not be seen.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return network


def sparse(graphs: ResidualGraphs) -> tuple[torch.Tensor, ...]:
    batch = Batch.from_data_list(
        [
            Data(
                x=torch.from_numpy(x[:count]),
                edge_index=torch.from_numpy(np.stack(np.nonzero(adjacency))),
            )
            for x, adjacency, count in zip(*graphs[:3], strict=True)
        ]
    )
    return batch.x, batch.edge_index, batch.batch, torch.from_numpy(graphs.graph)
