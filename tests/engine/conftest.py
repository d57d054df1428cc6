"""Cells and networks that several ways of scoring and of training are compared on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.nn.gcn import GCN
from pyg_nas.spaces.nasbench101 import nasbench101_cells


@pytest.fixture(scope="module")
def cells() -> CellArray:
    """A hundred cells of every size, as far as there are so many."""
    space = nasbench101_cells()
    rng = np.random.default_rng(8)
    rows = [rng.permutation(np.flatnonzero(space.num_vertices == v))[:100] for v in range(2, 8)]
    return space[rng.permutation(np.concatenate(rows))]


@pytest.fixture(scope="module")
def training_cells() -> CellArray:
    return sample_cells(21, seed=4)


@pytest.fixture(scope="module")
def targets(training_cells: CellArray) -> torch.Tensor:
    size = np.log(training_cells.trainable_parameters())
    return torch.tensor((size - size.mean()) / size.std(), dtype=torch.float32)


def networks(count: int, columns: int = 5, depth: int = 3) -> list[GCN]:
    made = []
    for seed in range(count):
        torch.manual_seed(seed)
        made.append(GCN(columns, 24, depth, 16).eval())
    return made


def new_member(seed: int, dropout: float = 0.1, depth: int = 2) -> GCN:
    torch.manual_seed(seed)
    return GCN(5, 12, depth, 8, dropout)


def assert_same_weights(one: GCN, other: GCN) -> None:
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name], atol=2e-5, rtol=1e-3, msg=name)
