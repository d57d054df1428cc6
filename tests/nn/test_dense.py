"""Dense networks against the sparse ones in float64: outputs, gradients, dropout, weights."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch

from pyg_nas.engine.dropout import DropoutMasks, mask_shapes
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.dense import DenseGCN, padded_cells
from pyg_nas.nn.gcn import GCN
from pyg_nas.spaces.nasbench101 import nasbench101_cells


@pytest.fixture(scope="module")
def cells() -> CellArray:
    """Cells of 2 to 7 vertices, so with and without padding."""
    return nasbench101_cells()[[0, 1, 5, 60, 700, 20_000, 400_000, 410_000]]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("depth", [1, 3])
def test_outputs_and_gradients(cells: CellArray, depth: int, dropout: float) -> None:
    assert cells.num_vertices.min() < 4
    assert cells.num_vertices.max() == 7
    members = []
    for seed in range(2):
        torch.manual_seed(seed)
        members.append(GCN(5, 6, depth, 4, dropout).double())
    index = torch.tensor([[0, 1, 2, 3], [4, 5, 6, 7]])  # each member has a batch of its own
    adjacency, mask = (torch.tensor(a).double() for a in (cells.adjacency, cells.mask))
    dense = padded_cells(adjacency, torch.from_numpy(cells.columns), mask, 5)
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    shapes = mask_shapes(members[0], 4, 7)
    keep = DropoutMasks(generators, shapes, dropout, torch.device("cpu")).draw()
    keep = [mask.double() for mask in keep]
    slopes = torch.randn(2, 4, dtype=torch.float64)

    network = DenseGCN(members)
    predicted = network(dense[index], keep)
    predicted.backward(slopes)
    # Gradients travel through the copy as weights do.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.grad)
    gradients = [GCN(5, 6, depth, 4).double() for _ in members]
    network.copy_to(gradients)

    for number, member in enumerate(members):
        batch = Batch.from_data_list([cells[row].to_data() for row in index[number].tolist()])
        real = dense.pool[index[number], 0] > 0
        masks = [mask[number][real] for mask in keep[:-1]] + [keep[-1][number]]
        expected = member(batch.x.double(), batch.edge_index, batch.batch, 4, keep=masks)
        expected.backward(slopes[number])
        torch.testing.assert_close(predicted[number], expected)
        for (name, parameter), gradient in zip(
            member.named_parameters(), gradients[number].parameters(), strict=True
        ):
            torch.testing.assert_close(gradient, parameter.grad, msg=name)


def test_weights_return_unchanged() -> None:
    members = [GCN(5, 12, 2, 8) for _ in range(2)]
    copies = [GCN(5, 12, 2, 8) for _ in range(2)]
    DenseGCN(members).copy_to(copies)
    for member, copy in zip(members, copies, strict=True):
        for name, tensor in member.state_dict().items():
            assert torch.equal(tensor, copy.state_dict()[name]), name
