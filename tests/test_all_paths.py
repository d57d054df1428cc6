"""Every way to run a network gives the numbers of the float64 reference, for every cell size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.data.datasets.collate import collate_cells
from pyg_nas.data.datasets.loader import CollatedLoader
from pyg_nas.engine.paths import use_compiled
from pyg_nas.engine.score import score
from pyg_nas.engine.shared_terms import refine
from pyg_nas.nn.dense import DenseGCN, dense_cells
from pyg_nas.nn.gcn import GCN
from pyg_nas.spaces.nasbench101 import nasbench101_cells
from pyg_nas.testing import reference_output


def members() -> list[GCN]:
    made = []
    for seed in range(2):
        torch.manual_seed(seed)
        made.append(GCN(5).eval())
        # Outputs of fresh weights are near zero; a tolerance must be small against them.
        torch.nn.init.normal_(made[-1].output.weight)
    return made


@pytest.mark.engine
@pytest.mark.parametrize("size", range(2, 8))
@torch.no_grad()
def test_every_path_equals_the_reference(size: int) -> None:
    space = nasbench101_cells()
    rows = np.flatnonzero(space.num_vertices == size)
    cells = space[rows[:: max(1, len(rows) // 50)]]
    networks = members()
    expected = np.array([[reference_output(net, cell) for cell in cells] for net in networks])
    batch = next(iter(CollatedLoader(collate_cells(cells), len(cells))))
    dense = dense_cells(cells)
    paths = {
        "sparse": [
            net(batch.x, batch.edge_index, batch.batch, batch.num_graphs).numpy()
            for net in networks
        ],
        "dense": DenseGCN(networks)(dense).numpy(),
        "dense, alone": [DenseGCN([net])(dense)[0].numpy() for net in networks],
    }
    if use_compiled(torch.device("cpu"), [net.activation for net in networks]):
        paths["by refinement"] = score(networks, refine(cells))
        paths["by refinement, alone"] = [score([net], refine(cells))[0] for net in networks]
    assert np.abs(expected).max() > 0.01
    for name, found in paths.items():
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=name)
