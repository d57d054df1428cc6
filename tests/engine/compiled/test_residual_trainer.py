"""Compiled training of residual networks against torch's in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.engine.compiled import residual_epochs
from pyg_nas.engine.residual import ResidualTask, ResidualTrainingConfig, torch_epochs
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.nn.dense_residual import ResidualGraphs
from pyg_nas.nn.residual_gnn import ResidualGNN
from tests.nn.conftest import changed


def new_task(
    members: int = 3,
    targets: int = 1,
    graph_columns: int = 5,
    dropout: float = 0.2,
    learning_rate: float = 1e-2,
) -> ResidualTask:
    smallest = Cell([[0, 1], [0, 0]], ["input", "output"])
    cells = CellArray.from_cells([smallest, *sample_cells(22, seed=1)])
    rng = np.random.default_rng(2)
    graphs = ResidualGraphs(
        rng.normal(size=(23, 7, 6)),
        cells.adjacency,
        cells.num_vertices,
        rng.normal(size=(23, graph_columns)),
    )
    generator = torch.Generator().manual_seed(3)
    network = ResidualGNN(members, 6, graph_columns, targets, 8, 2, dropout, generator).double()
    return ResidualTask(
        changed(network, seed=4),
        graphs,
        torch.from_numpy(rng.normal(size=(23, targets))),
        torch.stack([torch.arange(23).roll(m)[:21] for m in range(members)]),
        ResidualTrainingConfig(4, 5, learning_rate, 0.1),
        torch.Generator().manual_seed(5),
        torch.Generator().manual_seed(6),
    )


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"members": 1, "targets": 3, "dropout": 0.0},
        {"members": 2, "graph_columns": 1},  # a weight of one row, which does not decay
        {"graph_columns": 0},
    ],
)
@pytest.mark.parametrize("drawn_bytes", [1, 10**9])
def test_trains_as_torch_does(
    shape: dict[str, int], drawn_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step for step; masks are drawn for one step at a time, or for all."""
    monkeypatch.setattr("pyg_nas.engine.compiled.residual_trainer._DRAWN_BYTES", drawn_bytes)
    compiled, by_torch = new_task(**shape), new_task(**shape)
    losses = list(residual_epochs(compiled))
    # Losses are kept in single precision.
    assert losses == pytest.approx(list(torch_epochs(by_torch)), rel=1e-6)
    assert losses[-1] < losses[0]
    for (name, one), other in zip(
        compiled.network.named_parameters(), by_torch.network.parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11, msg=name)


def test_a_network_that_diverges_shows_it() -> None:
    assert not np.isfinite(list(residual_epochs(new_task(learning_rate=1e200)))[-1])


def test_threads_change_nothing() -> None:
    before = torch.get_num_threads()
    trained = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            trained.append(new_task())
            list(residual_epochs(trained[-1]))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*(task.network.parameters() for task in trained), strict=True):
        assert torch.equal(one, other)
