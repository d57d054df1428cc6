"""Sparse and dense networks against the plain float64 reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.nn.conv import BiGCNConv
from pyg_nas.nn.dense import DenseGCN, dense_cells
from pyg_nas.nn.gcn import GCN
from pyg_nas.testing import needs_cuda, reference_output, small_cells

TWO_VERTICES = Cell([[0, 1], [0, 0]], ["input", "output"])


@pytest.fixture(scope="module")
def cells() -> CellArray:
    """Twenty cells of every size from 2 to 7 vertices, as far as there are so many."""
    return small_cells()


@pytest.fixture
def model() -> GCN:
    torch.manual_seed(5)
    return GCN(in_channels=5, hidden=24, depth=3, head=16).eval()


def test_sizes_are_all_there(cells: CellArray) -> None:
    assert set(cells.num_vertices.tolist()) == {2, 3, 4, 5, 6, 7}


def test_sparse_equals_the_reference(model: GCN, cells: CellArray) -> None:
    batch = Batch.from_data_list([cell.to_data() for cell in cells])
    predicted = model(batch.x, batch.edge_index, batch.batch, batch.num_graphs)
    expected = [reference_output(model, cell) for cell in cells]
    np.testing.assert_allclose(predicted.detach().numpy(), expected, atol=1e-6, rtol=1e-5)


def test_sparse_without_a_batch_vector_is_one_graph(model: GCN) -> None:
    data = TWO_VERTICES.to_data()
    predicted = model(data.x, data.edge_index)
    assert predicted.shape == (1,)
    assert predicted.item() == pytest.approx(reference_output(model, TWO_VERTICES), abs=1e-6)


def test_dense_equals_the_reference(model: GCN, cells: CellArray) -> None:
    predicted = DenseGCN([model])(dense_cells(cells))[0]
    expected = [reference_output(model, cell) for cell in cells]
    np.testing.assert_allclose(predicted.detach().numpy(), expected, atol=1e-6, rtol=1e-5)


def test_stacked_members_equal_single_ones(cells: CellArray) -> None:
    members = []
    for seed in range(3):
        torch.manual_seed(seed)
        members.append(GCN(5, 16, 2, 8).eval())
    dense = dense_cells(cells)
    together = DenseGCN(members)(dense)
    for row, member in zip(together, members, strict=True):
        torch.testing.assert_close(row, DenseGCN([member])(dense)[0], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(together[0], together[1])


def test_relabelling_inner_vertices_changes_nothing(model: GCN) -> None:
    ops = ["input", "conv3x3-bn-relu", "maxpool3x3", "conv1x1-bn-relu", "output"]
    one = Cell([[0, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0] * 5], ops)
    # Vertices 1 and 2 swapped.
    other = Cell(
        [[0, 1, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0] * 5],
        [ops[0], ops[2], ops[1], ops[3], ops[4]],
    )
    assert one == other
    outputs = DenseGCN([model])(dense_cells(CellArray.from_cells([one, other])))[0]
    assert outputs[0].item() == pytest.approx(outputs[1].item(), abs=1e-6)


def test_direction_of_edges_matters(model: GCN) -> None:
    """W+ gathers from successors: with W- at zero the output sees nothing of the input."""
    conv = BiGCNConv(5, 4)
    with torch.no_grad():
        conv.weight_in.zero_()
    data = Cell([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "conv3x3-bn-relu", "output"]).to_data()
    changed = data.x.clone()
    changed[0] = 0.0  # without the input's feature
    before, after = conv(data.x, data.edge_index), conv(changed, data.edge_index)
    assert torch.equal(before[2], after[2])
    assert not torch.equal(before[0], after[0])


def test_any_vocabulary_and_size() -> None:
    space = SearchSpace("made-up", tuple("abcdef"), max_vertices=9, max_edges=20)
    rng = np.random.default_rng(0)
    graphs = [
        Cell(np.triu(rng.random((v, v)) < 0.4, 1), rng.choice(list("abcdef"), v).tolist(), space)
        for v in (1, 4, 9)
    ]
    torch.manual_seed(0)
    model = GCN(6, 8, 2, 4).eval()
    predicted = DenseGCN([model])(dense_cells(CellArray.from_cells(graphs)))[0]
    expected = [reference_output(model, graph) for graph in graphs]
    np.testing.assert_allclose(predicted.detach().numpy(), expected, atol=1e-6, rtol=1e-5)


def test_dropout_only_in_training(cells: CellArray) -> None:
    torch.manual_seed(0)
    model = GCN(5, 16, 2, 8, dropout=0.5)
    batch = Batch.from_data_list([cell.to_data() for cell in cells])
    inputs = batch.x, batch.edge_index, batch.batch, batch.num_graphs
    assert not torch.equal(model(*inputs), model(*inputs))
    model.eval()
    assert torch.equal(model(*inputs), model(*inputs))


@needs_cuda
def test_cuda_equals_cpu(model: GCN, cells: CellArray) -> None:
    dense = dense_cells(cells)
    expected = DenseGCN([model])(dense)[0]
    predicted = DenseGCN([model]).to("cuda")(dense.to("cuda"))[0].cpu()
    torch.testing.assert_close(predicted, expected, atol=1e-5, rtol=1e-4)
