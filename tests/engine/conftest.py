"""Cells and networks that several ways of scoring are compared on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.gcn import GCN
from pyg_nas.spaces.nasbench101 import nasbench101_cells


@pytest.fixture(scope="module")
def cells() -> CellArray:
    """A hundred cells of every size, as far as there are so many."""
    space = nasbench101_cells()
    rng = np.random.default_rng(8)
    rows = [rng.permutation(np.flatnonzero(space.num_vertices == v))[:100] for v in range(2, 8)]
    return space[rng.permutation(np.concatenate(rows))]


def networks(count: int, columns: int = 5, depth: int = 3) -> list[GCN]:
    made = []
    for seed in range(count):
        torch.manual_seed(seed)
        made.append(GCN(columns, 24, depth, 16).eval())
    return made
